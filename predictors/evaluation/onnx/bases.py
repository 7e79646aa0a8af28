"""The base predictor of a benchmark, by name: shipped, stored in a file, or trained on the measured data set."""

from collections.abc import Callable, Mapping
from pathlib import Path

from latcast.schema import UnknownNameError
from predictors.base import LatencyDataset, Predictor
from predictors.evaluation.nas.units import Contender
from predictors.registry import HOUSE_KIND, load_predictor, predictor_kinds, pretrained, pretrained_names

__all__ = ["DEFAULT_PREDICTOR", "trained", "untrained"]

DEFAULT_PREDICTOR = HOUSE_KIND
"""Name of the predictor that is adapted unless another one is named."""

_SHIPPED: Mapping[str, str] = {"universal": "universal-graphs"}
"""Kind → name of the shipped artifact that reads any graph."""


def trained(name: str, data: Callable[[], LatencyDataset]) -> Predictor:
    """The predictor of that name, ready to be adapted.

    Args:
        name: a kind, with hyperparameters where they differ from the defaults (`kind:name=value`); the name of a
            shipped artifact; or an artifact's file. A kind that is shipped is not trained again.
        data: function that returns the training set of a kind that is not shipped.

    Raises:
        UnknownNameError: the name is none of these.
        ArtifactError: the artifact is broken.
        ImportError: a library that the kind needs is not installed.
        InputError: the kind does not take the hyperparameters, or cannot be trained on the data.
    """
    return _finished(name) or _of_kind(name).fit(data())


def untrained(name: str) -> Predictor:
    """An unfitted predictor of the kind and with the hyperparameters of the one that `trained` returns.

    Raises:
        UnknownNameError, ArtifactError, ImportError, InputError: see `trained`.
    """
    finished = _finished(name)
    return _of_kind(name) if finished is None else type(finished)(**finished.hyperparameters())


def _finished(name: str) -> Predictor | None:
    if name.endswith(".safetensors") and Path(name).exists():
        return load_predictor(name)
    shipped = _SHIPPED.get(name, name)
    return pretrained(shipped) if shipped in pretrained_names() else None


def _of_kind(name: str) -> Predictor:
    if name.partition(":")[0] not in predictor_kinds():
        raise UnknownNameError("predictor", name, [*predictor_kinds(), *pretrained_names()])
    return Contender.parse(name).make(seed=0)

"""The predictor that a benchmark adapts, by name: shipped, out of a file, or trained on the measured data set."""

from collections.abc import Callable, Mapping
from pathlib import Path

from latcast.schema import UnknownNameError
from predictors.base import LatencyDataset, Predictor
from predictors.evaluation.nas.units import Contender
from predictors.registry import HOUSE_KIND, load_predictor, predictor_kinds, pretrained, pretrained_names

__all__ = ["DEFAULT_PREDICTOR", "trained", "untrained"]

DEFAULT_PREDICTOR = HOUSE_KIND
"""What is adapted when nobody says."""

_SHIPPED: Mapping[str, str] = {"universal": "universal-graphs"}
"""Kind → the shipped artifact that reads any graph."""


def trained(name: str, data: Callable[[], LatencyDataset]) -> Predictor:
    """The predictor of that name, ready to be adapted.

    Args:
        name: a kind, with hyperparameters where they differ from the defaults (`kind:name=value`); the name of a
            shipped artifact; or an artifact's file. A kind that is shipped is not trained again.
        data: gives what a kind that is not shipped is trained on.

    Raises:
        UnknownNameError: none of these.
        ArtifactError: a broken artifact.
        InputError: hyperparameters that the kind does not take, or data that it cannot be trained on.
    """
    return _finished(name) or _of_kind(name).fit(data())


def untrained(name: str) -> Predictor:
    """A predictor of the same kind and with the same hyperparameters as `trained` gives, before training.

    Raises:
        UnknownNameError, ArtifactError, InputError: as `trained`.
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

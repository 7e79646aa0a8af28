"""Finding predictors: classes through the entry points `latcast.predictors`, shipped artifacts by name."""

import os
from pathlib import Path

from latcast.schema import ArtifactError, InputError, UnknownNameError
from predictors.artifact import Artifact
from predictors.base import Predictor
from profilers.plugins import names, plugin

__all__ = [
    "HOUSE_KIND",
    "load_predictor",
    "predictor_class",
    "predictor_kinds",
    "pretrained",
    "pretrained_names",
]

HOUSE_KIND = "universal"
"""Kind of the predictor that is used unless another one is named."""

_PRETRAINED = Path(__file__).with_name("pretrained")


def predictor_kinds() -> tuple[str, ...]:
    """Kinds of all registered predictors, sorted; nothing is imported."""
    return names("predictors")


def predictor_class(kind: str) -> type[Predictor]:
    """The class of that kind.

    Raises:
        UnknownNameError: the kind is not registered.
        ImportError: a library that the kind needs is not installed, such as torch for `brp_nas`, `gcn` and `help`.
    """
    cls: type[Predictor] = plugin("predictors", kind)
    return cls


def load_predictor(source: Artifact | str | os.PathLike[str]) -> Predictor:
    """The predictor in an artifact or in a file.

    Raises:
        ArtifactError: the file is no artifact, its kind is not registered, or its content is not what that kind stores.
        ImportError: a library that the kind needs is not installed.
    """
    artifact = source if isinstance(source, Artifact) else Artifact.load(source)
    try:
        cls = predictor_class(artifact.kind)
    except UnknownNameError as error:
        raise ArtifactError(f"The artifact holds a predictor that is not installed. {error}") from error
    try:
        return cls.from_artifact(artifact)
    except (InputError, LookupError, TypeError, ValueError) as error:
        raise ArtifactError(f"The artifact is not what {artifact.kind!r} stores: {error}. Train it again.") from error


def pretrained_names() -> tuple[str, ...]:
    """Names of the shipped artifacts, those of the house predictor first, otherwise sorted."""
    stems = (path.stem for path in _PRETRAINED.glob("*.safetensors"))
    return tuple(sorted(stems, key=lambda name: (not name.startswith(f"{HOUSE_KIND}-"), name)))


def pretrained(name: str) -> Predictor:
    """The shipped predictor of that name.

    Raises:
        UnknownNameError: no predictor is shipped under that name; the message lists those that are.
    """
    shipped = pretrained_names()
    if name not in shipped:
        raise UnknownNameError("pretrained predictor", name, shipped)
    return load_predictor(_PRETRAINED / f"{name}.safetensors")

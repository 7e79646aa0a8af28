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
    "pretrained_card",
    "pretrained_names",
]

HOUSE_KIND = "universal"
"""Kind of the predictor that is used when nobody says which."""

_PRETRAINED = Path(__file__).with_name("pretrained")


def predictor_kinds() -> tuple[str, ...]:
    """Kinds of all registered predictors, sorted; nothing is imported."""
    return names("predictors")


def predictor_class(kind: str) -> type[Predictor]:
    """The class of that kind.

    Raises:
        UnknownNameError: nobody registered it.
    """
    found: type[Predictor] = plugin("predictors", kind)
    return found


def load_predictor(source: Artifact | str | os.PathLike[str]) -> Predictor:
    """The predictor in an artifact or in a file.

    Raises:
        ArtifactError: not an artifact, of a kind that is not installed, or not what that kind stores.
    """
    artifact = source if isinstance(source, Artifact) else Artifact.load(source)
    try:
        found = predictor_class(artifact.kind)
    except UnknownNameError as error:
        raise ArtifactError(f"The artifact holds a predictor that is not installed. {error}") from error
    try:
        return found.from_artifact(artifact)
    except (InputError, LookupError, TypeError, ValueError) as error:
        raise ArtifactError(f"The artifact is not what {artifact.kind!r} stores: {error}. Train it again.") from error


def pretrained_names() -> tuple[str, ...]:
    """Names of the shipped artifacts, those of the house predictor first, otherwise sorted."""
    stems = (path.stem for path in _PRETRAINED.glob("*.safetensors"))
    return tuple(sorted(stems, key=lambda name: (not name.startswith(f"{HOUSE_KIND}-"), name)))


def pretrained(name: str) -> Predictor:
    """The shipped predictor of that name.

    Raises:
        UnknownNameError: none is shipped under it; the message lists those that are.
    """
    return load_predictor(_shipped(name))


def pretrained_card(name: str) -> str:
    """The model card of a shipped predictor, in Markdown: what it was trained on and how good it is.

    Raises:
        UnknownNameError: none is shipped under that name.
    """
    return _shipped(name).with_suffix(".md").read_text(encoding="utf-8")


def _shipped(name: str) -> Path:
    known = pretrained_names()
    if name not in known:
        raise UnknownNameError("pretrained predictor", name, known)
    return _PRETRAINED / f"{name}.safetensors"

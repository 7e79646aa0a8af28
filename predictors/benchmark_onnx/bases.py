"""The predictor that a benchmark adapts, by name."""

from collections.abc import Mapping
from pathlib import Path

from predictors.base import Predictor
from predictors.registry import load_predictor, predictor_kinds, pretrained, pretrained_names
from profilers.schema import UnknownNameError

__all__ = ["DEFAULT_PREDICTOR", "load_base"]

DEFAULT_PREDICTOR = "kernel_sum"
"""What is adapted when nobody says."""

_SHIPPED: Mapping[str, str] = {"kernel_sum": "kernel_sum-base"}
"""Kind → the shipped artifact that reads any graph."""


def load_base(name: str) -> Predictor:
    """The predictor of that name, trained.

    Args:
        name: a kind that is shipped trained, the name of a shipped artifact, or an artifact's file.

    Raises:
        UnknownNameError: none of these.
        ArtifactError: a broken artifact.
    """
    if name.endswith(".safetensors") and Path(name).exists():
        return load_predictor(name)
    shipped = _SHIPPED.get(name, name)
    if shipped not in pretrained_names():
        raise UnknownNameError("trained predictor", name, sorted({*_SHIPPED, *pretrained_names(), *predictor_kinds()}))
    return pretrained(shipped)

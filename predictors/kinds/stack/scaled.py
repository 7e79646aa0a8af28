"""A predictor with intervals that are wider or narrower than it says itself, as one that an artifact can hold."""

from copy import copy

from predictors.base import Predictor
from predictors.kinds.stack.predictor import StackPredictor
from predictors.kinds.universal import UniversalPredictor
from predictors.kinds.universal.cells.predictor import CellPredictor

__all__ = ["with_interval_scale"]


def with_interval_scale(adapted: Predictor, factor: float) -> Predictor:
    """The predictor with intervals that are so many times as wide in log latency; itself for 1.

    Architectures' house predictor stays what it is, since files of other formats are made of it.

    Args:
        adapted: to a target.
        factor: positive.
    """
    if factor == 1.0:
        return adapted
    if isinstance(adapted, StackPredictor):
        return adapted.with_interval_scale(factor)
    if isinstance(adapted, UniversalPredictor) and isinstance(adapted.fitted, CellPredictor):
        scaled = copy(adapted)
        scaled.fitted_ = adapted.fitted.with_interval_scale(factor)
        return scaled
    return StackPredictor.alone(adapted, scale=factor)

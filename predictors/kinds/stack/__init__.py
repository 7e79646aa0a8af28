"""Several predictors as one: each adapted to a target's support, and believed as far as it forecasts that."""

from predictors.kinds.stack.predictor import StackPredictor

__all__ = ["StackPredictor"]

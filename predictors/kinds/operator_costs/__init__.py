"""Costs of operators on a device, times the work that they have to do there: positive, and few of them.

`readings` says what a runtime may execute of an architecture, and what work that is; `posterior` finds the costs that a
few latencies allow; `predictor` weighs the readings and learns from other devices what is usual.
"""

from predictors.kinds.operator_costs.predictor import OperatorCostsPredictor

__all__ = ["OperatorCostsPredictor"]

"""What each operator costs on a device, times the work that it has to do there: positive costs, few of them.

`readings` says what a runtime may execute of an architecture, and what work that is; `posterior` finds the costs that a
few latencies allow; `predictor` weighs the readings and learns from other devices what is usual.
"""

from predictors.kinds.operator_costs.predictor import OperatorCostsPredictor

__all__ = ["OperatorCostsPredictor"]

"""Latency as a sum over fused kernels, each with a smooth roofline under boosted trees, adapted in closed form.

`observations` brings data sets to kernels, `roofline` is the part that extrapolates, `residual` the trees over it,
`sums` adds kernels up, `multipliers` is what differs between targets, and `predictor` puts them together.
"""

from predictors.kinds.kernel_sum.predictor import KernelSumPredictor

__all__ = ["KernelSumPredictor"]

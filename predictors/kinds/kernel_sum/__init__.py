"""Latency as a sum over fused kernels, each with a smooth roofline under boosted trees, adapted in closed form.

`observations` brings data sets to kernels; `roofline` is the part that extrapolates, learned by `shared_roofline`;
`correction` says what may be learned over it, with the trees of `residual` as the plain case; `sums` adds kernels up;
`multipliers` are what differs between targets, seen through `likelihood`, and `target_prior` and `target_descriptors`
say which are likely. `model` puts them together, `predictor` is the contract around it.
"""

from predictors.kinds.kernel_sum.predictor import KernelSumPredictor

__all__ = ["KernelSumPredictor"]

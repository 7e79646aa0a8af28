"""Cost profiles of devices on which nothing was measured."""

import numpy as np

from predictors.kinds.universal.cells.posterior import CostProfile
from predictors.kinds.universal.cells.prior import DevicePrior

__all__ = ["source_profile", "stranger_profile"]


def source_profile(prior: DevicePrior, index: int) -> CostProfile:
    """The profile of a device of training, as its own rows gave it."""
    mean = np.append(prior.profiles[index], prior.intercepts[index])
    return CostProfile(
        scale_ms=float(prior.scales_ms[index]),
        mean=mean,
        covariance=np.zeros((len(mean),) * 2),
        noise=float(prior.log_stds[index] ** 2),
        rounding=0.0,
        tail_scale=1.0,
    )


def stranger_profile(prior: DevicePrior, unlike: float) -> CostProfile:
    """The profile of a device of which nothing is known: the sources' mean, with their spread of speeds as variance.

    Args:
        prior: of the sources.
        unlike: weight of a device that is like no source.
    """
    covariance = np.zeros((len(prior.mean) + 1,) * 2)
    covariance[:-1, :-1] = prior.covariance(unlike)
    speeds = np.log(prior.scales_ms)
    return CostProfile(
        scale_ms=float(np.exp(speeds.mean())),
        mean=np.append(prior.mean, 0.0),
        covariance=covariance,
        noise=float(speeds.var(ddof=1) + np.mean(prior.log_stds**2)) if len(speeds) > 1 else 1.0,
        rounding=0.0,
        tail_scale=1.0,
    )

"""Intervals that hold what they claim, for exchangeable rows and whatever the model behind them.

Sources: Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World (2005), for split conformal prediction; Lei
et al., Distribution-free predictive inference for regression (JASA 113, 2018), section 5.2, for residuals divided by a
predicted spread. Scores are of log latency.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from latcast.schema import InputError
from latcast.schema.counting import counted
from predictors.base import normal_quantile

__all__ = ["calibrated_scale", "conformal_quantile", "minimum_scores"]


def minimum_scores(level: float) -> int:
    """Calibration rows that a finite bound at this level needs: 9 for 0.9, 19 for 0.95."""
    _check_level(level)
    return math.ceil(level / (1 - level) - 1e-9)


def conformal_quantile(scores: ArrayLike, level: float) -> float:
    """The ⌈(n + 1)·level⌉-th smallest score: a fresh row's score exceeds it with probability at most 1 − level.

    Args:
        scores: (n,) of calibration rows, for example |residual|.
        level: 0–1.

    Returns:
        The bound; infinite with fewer than `minimum_scores(level)` rows.
    """
    _check_level(level)
    ordered = np.sort(np.asarray(scores, dtype=np.float64))
    rank = math.ceil((len(ordered) + 1) * level - 1e-9)
    return float(ordered[rank - 1]) if rank <= len(ordered) else math.inf


def calibrated_scale(scores: ArrayLike, level: float = 0.9) -> float:
    """The factor on predicted standard deviations that makes central intervals hold `level` of fresh rows.

    Args:
        scores: (n,), |residual| / predicted standard deviation of calibration rows.
        level: of the interval.

    Returns:
        Conformal quantile over the normal quantile: 1 for a model that is right. For `Prediction.tail_scale`.

    Raises:
        InputError: fewer than `minimum_scores(level)` rows.
    """
    bound = conformal_quantile(scores, level)
    if math.isinf(bound):
        raise InputError(
            f"Calibrating at {level:g} takes at least {counted(minimum_scores(level), 'row')}; give more of them."
        )
    return bound / normal_quantile((1 + level) / 2)


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise InputError(f"A level lies between 0 and 1, not {level:g}.")

"""Intervals that keep to what they claim while the world changes: their width follows what they missed.

Split conformal prediction needs rows that are exchangeable; those of a host that slows down are not, nor networks that
are unlike those before. So the width is a number that moves after each row, up after a miss and down after a hit, by
steps that balance at the level: over a long run the share of misses is the one claimed, whatever the rows are. Sources:
Gibbs and Candès, Adaptive conformal inference under distribution shift (NeurIPS 2021); the quantile itself is tracked,
rather than the level, as by Angelopoulos, Candès and Tibshirani, Conformal PID control for time series prediction
(NeurIPS 2023), section 2. It moves by factors, since widths of log latency are positive.
"""

import math
from collections.abc import Iterable

__all__ = ["LEVEL", "tracked_scales"]

LEVEL = 0.9
"""Level of the intervals whose misses count; those of other levels are scaled alike."""
_RATE = 0.15
"""A miss widens by `exp(0.9 * rate)`, a hit narrows by `exp(0.1 * rate)`: one of ten missed leaves the width."""
_NARROWEST, _WIDEST = 0.5, 16.0


def tracked_scales(scores: Iterable[float], *, level: float = LEVEL) -> list[float]:
    """The factor on the width of intervals in force before each row, and after the last: n + 1 numbers from 1 on.

    Args:
        scores: n of them, oldest first: |log(measured / forecast)| over the half-width of the interval at this level
            before any factor. Up to the factor in force it is a hit.
        level: of the interval, in (0, 1).
    """
    scales = [1.0]
    for score in scores:
        step = level if score > scales[-1] else level - 1
        scales.append(min(max(scales[-1] * math.exp(_RATE * step), _NARROWEST), _WIDEST))
    return scales

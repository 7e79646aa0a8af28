"""Measurements of an hour in which the machine was not as fast as usual, stated at its baseline speed.

Clocks are lowered as a machine warms up, and virtual machines share memory and power with neighbours: a network is
measured some percent slower than half an hour before, at times by half. The sentinel that runs beside each measurement
tells by how much. Ten measurements that were taken at different speeds say little of which network is the slower one.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from latcast.schema import KernelTiming
from predictors.base import FloatArray

__all__ = ["scaled_kernels", "sentinel_drift_factors"]

AROUND_S = 15.0
"""Three or four careful measurements, of six readings each."""


def sentinel_drift_factors(
    sentinel_ms: Sequence[float | None],
    time_unix_s: Sequence[float | None],
    *,
    baseline_ms: float | None = None,
    around_s: float = AROUND_S,
) -> FloatArray:
    """The drift factor of the machine beside each of a target's measurements, by the sentinel alone, float64 (n,).

    A latency divided by its factor is stated at the machine's baseline speed. This is all that can be said of a few
    measurements, of which none is a repetition of another; it halves what a drifting host adds to networks of less
    than a millisecond, and leaves more of larger ones, which wait for memory as well.

    Args:
        sentinel_ms: its latency beside each measurement; None where it did not run, which says one.
        time_unix_s: when; None where it was not recorded.
        baseline_ms: its latency at the machine's baseline speed; by default the median of those that are known.
        around_s: seconds to either side from which the median is taken: a single reading of the sentinel is hardly
            steadier than what it is to put right.
    """
    slow = np.ones(len(sentinel_ms))
    readings = np.array(sentinel_ms, dtype=np.float64)  # None becomes NaN
    known = np.flatnonzero(~np.isnan(readings))
    if len(known) == 0:
        return slow
    sentinel = readings[known]
    times = np.array(time_unix_s, dtype=np.float64)[known]  # NaN is the last in order
    order = np.argsort(times, kind="stable")
    first = np.searchsorted(times, times - around_s, sorter=order)
    last = np.searchsorted(times, times + around_s, side="right", sorter=order)
    ordered = sentinel[order]
    around = [np.median(ordered[start:stop]) for start, stop in zip(first, last, strict=True)]
    usual = float(np.median(sentinel)) if baseline_ms is None else baseline_ms
    slow[known] = np.where(np.isnan(times), sentinel, around) / usual
    return slow


def scaled_kernels(kernels: tuple[KernelTiming, ...] | None, factor: float) -> tuple[KernelTiming, ...] | None:
    """The kernels with their times multiplied by the factor."""
    return kernels and tuple([replace(timing, time_ms=timing.time_ms * factor) for timing in kernels])

"""Measurements that were taken while the machine was slower or faster, stated at its baseline speed.

Clocks are lowered as a machine warms up, and virtual machines share memory and power with neighbours: a network is
measured some percent slower than half an hour before, at times by half. The sentinel that runs beside each measurement
shows by how much. Measurements that were taken at different speeds do not rank networks.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from latcast.schema import KernelTiming
from predictors.base import FloatArray

__all__ = ["scaled_kernels", "sentinel_drift_factors"]

AROUND_S = 15.0
"""Seconds to either side of a measurement: three or four careful measurements, of six readings each."""


def sentinel_drift_factors(
    sentinel_ms: Sequence[float | None],
    time_unix_s: Sequence[float | None],
    *,
    baseline_ms: float | None = None,
    around_s: float = AROUND_S,
) -> FloatArray:
    """The drift factor of the machine beside each of a target's measurements, by the sentinel alone, float64 (n,).

    A latency divided by its factor is stated at the machine's baseline speed. The sentinel is the only evidence of
    drift among a few measurements of which none repeats another. It removes half of what a drifting host adds to
    networks of less than a millisecond, and less of what it adds to larger ones, which wait for memory as well.

    Args:
        sentinel_ms: the sentinel's latency beside each of n measurements, in ms; None where it did not run, which
            gives a factor of 1.
        time_unix_s: the time of each measurement, in Unix seconds; None where it was not recorded.
        baseline_ms: the sentinel's latency at the machine's baseline speed; by default the median of its readings.
        around_s: seconds to either side from which the median reading is taken: a single one is hardly steadier than
            the drift that it is to remove.
    """
    factors = np.ones(len(sentinel_ms))
    readings = np.array(sentinel_ms, dtype=np.float64)  # None becomes NaN
    read = np.flatnonzero(~np.isnan(readings))
    if len(read) == 0:
        return factors
    sentinel = readings[read]
    times = np.array(time_unix_s, dtype=np.float64)[read]  # NaN is the last in order
    order = np.argsort(times, kind="stable")
    first = np.searchsorted(times, times - around_s, sorter=order)
    last = np.searchsorted(times, times + around_s, side="right", sorter=order)
    ordered = sentinel[order]
    around = [np.median(ordered[start:stop]) for start, stop in zip(first, last, strict=True)]
    baseline = float(np.median(sentinel)) if baseline_ms is None else baseline_ms
    factors[read] = np.where(np.isnan(times), sentinel, around) / baseline
    return factors


def scaled_kernels(kernels: tuple[KernelTiming, ...] | None, factor: float) -> tuple[KernelTiming, ...] | None:
    """The kernels with their times multiplied by the factor."""
    return kernels and tuple([replace(timing, time_ms=timing.time_ms * factor) for timing in kernels])

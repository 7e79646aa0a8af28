"""Measurements of an hour in which the machine was not as fast as usual, stated at its usual speed.

Clocks are lowered as a machine warms up, and virtual machines share memory and power with neighbours: a network is
measured some percent slower than half an hour before, at times by half. The sentinel that runs beside each measurement
tells by how much. Ten measurements that were taken at different speeds say little of which network is the slower one.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from predictors.base import FloatArray
from profilers.schema import KernelTiming

__all__ = ["scaled_kernels", "sentinel_slowness"]


def sentinel_slowness(sentinel_ms: Sequence[float | None], usual_ms: float | None = None) -> FloatArray:
    """How slow the machine was beside each of a target's measurements, by the sentinel alone, float64 (n,).

    Latency divided by it is that of the machine's usual speed. This is all that can be said of a few measurements, of
    which none is a repetition of another; it halves what a drifting host adds to networks of less than a millisecond,
    and leaves more of larger ones, which wait for memory as well.

    Args:
        sentinel_ms: its latency beside each measurement; None where it did not run, which says one.
        usual_ms: its latency at the machine's usual speed; by default the median of those that are known.
    """
    known = [value for value in sentinel_ms if value is not None]
    if not known:
        return np.ones(len(sentinel_ms))
    usual = float(np.median(known)) if usual_ms is None else usual_ms
    return np.array([1.0 if value is None else value / usual for value in sentinel_ms])


def scaled_kernels(kernels: tuple[KernelTiming, ...] | None, factor: float) -> tuple[KernelTiming, ...] | None:
    """The kernels with their times multiplied by the factor."""
    return kernels and tuple([replace(timing, time_ms=timing.time_ms * factor) for timing in kernels])

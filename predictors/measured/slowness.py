"""How fast the machine was when a row was measured: the same network's latency drifts with what its host has to do.

Virtual machines share memory and power with neighbours, and their speed changes by some percent from one quarter of an
hour to the next. Of networks that were measured in different ones, nobody can tell which is faster by less than that.
The sentinel runs beside all of them, so its latency says how slow the machine was.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from predictors.measured.records import MeasuredRow
from profilers.schema import KernelTiming, TargetId

__all__ = ["at_usual_speed", "with_slowness"]

_WINDOW_S = 30.0
"""To either side: a single reading of the sentinel is no steadier than what it is to put right."""


def with_slowness(rows: Sequence[MeasuredRow]) -> list[MeasuredRow]:
    """The rows with `slowness`: the sentinel's latency around them, over its usual one on the same target."""
    places: dict[TargetId, list[int]] = {}
    for place, row in enumerate(rows):
        if row.sentinel_ms is not None and row.time_unix_s is not None:
            places.setdefault(row.target, []).append(place)
    found = list(rows)
    for own in places.values():
        own.sort(key=lambda place: rows[place].time_unix_s or 0.0)
        times = np.array([rows[place].time_unix_s for place in own])
        sentinel = np.array([rows[place].sentinel_ms for place in own])
        first, last = np.searchsorted(times, times - _WINDOW_S), np.searchsorted(times, times + _WINDOW_S, side="right")
        usual = np.median(sentinel)
        for place, start, stop in zip(own, first, last, strict=True):
            found[place] = replace(rows[place], slowness=float(np.median(sentinel[start:stop]) / usual))
    return found


def at_usual_speed(row: MeasuredRow) -> tuple[float | None, tuple[KernelTiming, ...] | None]:
    """(latency in ms, timings of the kernels), as they would be at the machine's usual speed."""
    if row.latency_ms is None or row.slowness == 1:
        return row.latency_ms, row.kernels
    kernels = row.kernels and tuple([replace(timing, time_ms=timing.time_ms / row.slowness) for timing in row.kernels])
    return row.latency_ms / row.slowness, kernels

"""How fast the machine was when a row was measured: the same network's latency drifts with what its host has to do.

Virtual machines share memory and power with neighbours, and their speed changes by some percent from one quarter of an
hour to the next. Of networks that were measured in different ones, nobody can tell which is faster by less than that.
Two things tell how slow the machine was: the sentinel, which runs beside all of them, and graphs that were measured in
several of these times. The sentinel is small and stays in the caches, and a host that is short of memory slows down
large networks more; so what the sentinel leaves is an affine function of a network's log latency, for every two
minutes.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from latcast.schema import KernelTiming, TargetId
from predictors.base import FloatArray
from predictors.data.host_drift import scaled_kernels, sentinel_drift_factors
from predictors.data.measured.records import MeasuredRow

__all__ = ["at_baseline_speed", "with_drift_factors"]

_SENTINEL_S = 30.0
"""To either side."""

_WINDOW_S = 120.0
"""In which the machine is taken to be as slow throughout, for networks of one size."""
_DRIFT_LOG = 0.025
"""How much log drift factor differs between windows beyond the sentinel, as a prior: for a typical network, and for one
that takes e³ times as long beside that."""
_SIZE_SPREAD = 3.0
_NOISE_LOG, _NOISY_WEIGHT = 0.04, 0.3
"""Of single measurements, and what those count that say of themselves that they are noisy."""
_DEGREES, _STEPS = 4.0, 6


def with_drift_factors(rows: Sequence[MeasuredRow]) -> list[MeasuredRow]:
    """The rows with `slowness`: by the sentinel around them, and by graphs of the same minutes that were measured at
    other times as well. One is the usual speed of a target.
    """
    found = list(rows)
    for places in _by_target(rows).values():
        own = [rows[place] for place in places]
        slow = _by_sentinel(own)
        slow *= np.exp(_by_repetitions(own, slow))
        for place, value in zip(places, slow, strict=True):
            found[place] = replace(rows[place], slowness=float(value))
    return found


def at_baseline_speed(row: MeasuredRow) -> tuple[float | None, tuple[KernelTiming, ...] | None]:
    """(latency in ms, timings of the kernels), as they would be at the machine's baseline speed."""
    if row.latency_ms is None or row.slowness == 1:
        return row.latency_ms, row.kernels
    return row.latency_ms / row.slowness, scaled_kernels(row.kernels, 1 / row.slowness)


def _by_target(rows: Sequence[MeasuredRow]) -> dict[TargetId, list[int]]:
    places: dict[TargetId, list[int]] = {}
    for place, row in enumerate(rows):
        places.setdefault(row.target, []).append(place)
    return places


def _by_sentinel(rows: Sequence[MeasuredRow]) -> FloatArray:
    """Its latency around each row over its usual one, float64 (n,); 1 where it did not run."""
    timed = [row.sentinel_ms if row.time_unix_s is not None else None for row in rows]
    return sentinel_drift_factors(timed, [row.time_unix_s for row in rows], around_s=_SENTINEL_S)


def _by_repetitions(rows: Sequence[MeasuredRow], slow: FloatArray) -> FloatArray:
    """Log drift factor that is left, float64 (n,): a graph's latency is its own, times that of the window.

    Ridge regression on the windows' intercepts and slopes, the graphs' own latencies eliminated; robust by Student-t
    weights. Graphs that were measured in one window say nothing, and windows that share no graph with others stay at
    zero.
    """
    measured = np.flatnonzero([row.latency_ms is not None for row in rows])
    left = np.zeros(len(rows))
    if len(measured) == 0:
        return left
    known = [rows[place] for place in measured.tolist()]
    logs = np.log([row.latency_ms or np.nan for row in known]) - np.log(slow[measured])
    graphs = np.unique([row.graph for row in known], return_inverse=True)[1]
    windows = np.unique([_window(row) for row in known], return_inverse=True)[1]
    typical = np.bincount(graphs, logs) / np.bincount(graphs)
    design = _design(windows, ((typical - np.median(typical)) / _SIZE_SPREAD)[graphs])
    trust = np.where([row.noisy for row in known], _NOISY_WEIGHT, 1.0)
    left[measured] = design @ _ridge(design, logs, graphs, trust)
    return left


def _window(row: MeasuredRow) -> int:
    return -1 if row.time_unix_s is None else int(row.time_unix_s // _WINDOW_S)


def _design(windows: NDArray[np.int64], size: FloatArray) -> sparse.csr_array:
    """An intercept and a slope for each window, (n, 2w)."""
    count = int(windows.max()) + 1
    places = np.arange(len(windows))
    values = np.concatenate([np.ones(len(windows)), size])
    return sparse.csr_array((values, (np.tile(places, 2), np.concatenate([windows, count + windows]))))


def _ridge(design: sparse.csr_array, logs: FloatArray, graphs: NDArray[np.int64], trust: FloatArray) -> FloatArray:
    """Coefficients of logs = graph's own + design, float64 (2w,)."""
    count = int(graphs.max()) + 1
    belongs = sparse.csr_array((np.ones(len(graphs)), (graphs, np.arange(len(graphs)))))
    coefficients = np.zeros(design.shape[1])
    weights = trust
    for _ in range(_STEPS):
        sums = np.maximum(np.bincount(graphs, weights, count), 1e-300)
        by_graph = belongs @ (design * weights[:, None])
        own = np.bincount(graphs, weights * logs, count) / sums
        precision = (design.T @ (design * weights[:, None]) - by_graph.T @ (by_graph / sums[:, None])).toarray()
        response = design.T @ (weights * (logs - own[graphs]))
        ridge = np.eye(len(precision)) * (_NOISE_LOG / _DRIFT_LOG) ** 2
        coefficients = np.asarray(np.linalg.solve(precision + ridge, response))
        residual = logs - design @ coefficients
        residual -= (np.bincount(graphs, weights * residual, count) / sums)[graphs]
        weights = trust * (_DEGREES + 1) / (_DEGREES + (residual / _NOISE_LOG) ** 2)
    return coefficients

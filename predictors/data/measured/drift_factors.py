"""The speed of the machine when each row was measured: a network's latency drifts with the other work of its host.

Virtual machines share memory and power with neighbours, and their speed changes by some percent from one quarter of an
hour to the next, so networks that were measured in different quarters cannot be ranked more finely than that. The
sentinel, which runs beside all measurements, and graphs that were measured at several times show how slow the machine
was. The sentinel is small and stays in the caches, and a host that is short of memory slows down large networks more.
The drift that the sentinel leaves is therefore an affine function of a network's log latency, for every two minutes.
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
"""Seconds to either side of a row from which the sentinel's readings are taken."""

_WINDOW_S = 120.0
"""Length of a window, in which the drift factor is taken to be constant for networks of one size."""

_DRIFT_LOG = 0.025
"""Prior standard deviation, between windows, of the log drift factor that the sentinel leaves: of its intercept (a
typical network), and of its slope over `_SIZE_SPREAD` in log latency."""
_SIZE_SPREAD = 3.0

_NOISE_LOG, _NOISY_WEIGHT = 0.04, 0.3
"""Standard deviation of the log latency of a single measurement, and the weight of a row that is flagged as noisy."""
_DEGREES, _STEPS = 4.0, 6
"""Degrees of freedom of the Student-t weights, and rounds of reweighting."""


def with_drift_factors(rows: Sequence[MeasuredRow]) -> list[MeasuredRow]:
    """The rows with their drift factors in `slowness`, by target; 1 is the target's baseline speed.

    A factor follows from the sentinel around the row, and from graphs of the same minutes that were measured at other
    times as well.
    """
    corrected = list(rows)
    for places in _by_target(rows).values():
        of_target = [rows[place] for place in places]
        factors = _by_sentinel(of_target)
        factors *= np.exp(_by_repetitions(of_target, factors))
        for place, factor in zip(places, factors, strict=True):
            corrected[place] = replace(rows[place], slowness=float(factor))
    return corrected


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
    """Drift factors by the sentinel alone, float64 (n,); 1 where it did not run or the time was not recorded."""
    timed = [row.sentinel_ms if row.time_unix_s is not None else None for row in rows]
    return sentinel_drift_factors(timed, [row.time_unix_s for row in rows], around_s=_SENTINEL_S)


def _by_repetitions(rows: Sequence[MeasuredRow], slow: FloatArray) -> FloatArray:
    """The log drift factors that the sentinel leaves, float64 (n,).

    The model is: log latency = intercept of the graph + intercept of the window + slope of the window · log size. It is
    fitted by ridge regression on the windows' coefficients, with the graphs' intercepts eliminated, robust by Student-t
    weights. Graphs that were measured in one window alone carry no information, and windows that share no graph with
    others stay at zero.
    """
    measured = np.flatnonzero([row.latency_ms is not None for row in rows])
    left = np.zeros(len(rows))
    if len(measured) == 0:
        return left
    timed = [rows[place] for place in measured.tolist()]
    logs = np.log([row.latency_ms or np.nan for row in timed]) - np.log(slow[measured])
    graphs = np.unique([row.graph for row in timed], return_inverse=True)[1]
    windows = np.unique([_window(row) for row in timed], return_inverse=True)[1]
    typical = np.bincount(graphs, logs) / np.bincount(graphs)
    design = _design(windows, ((typical - np.median(typical)) / _SIZE_SPREAD)[graphs])
    trust = np.where([row.noisy for row in timed], _NOISY_WEIGHT, 1.0)
    left[measured] = design @ _ridge(design, logs, graphs, trust)
    return left


def _window(row: MeasuredRow) -> int:
    return -1 if row.time_unix_s is None else int(row.time_unix_s // _WINDOW_S)


def _design(windows: NDArray[np.int64], size: FloatArray) -> sparse.csr_array:
    """The design matrix, an intercept and a slope for each window: float64 (n, 2w)."""
    count = int(windows.max()) + 1
    places = np.arange(len(windows))
    values = np.concatenate([np.ones(len(windows)), size])
    return sparse.csr_array((values, (np.tile(places, 2), np.concatenate([windows, count + windows]))))


def _ridge(design: sparse.csr_array, logs: FloatArray, graphs: NDArray[np.int64], trust: FloatArray) -> FloatArray:
    """Coefficients of the design in logs = intercept of the graph + design · coefficients, float64 (2w,)."""
    count = int(graphs.max()) + 1
    belongs = sparse.csr_array((np.ones(len(graphs)), (graphs, np.arange(len(graphs)))))
    coefficients = np.zeros(design.shape[1])
    weights = trust
    for _ in range(_STEPS):
        sums = np.maximum(np.bincount(graphs, weights, count), 1e-300)
        by_graph = belongs @ (design * weights[:, None])
        level = np.bincount(graphs, weights * logs, count) / sums
        precision = (design.T @ (design * weights[:, None]) - by_graph.T @ (by_graph / sums[:, None])).toarray()
        response = design.T @ (weights * (logs - level[graphs]))
        ridge = np.eye(len(precision)) * (_NOISE_LOG / _DRIFT_LOG) ** 2
        coefficients = np.asarray(np.linalg.solve(precision + ridge, response))
        residual = logs - design @ coefficients
        residual -= (np.bincount(graphs, weights * residual, count) / sums)[graphs]
        weights = trust * (_DEGREES + 1) / (_DEGREES + (residual / _NOISE_LOG) ** 2)
    return coefficients

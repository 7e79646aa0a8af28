"""Kernels of many graphs as the shared model forecasts them, and the sums over them that adaptation needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from predictors.base import FloatArray
from predictors.features.kernels import CLASSES

__all__ = ["Factors", "Kernels", "Labels", "factors"]


class Factors(NamedTuple):
    """The parts of a target's multipliers, all of them logarithms.

    Args:
        machine: of every kernel, float64 (1,).
        classes: of kernels of each class, float64 (C,).
        tilts: float64 (T,), of each unit of a kernel's tilts.
        profiler: of what the profiler says of each class, float64 (C,); latencies do not see it.
    """

    machine: FloatArray
    classes: FloatArray
    tilts: FloatArray
    profiler: FloatArray


def factors(u: FloatArray) -> Factors:
    """The parts of multipliers, float64 (1 + C + T + C,)."""
    return Factors(*np.split(u, [1, 1 + len(CLASSES), len(u) - len(CLASSES)]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernels:
    """K kernels of n graphs, as the shared model forecasts them. Times are in a unit of the model's own.

    Args:
        log_time: float64 (K,), log of the time of all runs of the kernel in one run of its graph.
        kinds: int64 (K,), index into `CLASSES`.
        tilt: float64 (K, T), what of each kernel a target may weigh differently, besides its class.
        rows: int64 (K,), ascending, which graph.
        count: n.
        unknown_variance: float64 (K,), variance of log time of kernels that training knows little of; else zero.
    """

    log_time: FloatArray
    kinds: NDArray[np.int64]
    tilt: FloatArray
    rows: NDArray[np.int64]
    count: int
    unknown_variance: FloatArray

    def times(self, u: FloatArray) -> FloatArray:
        """Time of each kernel at these multipliers, float64 (K,)."""
        machine, classes, tilts, _ = factors(u)
        return np.asarray(np.exp(self.log_time + machine + classes[self.kinds] + self.tilt @ tilts))

    def totals(self, times: FloatArray) -> FloatArray:
        """Sums over each graph's kernels, float64 (n,)."""
        return np.asarray(np.bincount(self.rows, weights=times, minlength=self.count), dtype=np.float64)

    def sums(self, values: FloatArray) -> FloatArray:
        """Sums of each column over each graph's kernels, float64 (n, c), of (K, c)."""
        starts = np.searchsorted(self.rows, np.arange(self.count + 1))
        sums, filled = np.zeros((self.count, values.shape[1])), np.diff(starts) > 0
        if filled.any():
            sums[filled] = np.add.reduceat(values, starts[:-1][filled], axis=0)
        return sums

    def by_class(self, times: FloatArray) -> FloatArray:
        """Sums over each graph's kernels of each class, float64 (n, C)."""
        cells = self.rows * len(CLASSES) + self.kinds
        sums = np.bincount(cells, weights=times, minlength=self.count * len(CLASSES))
        return np.asarray(sums.reshape(self.count, len(CLASSES)), dtype=np.float64)

    def pick(self, graphs: Sequence[int] | NDArray[np.int64]) -> "Kernels":
        """The kernels of these graphs, which are numbered anew in ascending order."""
        if len(graphs) == self.count:
            return self
        mask = np.isin(self.rows, graphs)
        return Kernels(
            log_time=self.log_time[mask],
            kinds=self.kinds[mask],
            tilt=self.tilt[mask],
            rows=np.searchsorted(np.sort(graphs), self.rows[mask]),
            count=len(graphs),
            unknown_variance=self.unknown_variance[mask],
        )

    def cells(self, times: FloatArray, mask: NDArray[np.bool_]) -> tuple[NDArray[np.int64], FloatArray, FloatArray]:
        """Sums by graph and class: (cell of each kernel, time by cell, mean tilt by cell (n·C, T))."""
        cell = np.asarray(self.rows * len(CLASSES) + self.kinds, dtype=np.int64)
        size = self.count * len(CLASSES)
        total = np.asarray(np.bincount(cell[mask], weights=times[mask], minlength=size), dtype=np.float64)
        weighted = (times[:, None] * self.tilt)[mask].T
        tilt = np.stack([np.bincount(cell[mask], weights=column, minlength=size) for column in weighted], axis=1)
        return cell, total, tilt / np.maximum(total, 1e-300)[:, None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """What was measured of `Kernels`.

    Args:
        latency: float64 (n,).
        kernel_time: float64 (K,), NaN where there is none.
    """

    latency: FloatArray
    kernel_time: FloatArray

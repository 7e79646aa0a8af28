"""Data sets as kernels: which kernels each row has, and what was measured of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictors.base import FloatArray, LatencyDataset, Query
from predictors.features.kernels import (
    CLASSES,
    ExecutionTraits,
    KernelTable,
    attribute_timings,
    kernel_operators,
    kernel_table,
    kernels_feature,
    stack_tables,
)
from predictors.features.kernels.parts import ChainTable
from predictors.networks import GraphFeatures

__all__ = ["Observations", "call_time", "chain_of", "observe", "operators_of", "tabulate", "without_call"]

_SINGLE, _MANY = 2, 20
"""Kernels of a graph, the call included: those that have one, and those that have many."""

_SMALLEST = 0.02
_FEWEST = 20
_LEAST_REST = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Observations:
    """n rows with K kernels in all. Times are in a unit of the model's own.

    Args:
        table: the kernels; `table.graph` is the row.
        kernel_time: float64 (K,), measured time of one kernel, all its runs together; NaN where there is none.
        latency: float64 (n,).
    """

    table: KernelTable
    kernel_time: FloatArray
    latency: FloatArray

    @property
    def rows(self) -> NDArray[np.int64]:
        """int64 (K,), the row of each kernel."""
        return self.table.graph


def tabulate(queries: Sequence[Query]) -> KernelTable:
    """The kernels of all queries' graphs, as their targets would run them; `graph` is the query."""
    return stack_tables([kernel_table(query.network, ExecutionTraits.of(query.target)) for query in queries])


def chain_of(query: Query) -> ChainTable | None:
    """The kernels of the query's network as those of its parts; None where it was not put together."""
    if not isinstance(query.network, GraphFeatures):
        return None
    table = query.network.features.get(kernels_feature(ExecutionTraits.of(query.target)))
    return table if isinstance(table, ChainTable) else None


def operators_of(query: Query) -> frozenset[str]:
    """Names of the operators of the query's kernels."""
    return kernel_operators(query.network, ExecutionTraits.of(query.target))


def observe(data: LatencyDataset, unit_ms: float) -> Observations:
    """What a data set says of kernels.

    Args:
        data: rows, with kernel timings where there are some.
        unit_ms: time that counts as one. In this unit, logarithms are rounded to a billionth: data in seconds give the
            same model as data in milliseconds, to the last bit.
    """
    table = tabulate(data.queries)
    kernel_time, latency = (
        np.exp(np.round(np.log(times / unit_ms), 9)) for times in (_labels(data, table), data.latency_ms)
    )
    return Observations(table=table, kernel_time=kernel_time, latency=latency)


def call_time(seen: Observations, mine: NDArray[np.bool_]) -> float:
    """What a run takes besides its kernels: the smallest single kernel's latency, less a smallest kernel among many.

    A runtime's profile spreads this over the kernels, by their shares of the latency.

    Args:
        seen: rows of all targets.
        mine: bool (n,), the rows of one target.

    Returns:
        Zero where there are too few graphs of a single kernel, or too few kernels in large graphs, to tell.
    """
    counts = np.bincount(seen.rows, minlength=len(seen.latency))
    single = seen.latency[mine & (counts == _SINGLE)]
    inside = seen.kernel_time[np.isfinite(seen.kernel_time) & (mine & (counts >= _MANY))[seen.rows]]
    if min(len(single), len(inside)) < _FEWEST:
        return 0.0
    return max(0.0, float(np.quantile(single, _SMALLEST) - np.quantile(inside, _SMALLEST)))


def without_call(seen: Observations, call: FloatArray) -> FloatArray:
    """Kernel times without their part of the call, whose own time is put in its place, float64 (K,).

    Args:
        seen: n rows.
        call: float64 (n,), what a run takes besides its kernels; zero where that is unknown.
    """
    rest = np.clip(1 - call / seen.latency, _LEAST_REST, 1.0)
    labels = seen.kernel_time * rest[seen.rows]
    timed = np.bincount(seen.rows, weights=np.isfinite(labels), minlength=len(seen.latency)) > 0
    replaced = (seen.table.kinds == CLASSES.index("call")) & (timed & (call > 0))[seen.rows]
    return np.asarray(np.where(replaced, np.minimum(call, seen.latency * (1 - _LEAST_REST))[seen.rows], labels))


def _labels(data: LatencyDataset, table: KernelTable) -> FloatArray:
    labels = np.full(len(table), np.nan)
    starts = np.searchsorted(table.graph, np.arange(len(data) + 1))
    for row, query in enumerate(data.queries):
        times = data.kernel_ms[row] if data.kernel_ms is not None else None
        timings = data.kernels[row] if data.kernels is not None and data.kernel_ms is None else None
        if timings:
            times = attribute_timings(query.graph, timings, ExecutionTraits.of(query.target))
        if times is not None:
            labels[starts[row] : starts[row + 1]] = times
    labels[~(labels > 0)] = np.nan
    return labels

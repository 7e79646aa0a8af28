"""Data sets as kernels: which kernels each row has, and what was measured of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictors.base import FloatArray, LatencyDataset, Query
from predictors.features.kernels import KernelTable, attribute_timings, kernel_table, stack_tables

__all__ = ["Observations", "observe", "tabulate"]


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
    """The kernels of all queries' graphs; `graph` is the query."""
    return stack_tables([kernel_table(query.graph) for query in queries])


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


def _labels(data: LatencyDataset, table: KernelTable) -> FloatArray:
    labels = np.full(len(table), np.nan)
    starts = np.searchsorted(table.graph, np.arange(len(data) + 1))
    for row, query in enumerate(data.queries):
        timings = data.kernels[row] if data.kernels is not None else None
        if timings:
            labels[starts[row] : starts[row + 1]] = attribute_timings(query.graph, timings)
    labels[~(labels > 0)] = np.nan
    return labels

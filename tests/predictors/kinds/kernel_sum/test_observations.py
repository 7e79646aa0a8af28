"""Rows become kernels with their times, and what a call takes is told from them."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from predictors.base import LatencyDataset
from predictors.features.kernels import CLASSES
from predictors.kinds.kernel_sum.observations import Observations, call_time, observe, tabulate, without_call
from predictors.testing import DEVICES, measure, random_graph

CALL = CLASSES.index("call")


def data(count: int = 4) -> LatencyDataset:
    rng = np.random.default_rng(0)
    return measure([random_graph(rng) for _ in range(count)], DEVICES[:1], rng)


def synthetic(singles: int = 30, large: int = 2, call: float = 0.5) -> Observations:
    """Graphs of one kernel that takes 1, and large ones of thirty such; each run takes the call besides."""
    table = tabulate(data(1).queries)
    counts = [*[2] * singles, *[31] * large]
    rows = np.repeat(np.arange(len(counts)), counts)
    picked = np.zeros(len(rows), dtype=int)
    starts = np.searchsorted(rows, np.arange(len(counts)))
    kinds = np.full(len(rows), CLASSES.index("gemm"))
    kinds[starts] = CALL
    times = np.ones(len(rows))
    times[starts] = np.nan
    everything = replace(
        table,
        kinds=kinds,
        operators=("MatMul",) * len(rows),
        values=table.values[picked],
        repeats=np.ones(len(rows)),
        known=np.ones(len(rows), dtype=bool),
        graph=rows,
    )
    return Observations(table=everything, kernel_time=times, latency=np.array(counts) - 1 + call)


def test_times_are_in_the_unit_and_nan_where_there_are_none() -> None:
    rows = data()
    seen = observe(rows, unit_ms=2.0)
    assert_allclose(seen.latency, rows.latency_ms / 2)
    assert np.isfinite(seen.kernel_time).any()
    assert np.isnan(observe(replace(rows, kernels=None), 1.0).kernel_time).all()
    assert_array_equal(np.unique(seen.rows), np.arange(len(rows)))


def test_the_call_is_what_single_kernels_take_more() -> None:
    seen = synthetic()
    assert call_time(seen, np.ones(32, dtype=bool)) == pytest.approx(0.5)


@pytest.mark.parametrize("few", [{"singles": 5}, {"large": 0}])
def test_too_few_graphs_tell_no_call(few: dict[str, int]) -> None:
    seen = synthetic(**few)
    assert call_time(seen, np.ones(len(seen.latency), dtype=bool)) == 0.0


def test_the_calls_time_is_taken_out_of_the_kernels_and_put_in_its_place() -> None:
    seen = synthetic()
    times = without_call(seen, np.full(32, 0.5))
    calls = seen.table.kinds == CALL
    assert_allclose(times[calls], 0.5)
    assert_allclose(times[~calls][:30], 1 - 0.5 / 1.5)
    assert_array_equal(without_call(seen, np.zeros(32)), seen.kernel_time)

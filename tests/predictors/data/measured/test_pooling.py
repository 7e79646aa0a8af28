"""Several measurements of one graph are taken together: the less disturbed ones speak."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from latcast.schema import KernelTiming
from predictors.data.measured import MeasuredRow, pooled_rows


def measured(ms: float, **fields: object) -> MeasuredRow:
    timing = KernelTiming(operator="Conv", share=0.5, time_ms=ms / 2)
    plain = MeasuredRow(
        space="kernels", text="x", graph="g", target="t", method="quick", latency_ms=ms, kernels=(timing,),
        noise_log=0.02, sentinel_ms=1.0,
    )  # fmt: skip
    return replace(plain, **fields)  # type: ignore[arg-type]


def pooled(*rows: MeasuredRow) -> MeasuredRow:
    (result,) = pooled_rows(rows)
    return result


def usual(row: MeasuredRow) -> float:
    assert row.latency_ms is not None
    return row.latency_ms / row.slowness


def test_a_single_measurement_stays_as_it_is() -> None:
    row = measured(3.0)
    result = pooled(row)
    assert result.latency_ms == pytest.approx(3.0)
    assert result.noise_log == pytest.approx(0.02)
    assert result.kernels is not None
    assert result.kernels[0].time_ms == pytest.approx(1.5)


def test_the_lower_half_counts() -> None:
    assert usual(pooled(measured(1.1), measured(1.0))) == pytest.approx(1.0)
    assert usual(pooled(measured(1.04), measured(3.0), measured(1.0))) == pytest.approx(1.04**0.5)


def test_more_measurements_are_less_noisy() -> None:
    result = pooled(measured(1.0), measured(1.04))
    assert result.noise_log == pytest.approx(0.02 / 2**0.5)


def test_kernels_are_scaled_to_the_latency() -> None:
    result = pooled(measured(1.0), measured(1.04), measured(1.5))
    assert result.kernels is not None
    assert result.latency_ms is not None
    assert result.kernels[0].time_ms == pytest.approx(result.latency_ms / 2)
    assert result.kernels[0].share == 0.5


def test_kernels_are_taken_from_one_that_told_them() -> None:
    rows = [measured(1.0, kernels=None, noise_log=0.01), measured(1.02), measured(2.0)]
    result = pooled(*rows)
    assert result.kernels == (replace(result.kernels[0], time_ms=pytest.approx(result.latency_ms / 2)),)  # type: ignore[index,operator]


def test_noisy_measurements_count_only_where_there_is_no_other() -> None:
    assert usual(pooled(measured(1.0), measured(2.0, noisy=True))) == pytest.approx(1.0)
    assert usual(pooled(measured(1.0, noisy=True), measured(1.1, noisy=True))) == pytest.approx(1.0)


def test_measurements_of_slow_hours_weigh_less() -> None:
    steady, slow, slower = measured(1.0), measured(1.1 * 1.2, slowness=1.1), measured(5.0)
    assert 1.0 < usual(pooled(steady, slow, slower)) < 1.2**0.4


def test_measurements_without_a_sentinel_weigh_less() -> None:
    assert 1.0 < usual(pooled(measured(1.0), measured(1.2, sentinel_ms=None), measured(5.0))) < 1.2**0.3


def test_graphs_and_targets_are_kept_apart_in_order() -> None:
    rows = [measured(1.0, graph="b"), measured(2.0, target="u"), measured(3.0, graph="b", target="u"), measured(4.0)]
    assert_allclose([usual(row) for row in pooled_rows([*rows, *rows])], [1.0, 2.0, 3.0, 4.0])


def test_failures_and_stale_rows_are_left_out() -> None:
    assert pooled_rows([measured(1.0, stale=True), measured(1.0, latency_ms=None)]) == []


@given(st.lists(st.floats(0.5, 2.0), min_size=1, max_size=6), st.randoms())
def test_within_what_was_measured_and_whatever_the_order(values: list[float], random: object) -> None:
    rows = [measured(value) for value in values]
    result = usual(pooled(*rows))
    assert min(values) * (1 - 1e-9) <= result <= max(values) * (1 + 1e-9)
    random.shuffle(rows)  # type: ignore[attr-defined]
    assert usual(pooled(*rows)) == pytest.approx(result)


@given(st.floats(0.01, 100.0))
def test_units_do_not_matter(unit: float) -> None:
    values = (1.0, 1.1, 1.5)
    scaled = usual(pooled(*(measured(unit * value) for value in values)))
    assert np.isclose(scaled, unit * usual(pooled(*(measured(value) for value in values))))

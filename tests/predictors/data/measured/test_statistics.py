"""Figures of a measured data set follow from its rows."""

import pytest

from latcast.schema import KernelTiming
from predictors.data.measured import statistics as figures
from tests.predictors.data.measured.rows import ONE, ROWS, TWO, row


def test_counts_of_targets() -> None:
    first, second = figures.count_targets(ROWS)
    assert (first.networks_careful, first.networks_quick, first.kernels) == (1, 1, 1)
    assert (first.again, first.noisy, first.failed, first.stale) == (1, 1, 0, 0)
    assert (second.networks_quick, second.failed, second.stale) == (1, 1, 1)
    assert first.difference == pytest.approx(0.1 / 1.05)
    assert second.difference is None


def test_counts_of_families_are_of_graphs_and_kernels_come_last() -> None:
    assert figures.count_families(ROWS) == {
        "zoo/plain": {ONE.id: 2, TWO.id: 1},
        "kernels": {ONE.id: 1},
    }


def test_latency_bins_hold_every_row_with_a_latency() -> None:
    histogram = figures.latency_histogram([row(1), row(2), row(2), row(90)])
    assert list(histogram) == ["1 ms", "2.2 ms", "4.6 ms", "10 ms", "22 ms", "46 ms"]
    assert list(histogram.values()) == [3, 0, 0, 0, 0, 1]
    assert figures.latency_histogram([]) == {}


def test_dispersion_bins() -> None:
    histogram = figures.dispersion_histogram([row(1), row(2, iqr_ms=4.0), row(3, iqr_ms=0.0)])
    assert {name: count for name, count in histogram.items() if count} == {"0%–1%": 1, "2%–5%": 1, "100%–": 1}


def test_kernel_shares_are_means_over_networks() -> None:
    kernels = (
        KernelTiming(operator="Conv", share=0.75, time_ms=1.0),
        KernelTiming(operator="Relu", share=0.25, time_ms=1.0),
    )
    alone = (KernelTiming(operator="Conv", share=1.0, time_ms=1.0),)
    rows = [row(1, kernels=kernels), row(2, kernels=alone), row(3, space="kernels", kernels=alone), row(4)]
    assert figures.kernel_shares(rows) == pytest.approx({"Conv": 0.875, "Relu": 0.125})


def test_repeats_leave_noisy_rows_out() -> None:
    (quick,) = figures.repeats([*ROWS, row(6), row(6, repeat=1, latency_ms=60.0, noisy=True)])
    assert (quick.method, quick.pairs) == ("quick", 1)
    assert quick.p50 == pytest.approx(0.1 / 1.05)


def test_repeatability_is_stated_at_baseline_speed() -> None:
    rows = [row(2, latency_ms=2.0), row(2, repeat=1, latency_ms=3.0, slowness=1.5)]
    assert figures.repeatability(rows, "quick") == [0.0]
    assert figures.repeatability(rows, "careful") == []


def test_spread_has_quantiles_and_extremes() -> None:
    spread = figures.spread(float(value) for value in range(101))
    assert (spread.lowest, spread.p5, spread.p50, spread.p95, spread.highest) == (0.0, 5.0, 50.0, 95.0, 100.0)

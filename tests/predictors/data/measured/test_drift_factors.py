"""Rows measured while the machine was slow or quick are told at its baseline speed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from latcast.schema import Environment, KernelTiming
from predictors.data.measured import MeasuredRow, pack, read_measured, read_rows
from predictors.data.measured.drift_factors import at_baseline_speed, with_drift_factors
from tests.predictors.data.measured.campaigns import GEMM, campaign, row

HOUR = 3600.0


def measured(sentinel_ms: float | None, at: float | None, *, target: str = "t", ms: float = 1.0) -> MeasuredRow:
    timing = KernelTiming(operator="Conv", share=0.5, time_ms=ms / 2)
    return MeasuredRow(
        space="kernels", text="x", graph=str(at), target=target, method="quick", latency_ms=ms, kernels=(timing,),
        sentinel_ms=sentinel_ms, time_unix_s=at,
    )  # fmt: skip


def test_the_factor_is_the_sentinel_of_the_minute_over_that_of_all_rows_of_the_target() -> None:
    quick, usual, slow = (
        [measured(ms, hour * HOUR + at) for at in range(9)] for hour, ms in ((0, 1.8), (1, 2), (2, 3))
    )
    other = [measured(7.0, HOUR, target="other")]
    result = [one.slowness for one in with_drift_factors([*quick, *usual, *slow, *other])]
    assert_allclose(result, [0.9] * 9 + [1.0] * 9 + [1.5] * 9 + [1.0])


def test_single_readings_of_the_sentinel_are_smoothed() -> None:
    rng = np.random.default_rng(0)
    noisy = [measured(2 * 1.1 ** rng.standard_normal(), float(at)) for at in range(60)]
    result = np.array([one.slowness for one in with_drift_factors(noisy)])
    assert np.abs(np.log(result)).max() < 0.25 * np.abs(np.log([one.sentinel_ms / 2 for one in noisy])).max()  # type: ignore[operator]


def test_where_no_sentinel_ran_rows_stay_as_they_are() -> None:
    rows = [measured(None, 1.0), measured(5.0, None), measured(2.0, 1.0)]
    assert [one.slowness for one in with_drift_factors(rows)] == [1.0, 1.0, 1.0]


def hours(effect: float, *, seed: int = 0) -> list[MeasuredRow]:
    """300 graphs, each in two of three hours; in the last one large ones take longer, and the sentinel does not."""
    rng = np.random.default_rng(seed)
    rows = []
    for graph in range(300):
        ms = float(np.exp(rng.normal(0, 2)))
        for hour in rng.choice(3, 2, replace=False):
            slower = np.exp(effect * (1 + np.log(ms) / 2)) if hour == 2 else 1.0
            noise = float(np.exp(rng.normal(0, 0.02)))
            one = measured(2.0, HOUR * hour + graph * 0.1, ms=ms * slower * noise)
            rows.append(replace(one, graph=str(graph), repeat=int(hour)))
    return rows


def test_repeated_graphs_reveal_drift_that_the_sentinel_misses() -> None:
    rows = hours(0.1)
    logs = np.log([row.latency_ms or 0.0 for row in rows])
    slow = np.log([row.slowness for row in with_drift_factors(rows)])
    last = np.array([row.repeat == 2 for row in rows])
    size = np.corrcoef(logs[last], slow[last])[0, 1]
    assert size > 0.9  # large networks are slowed down more
    pairs = {graph: [i for i, row in enumerate(rows) if row.graph == graph] for graph in {row.graph for row in rows}}
    before, after = (np.median([abs(y[i] - y[j]) for i, j in pairs.values()]) for y in (logs, logs - slow))
    assert after < 0.5 * before


def test_where_hours_are_alike_nothing_is_put_right() -> None:
    assert np.abs(np.log([row.slowness for row in with_drift_factors(hours(0.0))])).max() < 0.02


def test_graphs_measured_once_do_not_enter_the_factor() -> None:
    rows = [replace(measured(2.0, HOUR * hour, ms=3.0**hour), graph=str(hour)) for hour in range(5)]
    assert_allclose([row.slowness for row in with_drift_factors(rows)], 1.0)


def test_latency_and_kernels_at_baseline_speed() -> None:
    slow = with_drift_factors([*(measured(2.0, float(at)) for at in range(3)), measured(3.0, HOUR, ms=6.0)])[-1]
    latency, kernels = at_baseline_speed(slow)
    assert latency == pytest.approx(4.0)
    assert kernels is not None
    assert kernels[0].time_ms == pytest.approx(2.0)
    assert kernels[0].share == 0.5
    assert at_baseline_speed(measured(None, None, ms=6.0))[0] == 6.0


def test_readers_of_a_data_set_get_the_baseline_speed_and_rows_what_was_measured(tmp_path: Path) -> None:
    rows = [
        row(text, ms=(2.0 * slow,), before=Environment(time_unix_s=HOUR * slow), sentinel_ms=(slow, slow))
        for text, slow in (("conv/in=8,out=8,size=8,kernel=3,stride=1,groups=1,activation=relu", 1.0), (GEMM, 3.0))
    ]
    pack([campaign(tmp_path / "log", *rows)], tmp_path / "data")
    assert_allclose(read_measured(tmp_path / "data").latency_ms, [4.0, 4.0])
    assert [one.latency_ms for one in read_rows(tmp_path / "data")] == [2.0, 6.0]
    assert [one.slowness for one in read_rows(tmp_path / "data")] == [0.5, 1.5]

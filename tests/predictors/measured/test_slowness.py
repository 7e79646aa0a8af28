"""Rows measured while the machine was slow or quick are told at its usual speed."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from predictors.measured import MeasuredRow, pack, read_measured, read_rows
from predictors.measured.slowness import at_usual_speed, with_slowness
from profilers.schema import Environment, KernelTiming
from tests.predictors.measured.test_roundtrip import GEMM, campaign, row

HOUR = 3600.0


def measured(sentinel_ms: float | None, at: float | None, *, target: str = "t", ms: float = 1.0) -> MeasuredRow:
    timing = KernelTiming(operator="Conv", share=0.5, time_ms=ms / 2)
    return MeasuredRow(
        space="kernels", text="x", graph="g", target=target, method="quick", latency_ms=ms, kernels=(timing,),
        sentinel_ms=sentinel_ms, time_unix_s=at,
    )  # fmt: skip


def test_slowness_is_the_sentinel_of_the_minute_over_that_of_all_rows_of_the_target() -> None:
    quick, usual, slow = (
        [measured(ms, hour * HOUR + at) for at in range(9)] for hour, ms in ((0, 1.8), (1, 2), (2, 3))
    )
    other = [measured(7.0, HOUR, target="other")]
    found = [one.slowness for one in with_slowness([*quick, *usual, *slow, *other])]
    assert_allclose(found, [0.9] * 9 + [1.0] * 9 + [1.5] * 9 + [1.0])


def test_single_readings_are_not_believed() -> None:
    rng = np.random.default_rng(0)
    noisy = [measured(2 * 1.1 ** rng.standard_normal(), float(at)) for at in range(60)]
    found = np.array([one.slowness for one in with_slowness(noisy)])
    assert np.abs(np.log(found)).max() < 0.25 * np.abs(np.log([one.sentinel_ms / 2 for one in noisy])).max()  # type: ignore[operator]


def test_where_no_sentinel_ran_rows_stay_as_they_are() -> None:
    rows = [measured(None, 1.0), measured(5.0, None), measured(2.0, 1.0)]
    assert [one.slowness for one in with_slowness(rows)] == [1.0, 1.0, 1.0]


def test_latency_and_kernels_at_the_usual_speed() -> None:
    slow = with_slowness([*(measured(2.0, float(at)) for at in range(3)), measured(3.0, HOUR, ms=6.0)])[-1]
    latency, kernels = at_usual_speed(slow)
    assert latency == pytest.approx(4.0)
    assert kernels is not None
    assert kernels[0].time_ms == pytest.approx(2.0)
    assert kernels[0].share == 0.5
    assert at_usual_speed(measured(None, None, ms=6.0))[0] == 6.0


def test_readers_of_a_data_set_get_the_usual_speed_and_rows_what_was_measured(tmp_path: Path) -> None:
    rows = [
        row(text, ms=(2.0 * slow,), before=Environment(time_unix_s=HOUR * slow), sentinel_ms=(slow, slow))
        for text, slow in (("conv/in=8,out=8,size=8,kernel=3,stride=1,groups=1,activation=relu", 1.0), (GEMM, 3.0))
    ]
    pack([campaign(tmp_path / "log", *rows)], tmp_path / "data")
    assert_allclose(read_measured(tmp_path / "data").latency_ms, [4.0, 4.0])
    assert [one.latency_ms for one in read_rows(tmp_path / "data")] == [2.0, 6.0]
    assert [one.slowness for one in read_rows(tmp_path / "data")] == [0.5, 1.5]

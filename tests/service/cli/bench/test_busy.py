"""The service at work beside the service at rest: medians, and what metrics say of results."""

import pytest

from service.cli.bench.busy import _compared, _read
from service.cli.bench.load import Load


def load(per_second: float, p99_ms: float) -> Load:
    return Load(
        calls=10, seconds=10 / per_second, p50_ms=1.0, p99_ms=p99_ms, answer_bytes=1, p99_served_ms=p99_ms**2 / 10
    )


def test_medians_are_compared() -> None:
    busy = _compared(16, [load(10, 8), load(30, 2), load(20, 6)], [load(50, 3), load(40, 4), load(60, 1)])
    assert (busy.callers, busy.p99_ms, busy.quiet_p99_ms, busy.p99_ratio) == (16, 6, 3, 2.0)
    assert (busy.p99_served_ms, busy.quiet_p99_served_ms, busy.p99_served_ratio) == pytest.approx((3.6, 0.9, 4.0))
    assert (busy.calls_per_second, busy.quiet_calls_per_second) == (pytest.approx(20), pytest.approx(50))


def test_results_and_refusals_are_read_off_metrics() -> None:
    counts = (("/jobs/{job_id}/result", 200, 12), ("/jobs/{job_id}/result", 503, 3), ("/jobs/lease", 200, 20),
              ("/jobs/lease", 204, 40), ("/jobs/lease", 401, 1), ("/predict", 200, 99), ("/jobs", 422, 7))  # fmt: skip
    lines = [
        f'latcast_calls_total{{method="POST",route="{route}",status="{status}"}} {count:.1f}'
        for route, status, count in counts
    ]
    said = _read("\n".join(["a 1.0", *lines, "b 2.0"]))
    assert (said.results, said.refused) == (12.0, 4.0)
    assert _read("a 1.0") == type(said)(0.0, 0.0)

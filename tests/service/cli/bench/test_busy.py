"""The service at work beside the service at rest: medians, and what metrics say of results."""

import pytest

from service.cli.bench.busy import RESULTS, _compared
from service.cli.bench.load import Load


def load(per_second: float, p99_ms: float) -> Load:
    return Load(calls=10, seconds=10 / per_second, p50_ms=1.0, p99_ms=p99_ms, answer_bytes=1)


def test_medians_are_compared() -> None:
    busy = _compared(16, [load(10, 8), load(30, 2), load(20, 6)], [load(50, 3), load(40, 4), load(60, 1)])
    assert (busy.callers, busy.p99_ms, busy.quiet_p99_ms, busy.p99_ratio) == (16, 6, 3, 2.0)
    assert (busy.calls_per_second, busy.quiet_calls_per_second) == (pytest.approx(20), pytest.approx(50))


def test_results_are_read_off_metrics() -> None:
    said = 'a 1.0\nlatcast_calls_total{method="POST",route="/jobs/{job_id}/result",status="200"} 12.0\nb 2.0\n'
    found = RESULTS.search(said)
    assert found is not None
    assert float(found[1]) == 12.0
    assert RESULTS.search(said.replace("200", "409")) is None

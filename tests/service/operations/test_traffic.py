"""Frequent calls are counted by route and key, and told in one line each."""

import pytest
import structlog
from structlog.testing import capture_logs

from service.operations.traffic import Traffic, is_frequent


@pytest.mark.parametrize(
    ("route", "well"),
    [
        ("/predict", {200}),
        ("/jobs/lease", {200, 204}),
        ("/jobs/{job_id}/result", {200}),
        ("/jobs/{job_id}/heartbeat", {200}),
        ("/jobs/{job_id}/failure", set()),
        ("/targets", set()),
    ],
)
def test_forecasts_and_what_agents_do_are_frequent_unless_something_went_wrong(route: str, well: set[int]) -> None:
    assert {status for status in (200, 204, 401, 409, 413, 422, 429, 500, 503) if is_frequent(route, status)} == well


def test_counts_are_told_once() -> None:
    structlog.reset_defaults()
    traffic = Traffic()
    for caller in ("a", "b", "a", None):
        traffic.count("/predict", caller)
    with capture_logs() as lines:
        assert traffic.tell() is False
        traffic.tell()
    told = {line["caller"]: line["calls"] for line in lines}
    assert (told, len(lines)) == ({"a": 2, "b": 1, None: 1}, 3)

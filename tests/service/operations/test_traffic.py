"""Frequent calls are counted by route and key, and told in one line each."""

import structlog
from structlog.testing import capture_logs

from service.operations.traffic import Traffic, is_frequent


def test_forecasts_and_empty_waits_are_frequent_unless_something_went_wrong() -> None:
    assert is_frequent("/predict", 200)
    assert is_frequent("/jobs/lease", 204)
    assert not is_frequent("/predict", 422)
    assert not is_frequent("/jobs/lease", 200)
    assert not is_frequent("/targets", 200)


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

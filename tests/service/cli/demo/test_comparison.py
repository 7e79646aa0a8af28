"""The figures of `latcast demo`."""

from dataclasses import replace

import pytest

from latcast.schema import Environment, Measurement
from service.cli.demo.comparison import Named, compared, figures
from tests.service.helpers import measurement


def answer(latency_ms: float) -> dict[str, object]:
    return {"latency_ms": latency_ms, "interval_ms": [latency_ms * 0.9, latency_ms * 1.1]}


def measured_at(graph: str, ms: float, *, time_unix_s: float, sentinel_ms: float | None) -> Measurement:
    plain = measurement(graph, ms=ms / 1.05, sentinel_ms=() if sentinel_ms is None else (sentinel_ms,))
    return replace(plain, before=Environment(time_unix_s=time_unix_s))


def test_measurements_of_a_slower_hour_are_stated_at_the_speed_of_adaptation():
    graphs = [Named(name=name) for name in "abcd"]
    answers = [(graph, answer(float(place + 1))) for place, graph in enumerate(graphs)]
    measured = {
        "a": measured_at("a", 1.5, time_unix_s=10.0, sentinel_ms=0.15),
        "b": measured_at("b", 3.0, time_unix_s=20.0, sentinel_ms=0.15),
        "c": measured_at("c", 3.0, time_unix_s=90.0, sentinel_ms=0.1),
    }
    found = compared(answers, measured, baseline_ms=0.1)
    assert [one.name for one in found] == ["a", "b", "c"]
    assert [one.measured_ms for one in found] == pytest.approx([1.0, 2.0, 3.0])
    assert [one.slowness for one in found] == pytest.approx([1.5, 1.5, 1.0])
    result = figures(found, measure_s=1.0, forecast_s=0.1)
    assert result["median_ape"] == pytest.approx(0.0)
    assert result["host_drift"] == pytest.approx(0.5)
    assert result["coverage_90"] == 1
    assert result["graphs"][0]["slowness"] == pytest.approx(1.5)


def test_without_a_sentinel_measurements_stay_as_they_are():
    measured = {"a": measured_at("a", 1.5, time_unix_s=0.0, sentinel_ms=None)}
    (found,) = compared([(Named(name="a"), answer(1.0))], measured, baseline_ms=None)
    assert (found.measured_ms, found.slowness, found.error) == pytest.approx((1.5, 1.0, -1 / 3))

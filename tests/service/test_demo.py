"""The figures of `latcast demo`."""

import pytest

from service.demo import Named, compared, figures


def answer(latency_ms: float) -> dict[str, object]:
    return {"latency_ms": latency_ms, "interval_ms": [latency_ms * 0.9, latency_ms * 1.1]}


def test_measurements_of_a_slower_hour_are_stated_at_the_speed_of_adaptation():
    graphs = [Named(name=name) for name in "abcd"]
    answers = [(graph, answer(float(place + 1))) for place, graph in enumerate(graphs)]
    measured = {"a": (1.5, 0.15), "b": (3.0, 0.15), "c": (3.0, 0.1)}
    found = compared(answers, measured, usual_ms=0.1)
    assert [one.name for one in found] == ["a", "b", "c"]
    assert [one.measured_ms for one in found] == pytest.approx([1.0, 2.0, 3.0])
    assert [one.slowness for one in found] == pytest.approx([1.5, 1.5, 1.0])
    result = figures(found, measure_s=1.0, forecast_s=0.1)
    assert result["median_ape"] == pytest.approx(0.0)
    assert result["host_drift"] == pytest.approx(0.5)
    assert result["coverage_90"] == 1
    assert result["graphs"][0]["slowness"] == pytest.approx(1.5)


def test_without_a_sentinel_measurements_stay_as_they_are():
    (found,) = compared([(Named(name="a"), answer(1.0))], {"a": (1.5, None)}, usual_ms=None)
    assert (found.measured_ms, found.slowness, found.error) == (1.5, 1.0, pytest.approx(-1 / 3))

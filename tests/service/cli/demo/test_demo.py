"""What `latcast demo` says of the machine, of the adaptation and of the comparison."""

from typing import Any

import pytest

from service.cli.demo import demo
from service.cli.demo.comparison import Comparison
from service.cli.tables import output
from tests.service.cli.doubles import FakeClient

LONG = "nasbench201 |nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|"
FIGURES = {"median_ape": 0.05, "within_10": 0.8, "within_20": 1.0, "spearman": 0.99, "coverage_90": 0.9,
           "measure_s": 60.0, "forecast_s": 0.5}  # fmt: skip


@pytest.fixture(autouse=True)
def _fresh_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "out", output())
    monkeypatch.setattr("service.cli.progress.POLL_SECONDS", 0.0)


def test_the_machine_is_described(capsys: pytest.CaptureFixture[str]) -> None:
    demo.show_machine()
    text = capsys.readouterr().out
    for label in ("This machine", "processor", "memory", "GiB", "caches", "counters: "):
        assert label in text


def test_an_adaptation_is_told_with_the_error_of_networks_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    result = {"support": 9, "adapt_ms": 400.0, "support_loo_median_ape": 0.08, "sentinel_ms": 0.1}
    job = {"id": "j", "state": "done", "children": {}, "result": result, "reasons": []}
    client: Any = FakeClient(adapt=[{"id": "j"}], job=[job])
    assert demo.adapt_to(client, "t", samples=10, sampler="random") == 0.1
    text = " ".join(capsys.readouterr().out.split())
    assert "Measured 9 graphs" in text
    assert "adapted in 400 ms; median error 8.0% on each when it is left out." in text


def test_forecasts_stand_beside_measurements(capsys: pytest.CaptureFixture[str]) -> None:
    comparisons = [
        Comparison(name=LONG, measured_ms=2.0, forecast_ms=2.1, interval_ms=(1.9, 2.3)),
        Comparison(name="light x[0]", measured_ms=1.0, forecast_ms=1.5, interval_ms=(1.2, 1.8)),
    ]
    demo.show(comparisons, {**FIGURES, "host_drift": 0.1})
    lines = capsys.readouterr().out.splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith("graph"))
    assert lines[start + 1].split() == ["light", "x[0]", "1.5", "1.2", "–", "1.8", "1", "+50.0%", "*"]
    assert lines[start + 2].startswith("nasbench201 |nor…")
    assert lines[start + 2].split()[-1] == "+5.0%"
    assert any("10% slower" in line for line in lines)
    assert lines[-1].endswith("120 times faster")


@pytest.mark.parametrize(("drift", "told"), [(0.02, False), (-0.05, True)])
def test_a_small_drift_is_not_mentioned(drift: float, told: bool, capsys: pytest.CaptureFixture[str]) -> None:
    comparison = Comparison(name="x", measured_ms=2.0, forecast_ms=2.1, interval_ms=(1.9, 2.3))
    demo.show([comparison], {**FIGURES, "host_drift": drift})
    assert ("faster meanwhile" in " ".join(capsys.readouterr().out.split())) is told


def test_the_dashboard_is_named_and_kept_where_that_is_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    demo.show_dashboard("http://127.0.0.1:1", "t", keep=False)
    assert "--keep" in capsys.readouterr().out

    def interrupted(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo.time, "sleep", interrupted)
    demo.show_dashboard("http://127.0.0.1:1", "t", keep=True)
    assert "http://127.0.0.1:1/ui/#/targets/t/quality" in "".join(capsys.readouterr().out.split())

"""`latcast bench serve`: the forms of calls, ratios in pairs, and a short run of it all."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from latcast.schema import InputError, UnknownNameError
from service.cli.bench.load import Load
from service.cli.bench.serve import MEASURED, Form, _cells, _fill, _forms, _print, _result, bench_serve
from service.db.session import Database
from service.db.tables import Target


def load(per_second: float, p99_ms: float) -> Load:
    return Load(calls=10, seconds=10 / per_second, p50_ms=1.0, p99_ms=p99_ms, answer_bytes=1, p99_served_ms=p99_ms)


def test_ratios_are_medians_of_pairs() -> None:
    form = Form(name="list", callers=2, bodies=[b"{}"], forecasts=1000)
    pairs = [(load(100, 8), load(200, 4)), (load(10, 9), load(40, 3)), (load(30, 5), load(40, 5))]
    result = _result(form, pairs)
    assert (result.throughput_ratio, result.p99_ratio) == (pytest.approx(0.5), 2.0)
    assert (result.calls_per_second, result.forecasts_per_second) == (pytest.approx(30), pytest.approx(30_000))
    assert result.calls == 30


@pytest.mark.slow
def test_what_is_asked_for_was_not_measured() -> None:
    measured = {cell.text for cell in _cells()[:MEASURED]}
    for form in _forms([f"t{index}" for index in range(10)], "own", ["single", "list of 1,000", "ten targets"]):
        asked = [item["text"] for body in form.bodies for item in json.loads(body)["items"]]
        assert not measured & set(asked)
        assert len(asked) == form.forecasts * len(form.bodies)
    with pytest.raises(UnknownNameError, match="single"):
        _forms(["t"], "own", ["double"])


def test_the_table_fits_a_narrow_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    row: dict[str, Any] = {
        "form": "list of 1,000", "callers": 16, "forecasts_per_second": 123456.0, "p50_ms": 1234.5, "p99_ms": 12345.6,
        "throughput_ratio": 0.45, "p99_ratio": 34.8,
    }  # fmt: skip
    _print(
        {
            "results": [row],
            "rounds": 3,
            "seconds": 3.0,
            "memory_bytes": {
                "before": {"serving": 2**28, "all": 2**29},
                "after": {"serving": 2**29, "all": 2**30},
            },
            "predictor_forecasts_per_second": 345678.0,
            "busy": {
                "agents": 16,
                "offered_per_second": 64.0,
                "results_per_second_alone": 63.0,
                "results_per_second": 60.0,
                "refused_calls": 1,
                "results": [
                    {
                        "callers": 1,
                        "calls_per_second": 100.0,
                        "quiet_calls_per_second": 200.0,
                        "p99_ms": 3.0,
                        "quiet_p99_ms": 2.0,
                        "p99_ratio": 1.5,
                        "p99_served_ms": 2.4,
                        "quiet_p99_served_ms": 2.0,
                        "p99_served_ratio": 1.2,
                    }
                ],
            },
        }
    )
    said = capsys.readouterr().out
    assert "123,456" in said
    assert "345,678 forecasts/s" in said
    assert "1.5 ×" in " ".join(said.split())
    assert "without the callers' own waits for a core 2.40 instead of 2.00, 1.2 ×" in " ".join(said.split())
    assert "offer 64 results/s, report 63 beside an adaptation, and 60 while" in " ".join(said.split())
    assert "1 call of theirs refused" in " ".join(said.split())
    assert "Memory of the process that answers: 256 MiB before, 512 MiB after." in said
    assert "Memory of the service with its workers: 512 MiB before, 1,024 MiB after." in said


@pytest.mark.slow
def test_a_database_that_is_somebodys_is_not_filled(database: Database, database_url: str, tmp_path: Path) -> None:
    with database.write.begin() as session:
        session.add(Target(id="t", backend="b", record={}))
    with pytest.raises(InputError, match="name one that is empty"):
        _fill(tmp_path, database_url)


@pytest.mark.slow
def test_a_short_run(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(bench_serve)
    out = tmp_path / "speed.json"
    arguments = [
        "--seconds",
        "0.2",
        "--rounds",
        "1",
        "--form",
        "single",
        "--form",
        "new ONNX",
        "--agents",
        "2",
        "--json",
        str(out),
    ]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    report = json.loads(out.read_text())
    assert [(each["form"], each["callers"]) for each in report["results"]] == [
        ("single", 1),
        ("single", 16),
        ("new ONNX", 1),
    ]
    assert all(each["calls"] > 0 and each["throughput_ratio"] > 0 for each in report["results"])
    assert report["busy"]["results_per_second"] > 0
    assert report["busy"]["results_per_second_alone"] > 0
    assert (report["busy"]["offered_per_second"], report["busy"]["refused_calls"]) == (8.0, 0)
    assert [each["callers"] for each in report["busy"]["results"]] == [1, 16]
    assert report["predictor_forecasts_per_second"] > 0
    held = report["memory_bytes"]
    assert all(2**26 < each["serving"] < each["all"] for each in held.values())

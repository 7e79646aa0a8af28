"""`latcast check`: the verdict is on the interval's upper end, and is the exit code."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner, Result

from service.cli.main import app
from tests.service.cli.doubles import LISTED, FakeClient

FORECAST = {"latency_ms": 15.0, "interval_ms": [12.0, 19.0], "source": "predicted", "coverage": 1.0, "adapted": True}
TABLE = {**FORECAST, "interval_ms": None, "source": "measured"}
ERROR = {"error": {"detail": "Nobody [knows] it."}}


def check(client: FakeClient, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    monkeypatch.setattr("service.cli.forecast.check.open_client", lambda *_: client)
    return CliRunner().invoke(app, ["check", "--graph", *arguments])


def test_a_network_within_the_limit_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    client = FakeClient(predict=[[FORECAST]])
    done = check(client, monkeypatch, "g1-x", "--limit-ms", "20", "--probability", "0.9")
    assert done.exit_code == 0
    assert "g1-x 15.000 19.000 predicted pass" in " ".join(done.stdout.split())
    assert client.asked[-1][2]["level"] == pytest.approx(0.8)


def test_the_upper_end_decides_and_not_the_median(monkeypatch: pytest.MonkeyPatch) -> None:
    done = check(FakeClient(predict=[[FORECAST]]), monkeypatch, "g1-x", "--limit-ms", "18")
    assert done.exit_code == 1
    assert "up to 19.000 ms with a probability of 0.9 (predicted 15.000 ms), above the limit" in done.stderr
    client = FakeClient(predict=[[FORECAST]])
    assert check(client, monkeypatch, "g1-x", "--limit-ms", "18", "--probability", "0.5").exit_code == 0


def test_a_table_is_judged_by_its_value_and_a_forecast_without_interval_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check(FakeClient(predict=[[TABLE]]), monkeypatch, "g1-x", "--limit-ms", "16").exit_code == 0
    done = check(FakeClient(predict=[[{**TABLE, "source": "predicted"}]]), monkeypatch, "g1-x", "--limit-ms", "16")
    assert done.exit_code == 1
    assert "latcast adapt" in done.stderr
    done = check(FakeClient(predict=[[TABLE]]), monkeypatch, "g1-x", "--limit-ms", "14")
    assert "g1-x: It takes 15.000 ms, as measured, above the limit of 14.000 ms." in done.stderr


def test_verdicts_are_written_as_json_and_junit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    client = FakeClient(predict=[[FORECAST, ERROR]])
    xml = tmp_path / "out.xml"
    done = check(client, monkeypatch, "a", "b", "--limit-ms", "20", "--json", "-", "--junit", str(xml))
    assert done.exit_code == 1
    document = json.loads(done.stdout)
    assert (document["target"], document["limit_ms"]) == (LISTED["id"], 20)
    assert [(one["network"], one["passed"], one["bound_ms"]) for one in document["items"]] == [
        ("a", True, 19.0), ("b", False, None)
    ]  # fmt: skip
    suite = ElementTree.parse(xml).getroot()  # noqa: S314 - our own
    assert (suite.get("failures"), suite.get("errors")) == ("0", "1")


def test_the_limit_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    done = check(FakeClient(), monkeypatch, "g1-x")
    assert done.exit_code == 2
    assert "--limit-ms" in done.stderr

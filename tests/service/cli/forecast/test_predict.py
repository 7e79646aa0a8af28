"""`latcast predict`: a row for each network, errors beside them, and JSON."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from latcast import item
from service.cli.main import app
from tests.service.cli.doubles import LISTED, FakeClient

TEXT = "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|"
FORECAST = {"latency_ms": 3.2012, "interval_ms": [2.9, 3.5], "source": "predicted", "coverage": 0.985, "adapted": True}
MEASURED = {"latency_ms": 1.5, "interval_ms": None, "source": "measured", "coverage": 1.0, "adapted": True}
ERROR = {"error": {"detail": "Nobody [knows] it."}}


def predict(client: FakeClient, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    monkeypatch.setattr("service.cli.forecast.predict.open_client", lambda *_: client)
    return CliRunner().invoke(app, ["predict", *arguments])


def test_each_network_has_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    unadapted = {**FORECAST, "adapted": False}
    client = FakeClient(predict=[[FORECAST, MEASURED, unadapted]])
    done = predict(client, monkeypatch, "--space", "nasbench201", TEXT, "b", "c", "--level", "0.8")
    assert done.exit_code == 0
    words = " ".join(done.stdout.split())
    assert f"bench · {LISTED['label']}" in words
    for row in ("3.201 2.900 – 3.500 98% predicted", "1.500 no claim 100% measured", "predicted, not adapted"):
        assert row in words
    assert "80 % interval" in words
    assert TEXT in done.stdout.replace("\n", "")
    assert client.asked[-1] == (
        "predict", (LISTED["id"], [item(space="nasbench201", text=text) for text in (TEXT, "b", "c")]), {"level": 0.8}
    )  # fmt: skip


def test_an_error_spoils_no_other_row_and_ends_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    done = predict(FakeClient(predict=[[ERROR, MEASURED]]), monkeypatch, "--graph", "g1-[x]", "g1-y")
    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1] == "latcast: g1-[x]: Nobody [knows] it."
    assert "g1-[x]" in done.stdout
    assert "1.500" in done.stdout


def test_json_names_each_network_beside_the_answer_as_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    done = predict(FakeClient(predict=[[FORECAST]]), monkeypatch, "--graph", "g1-x", "--json", "-")
    assert json.loads(done.stdout) == {"target": LISTED["id"], "level": 0.9, "items": [{"network": "g1-x", **FORECAST}]}


def test_several_sizes_give_a_curve_with_throughput(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    Path("m.onnx").write_bytes(b"model")
    client = FakeClient(predict=[[{**FORECAST, "latency_ms": 0.05, "interval_ms": [0.04, 0.5]}, FORECAST]])
    done = predict(client, monkeypatch, "m.onnx", "--dim", "batch=1,8", "--dim", "seq=16", "--json", "o.json")
    assert done.exit_code == 0, done.output
    rows = [line.split() for line in done.stdout.splitlines() if "m.onnx" in line]
    assert rows[0][1:] == ["1", "50", "µs", "40", "–", "500", "µs", "20,000", "98%", "predicted"]
    assert rows[1][1:] == ["8", "3.201", "2.900", "–", "3.500", "2,499", "98%", "predicted"]
    assert "batch/s" in done.stdout
    items = json.loads(Path("o.json").read_text())["items"]
    assert [item["dims"] for item in items] == [{"batch": 1, "seq": 16}, {"batch": 8, "seq": 16}]
    assert [sent["dims"]["batch"] for sent in client.asked[-1][1][1]] == [1, 8]


def test_networks_come_from_a_list(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("a\nb\n")
    done = predict(
        FakeClient(predict=[[FORECAST, MEASURED]]), monkeypatch, "--space", "zoo", "--file", str(tmp_path / "texts.txt")
    )
    assert [line.split()[0] for line in done.stdout.splitlines()[-2:]] == ["a", "b"]


def test_a_malformed_line_of_a_manifest_has_a_row_and_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "manifest.jsonl"
    path.write_text('{"graph": "g1-x", "name": "first"}\n{"graph": g1-y}\n{"graph": "g1-z", "name": "third"}\n')
    client = FakeClient(predict=[[FORECAST, MEASURED]])
    done = predict(client, monkeypatch, "--file", str(path), "--json", str(tmp_path / "o.json"))
    assert done.exit_code == 1
    assert client.asked[-1][1][1] == [item(graph="g1-x"), item(graph="g1-z")]
    items = json.loads((tmp_path / "o.json").read_text())["items"]
    assert [one["network"] for one in items] == ["first", f"{path} line 2", "third"]
    assert [one.get("latency_ms") for one in items] == [3.2012, None, 1.5]
    assert done.stderr.splitlines() == [f"latcast: {path} line 2: {items[1]['error']['detail']}"]
    assert "no JSON object such as" in done.stderr
    assert f"{path} line 2" in " ".join(done.stdout.split())

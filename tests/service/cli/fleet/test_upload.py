"""`latcast upload`: hashes of what was stored."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from service.cli.main import app
from tests.service.helpers import World, model


@pytest.fixture
def served(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("service.cli.fleet.upload.open_client", lambda *_: world.client_with(None))
    return world


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["upload", *arguments])


def test_hashes_are_printed_by_which_graphs_can_be_asked_for(served: World, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(model(batch="n"))
    items = json.loads(run(str(path), "--dim", "n=1,2", "--json", "-").stdout)
    assert [one["dims"] for one in items] == [{"n": 1}, {"n": 2}]
    assert len({one["hash"] for one in items}) == 2
    assert served.client.graph(items[0]["hash"])["nodes"] == items[0]["nodes"]
    assert items[0]["hash"] in run(str(path), "--dim", "n=1").stdout


def test_one_that_cannot_be_read_is_named_and_ends_with_1(served: World, tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"no")
    (tmp_path / "good.onnx").write_bytes(model())
    done = run(str(tmp_path / "bad.onnx"), str(tmp_path / "good.onnx"))
    assert done.exit_code == 1
    assert "bad.onnx: These bytes are not" in done.stderr
    assert "g1-" in done.stdout

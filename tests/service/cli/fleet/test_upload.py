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


def test_hashes_are_printed_by_which_graphs_can_be_asked_for(
    served: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
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


def test_a_network_is_a_line_at_80_columns_and_its_hash_is_whole_in_a_pipe(
    served: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [tmp_path / f"network-{width}.onnx" for width in (3, 4, 5)]
    for width, path in enumerate(files, start=3):
        path.write_bytes(model(width))
    monkeypatch.chdir(tmp_path)
    arguments = [path.name for path in files]
    whole = [item["hash"] for item in json.loads(run(*arguments, "--json", "-").stdout)]
    monkeypatch.setenv("COLUMNS", "80")
    lines = run(*arguments).stdout.splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [
        [path.name, graph[:13]] for path, graph in zip(files, whole, strict=True)
    ]
    assert max(map(len, lines)) <= 80
    monkeypatch.delenv("COLUMNS")
    assert [line.split()[1] for line in run(*arguments).stdout.splitlines()[1:]] == whole
    assert served.client.graph(lines[1].split()[1])["hash"] == whole[0]

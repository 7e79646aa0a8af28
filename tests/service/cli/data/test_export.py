"""`latcast export`: a target's measurements in a file of the format that its ending says."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from service.cli.main import app
from tests.service.helpers import World


@pytest.fixture
def served(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("service.cli.data.export.open_client", lambda *_: world.client_with(None))
    world.measure(world.agent(), ms=2.5)
    return world


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["export", *arguments])


def test_measurements_are_written(served: World, tmp_path: Path) -> None:
    done = run(str(tmp_path / "m.csv"))
    assert done.exit_code == 0, done.output
    assert "Wrote 1 measurement of" in done.stderr
    assert "2.5" in (tmp_path / "m.csv").read_text()
    run(str(tmp_path / "m.PARQUET"))
    assert (tmp_path / "m.PARQUET").read_bytes()[:4] == b"PAR1"


def test_an_ending_that_says_no_format_is_refused(served: World, tmp_path: Path) -> None:
    assert "'m.xlsx' says no format: let it end in .csv or .parquet" in str(run(str(tmp_path / "m.xlsx")).exception)


def test_what_was_written_can_be_had_as_json(served: World, tmp_path: Path) -> None:
    done = run(str(tmp_path / "m.csv"), "--json", "-")
    written = json.loads(done.stdout)
    assert (written["file"], written["format"], written["measurements"]) == (str(tmp_path / "m.csv"), "csv", 1)
    assert written["bytes"] == (tmp_path / "m.csv").stat().st_size

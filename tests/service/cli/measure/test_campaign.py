"""`latcast campaign` and `latcast dataset` at work, on the fake backend."""

import itertools
import json
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

import profilers.campaign
from latcast.schema import ProfileSettings
from predictors.data.measured import DATASHEET_FILE, read_measured, read_rows
from service.cli.main import app

run = CliRunner().invoke
FAKE = tuple(ProfileSettings(backend="fake", options={"latency_us": text}) for text in ("50", "60"))


@pytest.fixture(autouse=True)
def _fake_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two targets that take turns after a few steps, and a clock that a look at it moves on by a second."""
    monkeypatch.setattr("profilers.targets.local_targets", lambda: FAKE)
    monkeypatch.setattr("profilers.campaign.turns.TURN_STEPS", 4)
    looks = map(float, itertools.count())
    counted = partial(profilers.campaign.run_campaign, clock=lambda: next(looks))
    monkeypatch.setattr("profilers.campaign.run_campaign", counted)
    monkeypatch.setenv("COLUMNS", "120")


def campaign(folder: Path, *more: str, hours: str = "0.01") -> str:
    result = run(app, ["campaign", "--hours", hours, "--out", str(folder), "--only", "kernels/unary",
                       "--no-microbench", *more])  # fmt: skip
    assert result.exit_code == 0, result.output
    return result.output


def test_measure_pack_and_draw(tmp_path: Path) -> None:
    assert "new rows" in campaign(tmp_path)
    counted = json.loads(
        run(app, ["campaign", "--hours", "0", "--out", str(tmp_path), "--dry-run", "--json", "-"]).stdout
    )
    assert [target["described"] for target in counted["targets"]] == [False, False]
    assert counted["networks_to_come"] == 0
    packed = run(app, ["dataset", "pack", str(tmp_path), "--licence", "CC-BY-4.0"])
    assert packed.exit_code == 0, packed.output
    rows = read_rows(tmp_path)
    assert f"{len(rows):,} rows" in packed.output
    assert "CC-BY-4.0" in (tmp_path / DATASHEET_FILE).read_text()
    assert {query.target.options["latency_us"] for query in read_measured(tmp_path).queries} == {"50", "60"}

    drawn = run(app, ["dataset", "stats", str(tmp_path), "--svg", str(tmp_path / "figures")])
    assert drawn.exit_code == 0, drawn.output
    assert "fake 1 fp32 1 thread" in drawn.output
    assert "kernels" in drawn.output
    assert "█" in drawn.output
    figures = {path.name: path.read_text() for path in (tmp_path / "figures").iterdir()}
    assert len(figures) == 3
    assert all(text.startswith("<svg") for text in figures.values())


def test_a_dry_run_measures_nothing(tmp_path: Path) -> None:
    output = campaign(tmp_path, "--dry-run", "--targets", "latency_us=60", hours="1")
    assert "latency_us=60" in output
    assert "latency_us=50" not in output
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--targets", "abacus"], "No target of this machine"), (["--only", "zebra/*"], "No family fits")],
)
def test_what_cannot_be_measured_is_said(tmp_path: Path, arguments: list[str], message: str) -> None:
    result = run(app, ["campaign", "--hours", "0.001", "--out", str(tmp_path), *arguments])
    assert result.exit_code != 0
    assert message in str(result.exception)

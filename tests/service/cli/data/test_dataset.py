"""`latcast dataset stats`: rows by target and family, and histograms."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

pytest.importorskip("pyarrow", reason="the extra [service] is not installed")

from predictors.data.measured import ROWS_FILE, TARGETS_FILE, MeasuredRow, MeasuredTarget
from predictors.data.measured.records import About
from predictors.data.measured.storage import write_rows, write_targets
from service.cli.main import app
from tests.service.helpers import DEVICE, TARGET


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [
        MeasuredRow(space="zoo", text=f"{family}/{number}", graph=f"{family}{number}", target=TARGET.id, method="quick",
                    latency_ms=float(number + 1), p10_ms=1.0, p90_ms=2.0, iqr_ms=0.1, samples=10, processes=1)
        for family in ("mobile", "boxes")
        for number in range(3)
    ]  # fmt: skip
    write_rows(tmp_path / ROWS_FILE, rows)
    write_targets(tmp_path / TARGETS_FILE, [MeasuredTarget(target=TARGET, device=DEVICE)], About())
    return tmp_path


def test_rows_are_counted_by_target_and_family(folder: Path) -> None:
    done = CliRunner().invoke(app, ["dataset", "stats", str(folder)], catch_exceptions=False)
    assert done.exit_code == 0
    rows = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert f"{TARGET.label} 0 6 0 0 – 0 0" in rows
    assert "zoo/mobile 3 1 3" in rows
    assert any("█" in row for row in rows)


def test_figures_are_drawn_beside(folder: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["dataset", "stats", str(folder), "--svg", str(tmp_path / "svg")])
    assert done.exit_code == 0
    figures = list((tmp_path / "svg").iterdir())
    assert "latency.svg" in [figure.name for figure in figures]
    assert all("<svg" in figure.read_text() for figure in figures)

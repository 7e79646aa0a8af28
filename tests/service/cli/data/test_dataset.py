"""`latcast dataset stats`: rows by target and family, and histograms."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

pytest.importorskip("pyarrow", reason="the extra [service] is not installed")

from latcast.schema import Device, InputError, KernelTiming, LatcastError, Target
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


@pytest.mark.parametrize(
    ("name", "first", "second"), [("pi", "desk: ", "pi: "), ("desk", "desk (00000000): ", "desk (11111111): ")]
)
def test_targets_of_several_machines_are_told_apart(tmp_path: Path, name: str, first: str, second: str) -> None:
    devices = [replace(DEVICE, fingerprint=one * 32, name=given) for one, given in (("0", "desk"), ("1", name))]
    machines = [replace(TARGET, device=device.fingerprint) for device in devices]
    rows = [MeasuredRow(space="zoo", text="mobile/0", graph="g", target=one.id, method="quick", latency_ms=1.0)
            for one in machines]  # fmt: skip
    write_rows(tmp_path / ROWS_FILE, rows)
    write_targets(tmp_path / TARGETS_FILE, list(map(described, machines, devices)), About())
    done = CliRunner(env={"COLUMNS": "100"}).invoke(app, ["dataset", "stats", str(tmp_path)], catch_exceptions=False)
    for machine in (first, second):
        assert f"\n{machine}{TARGET.label} " in done.stdout


def described(target: Target, device: Device) -> MeasuredTarget:
    return MeasuredTarget(target=target, device=device)


def test_figures_are_drawn_beside(folder: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["dataset", "stats", str(folder), "--svg", str(tmp_path / "svg")])
    assert done.exit_code == 0
    figures = list((tmp_path / "svg").iterdir())
    assert "latency.svg" in [figure.name for figure in figures]
    assert all("<svg" in figure.read_text() for figure in figures)


def test_bars_are_as_long_as_their_figures(folder: Path) -> None:
    shares = {"FusedConv": 0.75, "Relu": 0.25}
    kernels = tuple(KernelTiming(operator=name, share=share, time_ms=share) for name, share in shares.items())
    row = MeasuredRow(space="zoo", text="mobile/0", graph="g", target=TARGET.id, method="careful", latency_ms=1.0,
                      kernels=kernels)  # fmt: skip
    write_rows(folder / ROWS_FILE, [row])
    lines = CliRunner().invoke(app, ["dataset", "stats", str(folder)], env={"COLUMNS": "80"}).stdout.splitlines()
    drawn = {line.split()[0]: (line.count("█"), line.split()[-1]) for line in lines if "█" in line}
    assert drawn["FusedConv"] == (40, "75.0%")
    assert drawn["Relu"] == (13, "25.0%")


def test_a_folder_without_a_data_set_or_a_campaign_is_said(tmp_path: Path) -> None:
    with pytest.raises(LatcastError, match="dataset pack"):
        CliRunner().invoke(app, ["dataset", "stats", str(tmp_path)], catch_exceptions=False)
    with pytest.raises(InputError, match="campaign"):
        CliRunner().invoke(app, ["dataset", "pack", str(tmp_path)], catch_exceptions=False)


def test_figures_can_be_had_as_json(folder: Path) -> None:
    done = CliRunner().invoke(app, ["dataset", "stats", str(folder), "--json", "-"], catch_exceptions=False)
    figures = json.loads(done.stdout)
    (counts,) = figures["targets"]
    assert (counts["target"], counts["networks_quick"], counts["difference"]) == (TARGET.id, 6, None)
    assert figures["families"] == {"zoo/mobile": {TARGET.id: 3}, "zoo/boxes": {TARGET.id: 3}}
    assert sum(figures["latencies"].values()) == 6

"""Packing keeps every field of a campaign's log, counts repetitions, and marks rows that are stale."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pyarrow", reason="the extra [service] is not installed")

from latcast.schema import Environment, Failure, InputError
from predictors.data.measured import DATASHEET_FILE, pack, read_about, read_measured, read_rows, read_targets
from predictors.data.measured.records import MeasuredRow
from profilers.campaign import Check
from tests.predictors.data.measured.campaigns import CONV, DEVICE, GEMM, ONE, TWO, campaign, row


def test_every_field_survives(tmp_path: Path) -> None:
    state = Environment(time_unix_s=1e9, load_1m=0.5, steal_share=0.01)
    measured = row(ms=(1.0, 1.1), before=state, sentinel_ms=(2.0, 2.05))
    (result,) = pack([campaign(tmp_path / "log", measured)], tmp_path / "data")
    (reread,) = read_rows(tmp_path / "data")
    assert replace(reread, kernels=result.kernels) == result
    summary = measured.measurement.summary
    assert summary is not None
    assert (result.latency_ms, result.p10_ms, result.iqr_ms) == (summary.median_ms, summary.p10_ms, summary.iqr_ms)
    assert (result.method, result.processes, result.samples, result.peak_memory_bytes) == ("careful", 2, 6, 1000)
    assert result.sentinel_drift == pytest.approx(0.025)
    assert (result.time_unix_s, result.load_1m, result.steal_share) == (1e9, 0.5, 0.01)
    assert result.counters == {"page-faults": 2.0}
    assert result.architecture == measured.architecture


def test_failures_are_rows_without_latency(tmp_path: Path) -> None:
    failed = replace(row().measurement, runs=(), failure=Failure(stage="timeout", message="Too slow."))
    pack([campaign(tmp_path / "log", replace(row(), measurement=failed), row(GEMM))], tmp_path / "data")
    result, _ = read_rows(tmp_path / "data")
    assert (result.latency_ms, result.noise_log, result.failure_stage) == (None, None, "timeout")
    assert result.failure_message == "Too slow."


def test_a_campaign_without_a_latency_is_nothing_to_pack(tmp_path: Path) -> None:
    failed = replace(row().measurement, runs=(), failure=Failure(stage="timeout", message="Too slow."))
    with pytest.raises(InputError, match="nothing to pack"):
        pack([campaign(tmp_path / "log", replace(row(), measurement=failed))], tmp_path / "data")


def test_a_graph_that_changed_is_kept_as_stale(tmp_path: Path) -> None:
    pack([campaign(tmp_path / "log", row(graph="0" * 64), row(GEMM))], tmp_path / "data")
    assert [result.stale for result in read_rows(tmp_path / "data")] == [True, False]


def test_verdicts_are_taken_over_until_rechecked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack([campaign(tmp_path / "log", row())], tmp_path / "data")
    monkeypatch.setattr("predictors.data.measured.packing._built_hash", lambda _: "another")
    assert not pack([tmp_path / "log"], tmp_path / "data")[0].stale
    assert pack([tmp_path / "log"], tmp_path / "data", recheck=True)[0].stale


def test_repetitions_are_counted_over_campaigns(tmp_path: Path) -> None:
    drifted = Check(target=ONE.id, before_ms=1.0, after_ms=2.0, graphs=(row().measurement.graph,))
    log = campaign(tmp_path / "log", row(ms=(1.0,)), row(ms=(2.0,)), drifted, row(GEMM))
    rows = pack([log, campaign(tmp_path / "later", row(ms=(3.0,)))], tmp_path / "data")
    assert [(r.repeat, r.latency_ms, r.noisy) for r in rows if r.graph == row().measurement.graph] == [
        (0, 1.0, True), (1, 2.0, True), (2, 3.0, False)
    ]  # fmt: skip


def test_quick_rows_take_their_noise_from_repetitions(tmp_path: Path) -> None:
    texts = [f"gemm/rows={2 + i}" for i in range(20)]
    twice = [row(text, ms=(ms,)) for text in texts for ms in (1.0, 1.1)]
    rows = pack(
        [campaign(tmp_path / "log", *twice, row(CONV, target=TWO), row(CONV, ms=(1.0, 1.2)))], tmp_path / "data"
    )
    difference = 0.1 / 1.05
    assert np.allclose([r.noise_log for r in rows[:-2]], difference / 0.954, rtol=1e-3)
    assert rows[-2].noise_log == 0.02
    assert rows[-1].noise_log == pytest.approx(0.2 / 1.1 / 2)


def test_notes_and_licence_go_into_the_datasheet(tmp_path: Path) -> None:
    log = campaign(tmp_path / "log", row())
    (log / "notes.md").write_text("The fan was loud.\n\nSo was the street.\n", encoding="utf-8")
    pack([log], tmp_path / "data", licence="CC0-1.0")
    about = read_about(tmp_path / "data")
    assert (about.licence, about.notes) == ("CC0-1.0", ("The fan was loud.", "So was the street."))
    text = (tmp_path / "data" / DATASHEET_FILE).read_text(encoding="utf-8")
    assert "- The fan was loud." in text
    assert "Licence: CC0-1.0" in text


def test_a_folder_without_a_campaign_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        pack([tmp_path / "nothing"], tmp_path / "data")


def test_campaigns_of_several_machines_become_one_data_set(tmp_path: Path) -> None:
    device = replace(DEVICE, fingerprint="e" * 32, name="other", processor="Q")
    other = replace(ONE, device=device.fingerprint)
    first = campaign(tmp_path / "first", row(ms=(1.0,)), row(GEMM, ms=(3.0,)))
    second = campaign(tmp_path / "second", row(target=other, ms=(2.0,)), targets=[other], device=device)
    rows = pack([first, second], tmp_path / "data")
    assert [(found.target, found.repeat, found.latency_ms) for found in rows] == [
        (ONE.id, 0, 1.0), (ONE.id, 0, 3.0), (other.id, 0, 2.0)
    ]  # fmt: skip
    assert {found.target.id: found.device for found in read_targets(tmp_path / "data")}[other.id] == device
    data = read_measured(tmp_path / "data")
    assert [query.target.device for query in data.queries] == [ONE.device, ONE.device, other.device]
    sheet = (tmp_path / "data" / DATASHEET_FILE).read_text()
    assert "of 2 machines" in sheet
    assert [sheet.count(f"- Machine {number}: ") for number in (1, 2, 3)] == [1, 1, 0]
    assert [sheet.count(f"| {ONE.label}, machine {number} |") for number in (1, 2)] == [1, 1]


def test_a_data_set_whose_log_is_elsewhere_is_added_to(tmp_path: Path) -> None:
    device = replace(DEVICE, fingerprint="e" * 32, name="other", processor="Q")
    other = replace(ONE, device=device.fingerprint)
    first = campaign(tmp_path / "first", row(ms=(1.0,)), row(ms=(1.2,)), row(GEMM, ms=(3.0, 3.1)))
    (first / "notes.md").write_text("The fan was loud.\n", encoding="utf-8")
    second = campaign(tmp_path / "second", row(target=other, ms=(2.0,)), row(ms=(1.1,)), targets=[other], device=device)
    (second / "notes.md").write_text("So was the street.\n", encoding="utf-8")
    at_once = pack([first, second], tmp_path / "at_once", licence="CC0-1.0")
    pack([first], tmp_path / "data", licence="CC0-1.0")
    added = pack([tmp_path / "data", second], tmp_path / "data")
    assert [without_times(one) for one in added] == [without_times(one) for one in at_once]
    assert [one.repeat for one in added if one.graph == at_once[0].graph and one.target == ONE.id] == [0, 1, 2]
    assert read_about(tmp_path / "data") == read_about(tmp_path / "at_once")
    assert {one.target.id for one in read_targets(tmp_path / "data")} == {ONE.id, TWO.id, other.id}
    assert (tmp_path / "data" / DATASHEET_FILE).read_text() == (tmp_path / "at_once" / DATASHEET_FILE).read_text()


def without_times(one: MeasuredRow) -> MeasuredRow:
    """The row with its kernels' times as the file has them: they follow from share and latency."""
    assert one.latency_ms is not None
    assert one.kernels is not None
    kernels = tuple(replace(kernel, time_ms=kernel.share * one.latency_ms) for kernel in one.kernels)
    return replace(one, kernels=kernels)

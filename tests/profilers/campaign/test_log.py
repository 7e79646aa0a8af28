"""The log: what is written is read again, whatever tears it."""

import json
from pathlib import Path

import pytest

from latcast.schema import Architecture, InputError, Measurement, ProcessRun, ProfileSettings, Target
from profilers.campaign import LOG_FILE, CampaignLog, Check, Row, read_log, read_rows

TARGET = Target(device="d", backend="fake")


def row(number: int, *, processes: int = 1) -> Row:
    return Row(
        architecture=Architecture(space="zoo", text=f"plain/depth={number}"),
        measurement=Measurement(
            graph=f"{number:064x}",
            target=TARGET,
            settings=ProfileSettings(backend="fake", processes=processes),
            runs=(ProcessRun(samples_ms=(1.0 * number, 2.0 * number)),),
        ),
    )


def check(before_ms: float, after_ms: float, *numbers: int) -> Check:
    graphs = tuple(f"{number:064x}" for number in numbers)
    return Check(target=TARGET.id, before_ms=before_ms, after_ms=after_ms, graphs=graphs)


def write(folder: Path, *entries: Row | Check) -> None:
    with CampaignLog(folder) as log:
        for entry in entries:
            log.append(entry)


def test_what_is_appended_is_read(tmp_path: Path) -> None:
    write(tmp_path, row(1), check(1.0, 1.01, 1))
    write(tmp_path, row(2))
    assert list(read_log(tmp_path)) == [row(1), check(1.0, 1.01, 1), row(2)]


def test_runs_may_be_left_out(tmp_path: Path) -> None:
    write(tmp_path, row(1))
    (found,) = read_log(tmp_path, runs=False)
    assert isinstance(found, Row)
    assert found.measurement.graph == row(1).measurement.graph
    assert found.measurement.runs == ()


@pytest.mark.parametrize("kept", [1, 10, 200])
def test_a_torn_line_is_left_out_and_then_cut_off(tmp_path: Path, kept: int) -> None:
    write(tmp_path, row(1), row(2))
    path = tmp_path / LOG_FILE
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[1][:kept])
    assert list(read_log(tmp_path)) == [row(1)]
    write(tmp_path, row(3))
    assert list(read_log(tmp_path)) == [row(1), row(3)]


def test_rows_between_two_readings_that_differ_are_noisy(tmp_path: Path) -> None:
    write(tmp_path, row(1), row(2), check(1.0, 1.04, 1, 2), row(3), check(1.0, 1.06, 3), row(4))
    rows = [(r.architecture.text[-1], r.measurement.noisy, r.measurement.sentinel_ms) for r in read_rows(tmp_path)]
    assert rows == [("1", False, (1.0, 1.04)), ("2", False, (1.0, 1.04)), ("3", True, (1.0, 1.06)), ("4", False, ())]


def test_rows_that_a_killed_process_left_are_not_covered_by_a_later_reading(tmp_path: Path) -> None:
    write(tmp_path, row(1), row(2), check(1.0, 1.5, 2))
    assert [r.measurement.noisy for r in read_rows(tmp_path)] == [False, True]


def test_careful_rows_have_their_own_readings(tmp_path: Path) -> None:
    write(tmp_path, row(1), row(2, processes=2), check(1.0, 1.5, 1, 2))
    assert {r.architecture.text[-1]: r.measurement.noisy for r in read_rows(tmp_path)} == {"1": True, "2": False}


@pytest.mark.parametrize(
    "line", ["7", "{}", '{"rows":{}}', '{"row":{}}', "not json", json.dumps({"row": 1, "check": 2})]
)
def test_a_foreign_line_is_named(tmp_path: Path, line: str) -> None:
    write(tmp_path, row(1))
    with (tmp_path / LOG_FILE).open("a") as file:
        file.write(line + "\n")
    with pytest.raises(InputError, match="line 2 is not an entry"):
        list(read_log(tmp_path))


def test_a_folder_without_a_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="folder of a campaign"):
        list(read_log(tmp_path))

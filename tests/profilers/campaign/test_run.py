"""Campaigns as a whole, with the fake backend: balance, resumption after kill -9, repetition after drift."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import ClassVar

import pytest

from latcast.schema import Measurement, ProcessRun, ProfileSettings
from profilers.campaign import Check, Note, Recipe, Report, Row, read_log, read_rows, run_campaign, steps, tallies
from profilers.campaign import run as module
from profilers.campaign.run import OnReport

RECIPE = Recipe(only=("kernels/gemm", "kernels/unary"))
ONE = ProfileSettings(backend="fake", options={"latency_us": "50"})
TWO = ProfileSettings(backend="fake", options={"latency_us": "60"})

SCRIPT = """
import sys
from pathlib import Path
from typing import ClassVar
from profilers.campaign import Recipe, run_campaign
from latcast.schema import ProfileSettings
target = ProfileSettings(backend="fake", options={"latency_us": "50"})
run_campaign(Path(sys.argv[1]), [target], Recipe(only=("kernels/gemm", "kernels/unary")), seconds=60, describe=False)
"""


class Instant:
    """Stands in for the process: measures in no time, and its sentinel reads what it is given."""

    readings: ClassVar[list[float]] = []
    seconds_each = 1.0
    now = 0.0

    def __init__(self, device: object, settings: ProfileSettings) -> None:
        self._settings = settings

    def __enter__(self) -> "Instant":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def measure(self, architecture: object) -> Measurement:
        from profilers.backends.target_settings import target_for
        from profilers.host.device import describe_device

        Instant.now += self.seconds_each
        return Measurement(
            graph=f"{abs(hash(architecture)):064x}"[:64],
            target=target_for(describe_device(), self._settings),
            settings=self._settings,
            runs=(ProcessRun(samples_ms=(1.0,)),),
        )

    def sentinel_ms(self) -> float:
        return self.readings.pop(0) if self.readings else 1.0


@pytest.fixture
def instant(monkeypatch: pytest.MonkeyPatch) -> type[Instant]:
    Instant.now, Instant.readings = 0.0, []
    monkeypatch.setattr(module, "MeasuringProcess", Instant)
    return Instant


def measure(folder: Path, seconds: float, *targets: ProfileSettings) -> int:
    return run_campaign(folder, targets or (ONE,), RECIPE, seconds=seconds, describe=False, clock=lambda: Instant.now)


def test_all_targets_have_the_same_graphs_when_the_time_is_over(tmp_path: Path, instant: type[Instant]) -> None:
    assert measure(tmp_path, 180, ONE, TWO) == 180
    graphs = {settings.options["latency_us"]: [] for settings in (ONE, TWO)}
    for row in read_rows(tmp_path):
        graphs[row.measurement.target.options["latency_us"]].append(row.architecture)
    assert graphs["50"] == graphs["60"]
    assert [tally.kernels for tally in tallies(tmp_path, [ONE, TWO])] == [86, 86]


def test_going_on_measures_what_is_missing_and_nothing_twice(tmp_path: Path, instant: type[Instant]) -> None:
    assert [measure(tmp_path, seconds) for seconds in (7, 30, 25)] == [7, 30, 25]
    expected = [step.architecture for step in islice(steps(RECIPE), 62)]
    assert Counter(row.architecture for row in read_rows(tmp_path)) == Counter(expected)


def test_a_target_that_came_later_catches_up(tmp_path: Path, instant: type[Instant]) -> None:
    measure(tmp_path, 90, ONE)
    measure(tmp_path, 90, ONE, TWO)
    counts = Counter(row.measurement.target.options["latency_us"] for row in read_rows(tmp_path))
    assert counts == {"50": 135, "60": 45}


def test_rows_are_measured_again_when_the_sentinel_drifted(tmp_path: Path, instant: type[Instant]) -> None:
    instant.readings = [1.0, 1.2, 1.2]
    measure(tmp_path, 30)
    checks = [entry for entry in read_log(tmp_path) if isinstance(entry, Check)]
    assert [check.drifted for check in checks] == [True, False, True]
    rows = read_rows(tmp_path)
    assert [row.architecture for row in rows[:10]] == [row.architecture for row in rows[10:20]]
    assert [row.measurement.noisy for row in rows] == [True] * 10 + [False] * 10 + [True] * 10


def test_again_measures_what_is_there_once_more_the_least_measured_first(
    tmp_path: Path, instant: type[Instant]
) -> None:
    measure(tmp_path, 60)
    first = Counter(row.architecture for row in read_rows(tmp_path))
    for seconds, most in ((40, 2), (50, 3)):
        assert measure_again(tmp_path, RECIPE, seconds) == seconds
        counts = Counter(row.architecture for row in read_rows(tmp_path))
        assert set(counts) == set(first)
        assert max(counts.values()) <= most
    assert min(counts.values()) == 2


def test_again_begins_with_what_a_steady_machine_never_measured(tmp_path: Path, instant: type[Instant]) -> None:
    instant.readings = [1.0, 1.2, 1.0]  # the first ten drift, and drift once more
    measure(tmp_path, 50)
    noisy = {row.architecture for row in read_rows(tmp_path) if row.measurement.noisy}
    assert len(noisy) == 10
    measure_again(tmp_path, RECIPE, 10)
    assert {row.architecture for row in read_rows(tmp_path)[50:]} == noisy


def test_again_measures_the_families_that_are_asked_for(tmp_path: Path, instant: type[Instant]) -> None:
    measure(tmp_path, 30)
    measure_again(tmp_path, Recipe(only=("kernels/unary",)), 20)
    families = [row.architecture.text.partition("/")[0] for row in read_rows(tmp_path)[30:]]
    assert families == ["unary"] * 20


def test_again_says_so_where_nothing_was_measured(tmp_path: Path, instant: type[Instant]) -> None:
    told: list[Report] = []
    assert measure_again(tmp_path, RECIPE, 20, on_report=told.append) == 0
    assert "kernels/gemm" in told[-1].message


def measure_again(folder: Path, recipe: Recipe, seconds: float, on_report: OnReport | None = None) -> int:
    return run_campaign(
        folder, [ONE], recipe, seconds=seconds, again=True, describe=False, on_report=on_report,
        clock=lambda: Instant.now,
    )  # fmt: skip


def test_each_target_is_noted_with_the_software(tmp_path: Path, instant: type[Instant]) -> None:
    measure(tmp_path, 5)
    measure(tmp_path, 5)
    notes = [entry for entry in read_log(tmp_path) if isinstance(entry, Note)]
    assert len(notes) == 1
    assert notes[0].microbench is None
    assert "python" in notes[0].versions


def test_whoever_watches_is_told(tmp_path: Path, instant: type[Instant]) -> None:
    told: list[Report] = []
    run_campaign(tmp_path, [ONE], RECIPE, seconds=20, describe=False, on_report=told.append, clock=lambda: Instant.now)
    shares = [report.share for report in told]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(0.95)
    assert told[-1].rows == 19


def test_a_target_that_cannot_measure_is_left_out(tmp_path: Path) -> None:
    broken = ProfileSettings(backend="fake", options={"fault": "error"})
    told: list[Report] = []
    assert run_campaign(tmp_path, [broken], RECIPE, seconds=30, describe=False, on_report=told.append) == 0
    assert "left out" in told[-1].message


@pytest.mark.slow
def test_careful_networks_run_in_sandboxes(tmp_path: Path) -> None:
    recipe = Recipe(only=("zoo/recommender",), careful_share=1.0)
    told: list[Report] = []
    clock = iter(range(1000))
    run_campaign(
        tmp_path, [ONE], recipe, seconds=8, describe=False, on_report=told.append, clock=lambda: float(next(clock))
    )
    rows = read_rows(tmp_path)
    assert rows
    assert all(len(row.measurement.runs) == 2 and len(row.measurement.sentinel_ms) >= 4 for row in rows)


@pytest.mark.slow
def test_a_killed_campaign_loses_at_most_the_row_at_hand(tmp_path: Path) -> None:
    """kill -9 of a real campaign, three times; what the log had stays, and nothing is measured twice."""
    counts = []
    for wanted in (8, 16, 24):
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(tmp_path)],
            env={**os.environ, "TMPDIR": str(tmp_path)},  # the lock of measurements is there
            start_new_session=True,
            stderr=subprocess.DEVNULL,
        )
        _wait_for_rows(tmp_path, wanted, process)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        with (tmp_path / "log.jsonl").open("ab") as file:
            file.write(b'{"row":{"architecture":{"space":"ker')  # the line that the kill tore
        counts.append(len(read_rows(tmp_path)))
    assert counts == sorted(counts)
    assert counts[-1] >= 24
    measured = [row.architecture for row in read_rows(tmp_path)]
    expected = [step.architecture for step in islice(steps(RECIPE), len(measured))]
    checks = [entry for entry in read_log(tmp_path) if isinstance(entry, Check)]
    again = sum(len(check.graphs) for check in checks if check.drifted)
    assert len(Counter(measured) - Counter(expected)) <= again


def _wait_for_rows(folder: Path, wanted: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, "the campaign ended by itself"
        path = folder / "log.jsonl"
        if path.exists() and path.read_bytes().count(b'{"row"') >= wanted:
            return
        time.sleep(0.01)
    pytest.fail("the campaign measured nothing")


def test_a_row_is_on_disk_as_soon_as_it_is_measured(tmp_path: Path, instant: type[Instant]) -> None:
    seen: list[int] = []

    def on_report(report: Report) -> None:
        seen.append(sum(isinstance(entry, Row) for entry in read_log(tmp_path)))
        assert seen[-1] == report.rows

    run_campaign(tmp_path, [ONE], RECIPE, seconds=5, describe=False, on_report=on_report, clock=lambda: Instant.now)
    assert seen == [0, 0, 1, 2, 3, 4]

"""Timing in turns, on a clock that the sessions move themselves."""

from collections.abc import Sequence

import numpy as np
import pytest

from latcast.schema import TensorSpec
from profilers.backends.base import Feeds, KernelRecord, Session
from profilers.timing.interleaved import (
    BLOCK_MS,
    LEAST_ROUNDS,
    MOST_ROUNDS,
    WARMUP_MS,
    WARMUP_RUNS,
    quiet_ms,
    run_rounds,
    warm_up,
)


class Clock:
    """Nanoseconds that pass when a session runs."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


class Scripted(Session):
    """Takes the scripted times in ms in order; the last one from then on."""

    def __init__(self, clock: Clock, *times_ms: float) -> None:
        self._clock, self._times = clock, list(times_ms)
        self.runs = 0

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        return ()

    def run(self, feeds: Feeds) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
        self._clock.now_ns += round(self._times[min(self.runs, len(self._times) - 1)] * 1e6)
        self.runs += 1
        return {}

    def kernels(self, feeds: Feeds) -> tuple[KernelRecord, ...] | None:
        return None


def rounds_of(clock: Clock, *sessions: Scripted, seconds: float = 1.0) -> dict[str, list[float]]:
    named = {str(index): (session, {}) for index, session in enumerate(sessions)}
    expected = {str(index): session._times[-1] for index, session in enumerate(sessions)}
    return run_rounds(named, expected, seconds=seconds, clock=clock)


def test_the_quickest_of_the_last_warming_runs_is_expected() -> None:
    clock = Clock()
    assert warm_up(Scripted(clock, 50.0, 3.0, 2.0, 1.0, 4.0), {}, clock) == 2.0


@pytest.mark.parametrize("run_ms", [0.001, 0.5, 20.0])
def test_warming_up_takes_runs_and_time(run_ms: float) -> None:
    clock = Clock()
    session = Scripted(clock, run_ms)
    warm_up(session, {}, clock)
    assert session.runs >= WARMUP_RUNS
    assert clock.now_ns >= min(WARMUP_MS, 1000 * run_ms) * 1e6
    assert clock.now_ns <= (WARMUP_MS + WARMUP_RUNS * run_ms) * 1e6 + 1e6


def test_sessions_take_turns_and_short_runs_are_timed_in_blocks() -> None:
    clock = Clock()
    quick, slow = Scripted(clock, 0.01), Scripted(clock, 5.0)
    samples = rounds_of(clock, quick, slow)
    assert len(samples["0"]) == len(samples["1"]) == MOST_ROUNDS
    assert samples["0"] == pytest.approx([0.01] * MOST_ROUNDS)
    assert samples["1"] == [5.0] * MOST_ROUNDS
    assert quick.runs == MOST_ROUNDS * (1 + round(BLOCK_MS / 0.01))
    assert slow.runs == MOST_ROUNDS * 2


def test_no_round_begins_late_once_there_are_enough() -> None:
    clock = Clock()
    assert len(rounds_of(clock, Scripted(clock, 100.0), seconds=0.1)["0"]) == LEAST_ROUNDS
    clock = Clock()
    assert len(rounds_of(clock, Scripted(clock, 100.0), seconds=1.9)["0"]) == 10


def test_the_run_that_only_warms_is_not_timed() -> None:
    clock = Clock()
    cold_then_warm: Sequence[float] = [90.0, 3.0] * MOST_ROUNDS + [3.0]
    assert set(rounds_of(clock, Scripted(clock, *cold_then_warm), seconds=60.0)["0"]) == {3.0}


def test_disturbed_rounds_do_not_count() -> None:
    assert quiet_ms([1.0, 1.0, 1.0, 50.0, 90.0, 70.0]) == 1.0
    assert quiet_ms([2.0]) == 2.0

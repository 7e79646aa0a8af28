"""How often a runtime runs while its profiler is on."""

from collections.abc import Iterator

import pytest

from profilers.backends import repetition
from profilers.backends.repetition import LEAST_RUNS, MOST_RUNS, run_profiled


def runs(monkeypatch: pytest.MonkeyPatch, *, seconds_each: float) -> int:
    def clock() -> Iterator[float]:
        now = 0.0
        while True:
            yield now
            now += seconds_each

    ticks, calls = clock(), list[int]()
    monkeypatch.setattr(repetition.time, "monotonic", lambda: next(ticks))
    counted = run_profiled(lambda: calls.append(1))
    assert counted == len(calls)
    return counted


def test_a_slow_model_runs_a_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    assert runs(monkeypatch, seconds_each=1.0) == LEAST_RUNS


def test_a_fast_model_runs_often_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    assert runs(monkeypatch, seconds_each=1e-6) == MOST_RUNS

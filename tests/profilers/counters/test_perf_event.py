"""The reader of the kernel's performance events."""

import errno
import os
from collections.abc import Iterator
from contextlib import closing

import pytest

from profilers.counters import CounterReader
from profilers.counters import perf_event as perf_module
from profilers.counters.perf_event import EVENTS, PerfEventReader
from profilers.testing.counters import CounterReaderSuite


class TestPerfEvent(CounterReaderSuite):
    work_event = "task-clock"

    def reader(self) -> CounterReader:
        return PerfEventReader()


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[PerfEventReader]:
    """A reader on a kernel that refuses every event with one error number."""

    def refuse(kind: int, config: int) -> int:
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(perf_module, "_open_event", refuse)
    with closing(PerfEventReader()) as reader:
        yield reader


@pytest.mark.parametrize(
    ("refusing", "words"),
    [
        (errno.ENOENT, "virtual PMU"),
        (errno.ENOSYS, "container's seccomp profile hides it"),
        (errno.EMFILE, "Too many open files"),
    ],
    indirect=["refusing"],
)
def test_events_that_are_refused_say_why_and_what_helps(refusing: PerfEventReader, words: str) -> None:
    assert not refusing.probe().ok
    assert words in refusing.probe().reason
    assert set(refusing.absent) == set(EVENTS)
    with refusing:
        pass
    assert refusing.read().values == {}


CONTAINER, KERNEL = "The container's seccomp", "The kernel forbids it"


@pytest.mark.parametrize(
    ("paranoid", "first"), [("2", CONTAINER), ("-1", CONTAINER), ("3", KERNEL), ("unknown", KERNEL)]
)
def test_advice_is_not_what_was_done_already(paranoid: str, first: str) -> None:
    said = perf_module._explain_refusal(paranoid)
    assert said.startswith(first)
    assert f"perf_event_paranoid = {paranoid}" in said
    assert ("sysctl" in said) == (first == KERNEL)
    assert "--cap-add PERFMON" in said


def test_multiplexed_counts_are_scaled_and_unscheduled_ones_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter([(0, 0, 0), (0, 0, 0), (500, 1000, 250), (0, 1000, 0)])
    monkeypatch.setattr(perf_module, "EVENTS", {"seen": (0, 0), "starved": (0, 1)})
    monkeypatch.setattr(perf_module, "_open_event", lambda kind, config: os.open(os.devnull, os.O_RDONLY))
    monkeypatch.setattr(perf_module, "_read", lambda file: perf_module._Count(*next(readings)))
    with closing(PerfEventReader()) as reader:
        with reader:
            pass
        reading = reader.read(runs=2)
    assert reading.values == {"seen": 1000.0}
    assert (reading.enabled_ns["seen"], reading.running_ns["seen"]) == (1000, 250)
    assert "no free counter" in reading.absent["starved"]


def test_hardware_events_count_real_work_where_the_machine_has_any() -> None:
    with closing(PerfEventReader()) as reader:
        if "instructions" not in reader.events:
            with reader:
                pass
            pytest.skip(reader.read().absent["instructions"])
        counts = []
        for size in (50_000, 200_000):
            with reader:
                sum(range(size))
                [value * value for value in range(size)]
            counts.append(reader.read().values["instructions"])
    assert counts[0] > 50_000, "each value takes one instruction at least"
    assert counts[1] > 2 * counts[0]

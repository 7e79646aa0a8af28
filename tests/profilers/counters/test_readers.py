"""Every counter reader, and what is particular to each."""

import errno
import mmap
import os
from collections.abc import Iterator
from contextlib import closing

import pytest

from latcast.schema import CounterReading
from profilers.counters import CounterReader, counter_names, get_counter_reader
from profilers.counters import perf_event as perf_module
from profilers.counters.combined import CombinedReader
from profilers.counters.null import NullReader
from profilers.counters.perf_event import EVENTS, PerfEventReader
from profilers.counters.process import ProcessReader, peak_memory_bytes
from profilers.testing.counters import CounterReaderSuite


class TestProcess(CounterReaderSuite):
    work_event = "user-time-ns"

    def reader(self) -> CounterReader:
        return ProcessReader()


class TestPerfEvent(CounterReaderSuite):
    work_event = "task-clock"

    def reader(self) -> CounterReader:
        return PerfEventReader()


class TestNull(CounterReaderSuite):
    def reader(self) -> CounterReader:
        return NullReader()


class TestCombined(CounterReaderSuite):
    work_event = "user-time-ns"

    def reader(self) -> CounterReader:
        return CombinedReader([PerfEventReader(), ProcessReader()])


def test_readers_are_found_by_name() -> None:
    assert {"null", "perf_event", "process"} <= set(counter_names())
    assert get_counter_reader("process").name == "process"


def test_a_page_that_is_touched_for_the_first_time_is_a_fault() -> None:
    with ProcessReader() as reader:
        held = mmap.mmap(-1, 32 * 2**20)  # fresh pages: the allocator may hand out old ones
        held[:: mmap.PAGESIZE] = bytes(len(held) // mmap.PAGESIZE)
    assert reader.read().values["minor-faults"] > 0
    assert len(held) == 32 * 2**20


def test_peak_memory_follows_what_was_held() -> None:
    before = peak_memory_bytes()
    held = bytearray(before + 2**26)
    held[::4096] = b"x" * len(held[::4096])
    assert peak_memory_bytes() > before


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
        (errno.EACCES, "perf_event_paranoid=2"),
        (errno.EPERM, "CAP_PERFMON"),
        (errno.ENOSYS, "use Linux"),
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


class Fixed(NullReader):
    """Counts what it is told."""

    def __init__(self, values: dict[str, float], absent: dict[str, str]) -> None:
        self._values, self._absent = values, absent

    @property
    def events(self) -> tuple[str, ...]:
        return tuple(self._values)

    @property
    def absent(self) -> dict[str, str]:
        return self._absent

    def read(self, runs: int = 1) -> CounterReading:
        return CounterReading(values=self._values, absent=self._absent)


def test_what_one_reader_lacks_another_may_count() -> None:
    reader = CombinedReader([Fixed({"a": 1.0}, {"b": "No b."}), Fixed({"a": 2.0, "b": 3.0}, {"c": "No c."})])
    assert reader.events == ("a", "b")
    assert reader.absent == {"c": "No c."}
    assert reader.read() == CounterReading(values={"a": 1.0, "b": 3.0}, absent={"c": "No c."})

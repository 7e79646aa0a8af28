"""The reader of what the operating system counts for this process."""

import mmap

import pytest

from profilers.counters import CounterReader
from profilers.counters.process import ProcessReader, peak_memory_bytes
from profilers.testing.counters import CounterReaderSuite


class TestProcess(CounterReaderSuite):
    work_event = "user-time-ns"

    def reader(self) -> CounterReader:
        return ProcessReader()


def test_a_page_that_is_touched_for_the_first_time_is_a_fault() -> None:
    with ProcessReader() as reader:
        held = mmap.mmap(-1, 32 * 2**20)  # fresh pages: the allocator may hand out old ones
        held[:: mmap.PAGESIZE] = bytes(len(held) // mmap.PAGESIZE)
    assert reader.read().values["minor-faults"] > 0
    assert len(held) == 32 * 2**20


@pytest.mark.slow
def test_peak_memory_follows_what_was_held() -> None:
    before = peak_memory_bytes()
    held = bytearray(before + 2**26)
    held[::4096] = b"x" * len(held[::4096])
    assert peak_memory_bytes() > before

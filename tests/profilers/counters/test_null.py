"""The reader of nothing."""

from profilers.counters import CounterReader
from profilers.counters.null import NullReader
from profilers.testing.counters import CounterReaderSuite


class TestNull(CounterReaderSuite):
    def reader(self) -> CounterReader:
        return NullReader()

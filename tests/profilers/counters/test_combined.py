"""Several readers as one."""

from latcast.schema import CounterReading
from profilers.counters import CounterReader
from profilers.counters.combined import CombinedReader
from profilers.counters.null import NullReader
from profilers.counters.perf_event import PerfEventReader
from profilers.counters.process import ProcessReader
from profilers.testing.counters import CounterReaderSuite


class TestCombined(CounterReaderSuite):
    work_event = "user-time-ns"

    def reader(self) -> CounterReader:
        return CombinedReader([PerfEventReader(), ProcessReader()])


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

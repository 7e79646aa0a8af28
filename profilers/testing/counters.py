"""The conformance suite that every counter reader passes, shipped with the code. Needs pytest.

```python
class TestMine(CounterReaderSuite):
    def reader(self) -> CounterReader:
        return MyReader()
```
"""

from abc import abstractmethod
from collections.abc import Iterator
from threading import Thread

import numpy as np
import pytest

from profilers.counters.base import CounterReader

__all__ = ["CounterReaderSuite"]


def _work(rounds: int = 3) -> None:
    values = np.arange(2_000_000, dtype=np.float64)
    for _ in range(rounds):
        values = np.sqrt(values + 1.0)


class CounterReaderSuite:
    """What `CounterReader` promises. A reader that counts nothing on this machine skips what needs a count.

    Attributes:
        work_event: an event that grows with the work done, in time or instructions; empty where there is none.
    """

    work_event: str = ""

    @abstractmethod
    def reader(self) -> CounterReader:
        """A new reader."""

    @pytest.fixture
    def counters(self) -> Iterator[CounterReader]:
        made = self.reader()
        yield made
        made.close()

    def test_an_event_is_counted_or_absent_with_its_reason(self, counters: CounterReader) -> None:
        assert not set(counters.events) & set(counters.absent)
        assert all(reason.endswith(".") for reason in counters.absent.values())

    def test_probe_agrees_with_the_events(self, counters: CounterReader) -> None:
        available = counters.probe()
        assert available.ok or not counters.events
        assert available.ok or available.reason

    def test_a_reading_has_each_event_once(self, counters: CounterReader) -> None:
        with counters:
            _work()
        reading = counters.read()
        assert set(reading.values) | set(reading.absent) == set(counters.events) | set(counters.absent)
        assert not set(reading.values) & set(reading.absent)
        assert set(reading.values) == set(reading.enabled_ns) == set(reading.running_ns)
        assert all(value >= 0 for value in reading.values.values())
        assert all(reading.running_ns[event] <= reading.enabled_ns[event] for event in reading.values)

    def test_values_are_for_one_run(self, counters: CounterReader) -> None:
        with counters:
            _work()
        whole, tenth = counters.read(), counters.read(runs=10)
        assert {event: value / 10 for event, value in whole.values.items()} == pytest.approx(tenth.values)

    def test_a_region_starts_from_zero(self, counters: CounterReader) -> None:
        self._needs_work_event(counters)
        with counters:
            for _ in range(20):
                _work()
        many = counters.read().values[self.work_event]
        with counters:
            pass
        assert counters.read().values[self.work_event] < many / 2

    def test_nothing_is_counted_outside_the_region(self, counters: CounterReader) -> None:
        self._needs_work_event(counters)
        with counters:
            _work()
        before = counters.read()
        for _ in range(5):
            _work()
        assert counters.read() == before

    def test_threads_born_later_are_counted_too(self, counters: CounterReader) -> None:
        self._needs_work_event(counters)
        with counters:
            _work()
        alone = counters.read().values[self.work_event]
        with counters:
            threads = [Thread(target=_work, args=(15,)) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert counters.read().values[self.work_event] > 3 * alone

    def test_close_may_be_called_twice(self, counters: CounterReader) -> None:
        counters.close()
        counters.close()

    def _needs_work_event(self, counters: CounterReader) -> None:
        if self.work_event not in counters.events:
            pytest.skip(counters.absent.get(self.work_event, "The reader has no event that grows with work."))

"""Counts nothing."""

from types import TracebackType
from typing import ClassVar, Self

from latcast.schema import Availability, CounterReading
from profilers.counters.base import CounterReader

__all__ = ["NullReader"]


class NullReader(CounterReader):
    """A reader of nothing: for measurements that want no counters, and machines that have none."""

    name: ClassVar[str] = "null"

    def probe(self) -> Availability:
        """Always available."""
        return Availability(ok=True)

    @property
    def events(self) -> tuple[str, ...]:
        """None."""
        return ()

    @property
    def absent(self) -> dict[str, str]:
        """Nothing was asked for, so nothing is absent."""
        return {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to stop."""

    def read(self, runs: int = 1) -> CounterReading:
        """An empty reading."""
        return CounterReading()

"""Several readers as one."""

from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import ClassVar, Self, TypeVar

from latcast.schema import Availability, CounterReading
from profilers.counters.base import CounterReader

__all__ = ["CombinedReader"]

T = TypeVar("T")


class CombinedReader(CounterReader):
    """Counts what each of its readers counts; it owns them. Where two know an event, the first one's value stands."""

    name: ClassVar[str] = "combined"

    def __init__(self, readers: Sequence[CounterReader]) -> None:
        self._readers = tuple(readers)

    def probe(self) -> Availability:
        """Available where one of the readers is."""
        probed = [reader.probe() for reader in self._readers]
        return next(
            (one for one in probed if one.ok), Availability(ok=False, reason=" ".join(x.reason for x in probed))
        )

    @property
    def events(self) -> tuple[str, ...]:
        """Those of all readers, each once."""
        return tuple(dict.fromkeys(event for reader in self._readers for event in reader.events))

    @property
    def absent(self) -> dict[str, str]:
        """What no reader counts."""
        merged = _merged(reader.absent for reader in self._readers)
        return {event: reason for event, reason in merged.items() if event not in self.events}

    def __enter__(self) -> Self:
        for reader in self._readers:
            reader.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for reader in reversed(self._readers):
            reader.__exit__(kind, error, trace)

    def read(self, runs: int = 1) -> CounterReading:
        """The readings side by side."""
        readings = [reader.read(runs) for reader in self._readers]
        values = _merged(reading.values for reading in readings)
        absent = _merged(reading.absent for reading in readings)
        return CounterReading(
            values=values,
            enabled_ns=_merged(reading.enabled_ns for reading in readings),
            running_ns=_merged(reading.running_ns for reading in readings),
            absent={event: reason for event, reason in absent.items() if event not in values},
        )

    def close(self) -> None:
        """Close them all."""
        for reader in self._readers:
            reader.close()


def _merged(parts: Iterable[Mapping[str, T]]) -> dict[str, T]:
    merged: dict[str, T] = {}
    for part in parts:
        merged = {**part, **merged}
    return merged

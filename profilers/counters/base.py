"""What counts while a model runs."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import ClassVar, Self

from latcast.schema import Availability, CounterReading

__all__ = ["CounterReader"]


class CounterReader(ABC):
    """Counts events of this process and of the threads it starts later.

    Construct it before the session's threads exist (counters are inherited by threads only at their birth), enter
    it around the timed region only, read it after. Not thread-safe; one region at a time; `close` frees what the
    constructor opened.
    """

    name: ClassVar[str]

    @abstractmethod
    def probe(self) -> Availability:
        """Whether anything can be counted here, and if not, why and what would help. Never raises."""

    @property
    @abstractmethod
    def events(self) -> tuple[str, ...]:
        """Events that this machine really counts."""

    @property
    @abstractmethod
    def absent(self) -> dict[str, str]:
        """Events that were asked for and are not counted, each with its reason and remedy."""

    @abstractmethod
    def __enter__(self) -> Self:
        """Start counting from zero."""

    @abstractmethod
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop counting."""

    @abstractmethod
    def read(self, runs: int = 1) -> CounterReading:
        """What the last region counted, values divided by `runs`."""

    def close(self) -> None:  # noqa: B027 - most readers hold nothing
        """Free what the constructor opened."""

"""How many calls of each kind are under way: each kind has its own places, so that none keeps the others waiting."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TypeVar

import anyio
from anyio import CapacityLimiter, WouldBlock
from starlette.concurrency import run_in_threadpool

from latcast.errors import UnavailableError
from service.settings import Settings

__all__ = ["Pool", "Pools", "Shares"]

T = TypeVar("T")
SPARE_THREADS = 64
"""Threads for what every call does beside its work: its key, its target."""
QUEUE_FACTOR = 8
"""Calls that may wait for each place; a waiting one holds no more than a small body."""


class Pool:
    """A number of places. Who finds none waits a little, in a queue that is bounded, too, and is then refused.

    Args:
        what: kind of calls, for people.
        setting: says how many places.
        places: calls at a time.
        patience_s: longest wait for a place, in s.
    """

    def __init__(self, what: str, *, setting: str, places: int, patience_s: float) -> None:
        self._what, self._setting, self.places, self._patience_s = what, setting, places, patience_s
        self._limiter = CapacityLimiter(places)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """A place until the block ends.

        Raises:
            UnavailableError: none has become free in time.
        """
        borrower = object()
        await self._take(borrower)
        try:
            yield
        finally:
            self._limiter.release_on_behalf_of(borrower)

    async def run(self, function: Callable[[], T]) -> T:
        """Call a function in a thread, with a place.

        Raises:
            UnavailableError: none has become free in time.
        """
        async with self.place():
            return await run_in_threadpool(function)

    async def _take(self, borrower: object) -> None:
        try:
            self._limiter.acquire_on_behalf_of_nowait(borrower)
            return
        except WouldBlock:
            if self._limiter.statistics().tasks_waiting >= QUEUE_FACTOR * self.places:
                raise self._full() from None
        with anyio.move_on_after(self._patience_s):
            await self._limiter.acquire_on_behalf_of(borrower)
            return
        raise self._full()

    def _full(self) -> UnavailableError:
        return UnavailableError(
            f"The service has its hands full: it takes {self.places} {self._what} at a time "
            f"(setting `{self._setting}`). Nothing was done; try again in a moment."
        )


class Shares:
    """How many things each caller has open at a time.

    Args:
        what: the things, for people.
        setting: says how many.
        each: things of one caller.
    """

    def __init__(self, what: str, *, setting: str, each: int) -> None:
        self._what, self._setting, self._each = what, setting, each
        self._open: Counter[str] = Counter()

    @contextmanager
    def one(self, caller: str) -> Iterator[None]:
        """One more of a caller's until the block ends.

        Raises:
            UnavailableError: the caller has as many as anybody may.
        """
        if self._open[caller] >= self._each:
            raise UnavailableError(
                f"You have {self._each} {self._what} open, as many as one caller may (setting `{self._setting}`). "
                "Close one, or try again in a moment."
            )
        self._open[caller] += 1
        try:
            yield
        finally:
            self._open[caller] -= 1
            if not self._open[caller]:
                del self._open[caller]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pools:
    """The pools of one application, and what each is for.

    Args:
        uploads: bodies that are too large for memory, while they come in.
        parses: large JSON that is parsed and checked, off the event loop.
        texts: forecasts of networks of a search space.
        models: calls that may read a model: forecasts and uploads of graphs, explanations, qualities.
        reads: calls that look something up.
        writes: calls that change something; they may wait for the database's lock.
        reports: small reports of agents, which are written together.
        exports: data sets, and nodes of graphs, that are written out.
        leases: agents that wait for a job.
        streams: readers of a job's events.
        stream_shares: how many of these one caller has.
    """

    uploads: Pool
    parses: Pool
    texts: Pool
    models: Pool
    reads: Pool
    writes: Pool
    reports: Pool
    exports: Pool
    leases: Pool
    streams: Pool
    stream_shares: Shares

    @classmethod
    def of(cls, settings: Settings) -> "Pools":
        """As the settings say."""

        def pool(what: str, setting: str, places: int, patience_s: float = 10.0) -> Pool:
            return Pool(what, setting=setting, places=places, patience_s=patience_s)

        return cls(
            uploads=pool("large bodies", "max_uploads", settings.max_uploads, 30.0),
            parses=pool("large JSON bodies", "max_parses", settings.max_parses, 30.0),
            texts=pool("forecasts of texts", "max_text_calls", settings.max_text_calls),
            models=pool("calls that read models", "max_model_calls", settings.max_model_calls, 30.0),
            reads=pool("look-ups", "max_read_calls", settings.max_read_calls),
            writes=pool("calls that write", "max_write_calls", settings.max_write_calls),
            reports=pool("reports", "max_report_calls", settings.max_report_calls),
            exports=pool("exports", "max_exports", settings.max_exports),
            leases=pool("waiting agents", "max_waiting_leases", settings.max_waiting_leases, 0.0),
            streams=pool("event streams", "max_event_streams", settings.max_event_streams, 0.0),
            stream_shares=Shares(
                "event streams", setting="max_event_streams_each", each=settings.max_event_streams_each
            ),
        )

    def size_threads(self) -> None:
        """Let there be a thread for every call that has a place; called once the event loop runs."""
        working = (self.parses, self.texts, self.models, self.reads, self.writes, self.exports)
        limiter = anyio.to_thread.current_default_thread_limiter()
        limiter.total_tokens = SPARE_THREADS + sum(pool.places for pool in working)

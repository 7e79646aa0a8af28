"""One look at the database for everybody who waits for something in it."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

from service.api.door.pools import Pool

__all__ = ["SharedLooks"]

A = TypeVar("A")
L = TypeVar("L")

LONGEST_S = 1.0
"""After so long there is a look even where nothing seems to have changed."""


@dataclass(frozen=True, slots=True)
class _Waiter(Generic[A, L]):
    asks: A
    look: "asyncio.Future[L]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def take(self, look: L) -> None:
        if not self.look.done():  # else the waiter has gone
            self.look.set_result(look)

    def fail(self, error: BaseException) -> None:
        if not self.look.done():
            self.look.set_exception(error)


class SharedLooks(Generic[A, L]):
    """Hands everybody who waits the next look. Used from one event loop; looks in a thread, while somebody waits.

    Args:
        look: given what each of those who wait asks about.
        pool: in which a look takes its place.
        pause_s: between looks.
        mark: what differs once a look may see something new; by default it always may.
    """

    def __init__(
        self, look: Callable[[Sequence[A]], L], *, pool: Pool, pause_s: float, mark: Callable[[], object] = object
    ) -> None:
        self.pause_s = pause_s
        self._look, self._pool, self._mark = look, pool, mark
        self._waiters: list[_Waiter[A, L]] = []
        self._looking: asyncio.Task[None] | None = None
        self._looked: tuple[object, float] = (object(), 0.0)

    async def next(self, asks: A) -> L:
        """The next look.

        Raises:
            UnavailableError: looking takes its turn with other look-ups, and there are too many.
        """
        waiter: _Waiter[A, L] = _Waiter(asks)
        self._waiters.append(waiter)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_while_somebody_waits())
        return await waiter.look

    async def _look_while_somebody_waits(self) -> None:
        while self._waiters:
            await asyncio.sleep(self.pause_s)
            if self._may_see_something_new():
                waiters, self._waiters = self._waiters, []
                await self._look_for([waiter for waiter in waiters if not waiter.look.done()])
                await asyncio.sleep(0)  # let them come back for the next look

    def _may_see_something_new(self) -> bool:
        mark, now = self._mark(), time.monotonic()
        due = mark != self._looked[0] or now - self._looked[1] >= LONGEST_S
        if due:
            self._looked = mark, now
        return due

    async def _look_for(self, waiters: Sequence[_Waiter[A, L]]) -> None:
        if not waiters:
            return
        try:
            look = await self._pool.run(partial(self._look, [waiter.asks for waiter in waiters]))
        except Exception as error:  # noqa: BLE001 - it is for those who wait to handle
            for waiter in waiters:
                waiter.fail(error)
        else:
            for waiter in waiters:
                waiter.take(look)

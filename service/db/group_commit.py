"""Writes of many calls in one transaction: those that come while one is committed are in the next.

To commit takes a disk as long for fifty rows as for one, and a file of SQLite takes one transaction at a time. A thread
of its own writes whatever waits, commits it, and only then answers those who asked: what is answered is on disk.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from latcast.errors import UnavailableError
from latcast.schema import LatcastError
from service.db.failures import is_away
from service.db.session import Database

__all__ = ["MOST_TOGETHER", "GroupCommit", "Write"]

MOST_TOGETHER = 64
"""Calls in one transaction at most: others wait for its locks."""
END_S = 10.0

Q = TypeVar("Q")
A = TypeVar("A")
Write = Callable[[Session, Sequence[Q]], Sequence[A | LatcastError]]
"""Does what several calls ask for, within a transaction: one answer for each, or the error that it gets and that left
nothing behind. What it raises undoes the transaction, and the calls are tried one by one."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    write: Write[Any, Any]
    asked: Any
    key: Hashable
    answer: "Future[Any]" = field(default_factory=Future)


class GroupCommit:
    """Commits what calls write together. Thread-safe.

    Args:
        database: that is written to.
        writes: what is done; in each transaction in this order, so that rows are locked in one order.
        most: calls in one transaction.
    """

    def __init__(self, database: Database, writes: Sequence[Write[Any, Any]], *, most: int = MOST_TOGETHER) -> None:
        self._database, self._order, self._most = database, list(writes), most
        self._waiting: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def submit(self, write: Write[Q, A], asked: Q, *, key: Hashable = None) -> "Future[A]":
        """Have something written; the future has the answer once it is committed.

        Args:
            write: one of `writes`.
            asked: what it is given.
            key: of two calls with the same one, the second waits until the first is committed.

        Raises:
            UnavailableError: the service ends.
        """
        waiting = _Waiting(write, asked, key)
        self._order.index(write)  # one that nobody carries out would never be answered
        with self._changed:
            if self._closed:
                raise UnavailableError("The service ends. Nothing was stored; try again in a moment.")
            self._waiting.append(waiting)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="group commit", daemon=True)
                self._thread.start()
            self._changed.notify()
        return waiting.answer

    async def run(self, write: Write[Q, A], asked: Q, *, key: Hashable = None) -> A:
        """`submit`, and wait for the answer on the event loop.

        Raises:
            LatcastError: what `write` says of the call.
            DBAPIError, TimeoutError: SQLAlchemy's; nothing was stored, or nobody can say.
        """
        return await asyncio.wrap_future(self.submit(write, asked, key=key))

    def close(self) -> None:
        """Write what waits, and take nothing more."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(END_S)

    def _work(self) -> None:
        while (together := self._next()) is not None:
            if together:
                self._answer(together)

    def _next(self) -> list[_Waiting] | None:
        """What is written next, once there is something; None when nothing comes any more."""
        with self._changed:
            while not self._waiting:
                if self._closed:
                    return None
                self._changed.wait()
            return self._taken()

    def _taken(self) -> list[_Waiting]:
        taken: list[_Waiting] = []
        keys: set[Hashable] = set()
        later: list[_Waiting] = []
        while self._waiting and len(taken) < self._most:
            waiting = self._waiting.popleft()
            if waiting.key is not None and waiting.key in keys:
                later.append(waiting)
            elif waiting.answer.set_running_or_notify_cancel():  # else nobody waits for it any more
                taken.append(waiting)
                keys.add(waiting.key)
        self._waiting.extendleft(reversed(later))
        return taken

    def _answer(self, together: Sequence[_Waiting]) -> None:
        try:
            answers = self._written(together)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is those who asked that get it
            if len(together) == 1 or _is_everybodys(error):
                for waiting in together:
                    waiting.answer.set_exception(error)
                return
            for waiting in together:  # one of them cannot be written: the others can
                self._answer([waiting])
            return
        for waiting, answer in zip(together, answers, strict=True):
            if isinstance(answer, LatcastError):
                waiting.answer.set_exception(answer)
            else:
                waiting.answer.set_result(answer)

    def _written(self, together: Sequence[_Waiting]) -> list[Any]:
        """An answer for each, once they are committed."""
        answers: list[Any] = [None] * len(together)
        with self._database.write.begin() as session:
            for write in self._order:
                places = [place for place, waiting in enumerate(together) if waiting.write == write]
                if places:
                    given = write(session, [together[place].asked for place in places])
                    for place, answer in zip(places, given, strict=True):
                        answers[place] = answer
        return answers


def _is_everybodys(error: Exception) -> bool:
    """Whether the database fails now, whatever is written. One that ends a transaction for another's sake does not."""
    if isinstance(error, DBAPIError) and (getattr(error.orig, "sqlstate", None) or "").startswith("40"):
        return False
    return is_away(error)

"""Parts of one large computation on several threads: NumPy and trees let go of the interpreter while they compute.

A process starts with one thread, so that trainings, measurements and tests leave the other cores alone; a server says
how many its forecasts may take.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Any, TypeVar

__all__ = ["side_by_side", "use_threads"]

Part = TypeVar("Part")
Result = TypeVar("Result")


class _Threads:
    """Threads that help whoever has parts left. They are started when they are first needed."""

    def __init__(self) -> None:
        self._lock, self._count, self._pool = Lock(), 1, None

    _pool: ThreadPoolExecutor | None

    def use(self, count: int) -> None:
        with self._lock:
            pool, self._count, self._pool = self._pool, count, None
        if pool is not None:
            pool.shutdown(wait=False)

    def helpers(self, most: int, work: Callable[[], None]) -> list["Future[None]"]:
        """The work on as many threads as there are beside the caller's, `most` at most."""
        with self._lock:
            count = min(self._count - 1, most)
            if count < 1:
                return []
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._count - 1, thread_name_prefix="side-by-side")
            return [self._pool.submit(work) for _ in range(count)]

    def forget(self) -> None:
        """In a process that was forked there are no threads but one, and a lock may be held by one of the others."""
        self._lock, self._count, self._pool = Lock(), 1, None


_threads = _Threads()
os.register_at_fork(after_in_child=_threads.forget)


def use_threads(count: int) -> None:
    """How many threads of this process may share a computation, the caller's included: one until somebody says.

    Args:
        count: one at least.
    """
    _threads.use(count)


def side_by_side(function: Callable[[Part], Result], parts: Sequence[Part]) -> list[Result]:
    """The function of each part, in their order. The calling thread takes its share, and waits for nobody who is busy.

    Args:
        function: takes milliseconds of each part, most of them without the interpreter's lock.
        parts: any number.

    Raises:
        Exception: the first that the function raises.
    """
    left, results = iter(range(len(parts))), dict[int, Any]()

    def work() -> None:
        for place in left:  # one thread after the other takes the next: the interpreter's lock sees to that
            results[place] = function(parts[place])

    helping = _threads.helpers(len(parts) - 1, work)
    try:
        work()
    finally:
        begun = [future for future in helping if not future.cancel()]
        failed = [error for future in begun if (error := future.exception()) is not None]
    if failed:
        raise failed[0]
    return [results[place] for place in range(len(parts))]

"""Executors: a function of many tasks, done in threads, in processes of this machine, or on a Ray cluster."""

import os
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures import Executor as Pool
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for_any
from typing import Any, Protocol, TypeVar

from latcast.schema import LatcastError

__all__ = ["AHEAD", "Executor", "ProcessExecutor", "ThreadExecutor", "cores", "single_threaded"]

S = TypeVar("S")
T = TypeVar("T")
R = TypeVar("R")
AHEAD = 2
"""Tasks that are handed out for each slot: one that is being done, and one that waits for it."""
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Executor(Protocol):
    """Does tasks, several at a time.

    Attributes:
        slots: tasks that it does at a time.
    """

    slots: int

    def completed(self, function: Callable[[S, T], R], shared: S, tasks: Iterable[T]) -> Generator[R, None, None]:
        """Results of the function, one for each task, as it gets done, in any order.

        Tasks are taken from the iterable as there is room for them: an endless one may be given. Closing the iterator
        (`contextlib.closing`, for whoever may not take all of it) leaves the rest undone, and ends processes in the
        middle of theirs.

        Args:
            function: at the top of a module; called with `shared` and a task.
            shared: what all tasks need; goes to each process once.
            tasks: each small enough to be sent.

        Raises:
            LatcastError: a process died.
            Exception: whatever the function raises.
        """
        ...


class ThreadExecutor:
    """Threads of this process: for functions that wait for others, and for one thread for any.

    Args:
        slots: number of threads; with one, tasks are done by the caller's.
    """

    def __init__(self, slots: int = 1) -> None:
        self.slots = slots

    def completed(self, function: Callable[[S, T], R], shared: S, tasks: Iterable[T]) -> Generator[R, None, None]:
        """See `Executor.completed`."""
        if self.slots == 1:
            for task in tasks:
                yield function(shared, task)
            return
        with ThreadPoolExecutor(self.slots) as pool:
            yield from _streamed(pool, lambda task: pool.submit(function, shared, task), tasks, AHEAD * self.slots)


class ProcessExecutor:
    """Processes of this machine, each with one thread for linear algebra.

    They end with the iterator of their results: where it is closed, or a task fails, in the middle of what they do.

    Args:
        slots: number of processes.
    """

    def __init__(self, slots: int) -> None:
        self.slots = slots

    def completed(self, function: Callable[[S, T], R], shared: S, tasks: Iterable[T]) -> Generator[R, None, None]:
        """See `Executor.completed`."""
        context = get_context("spawn")
        alive, ours = context.Pipe(duplex=False)
        with (
            alive,
            ours,
            single_threaded(),
            ProcessPoolExecutor(self.slots, mp_context=context, initializer=_keep, initargs=(alive, shared)) as pool,
        ):
            try:
                yield from _streamed(pool, lambda task: pool.submit(_with_kept, function, task), tasks,
                                     AHEAD * self.slots)  # fmt: skip
            except BrokenProcessPool as error:
                raise LatcastError(
                    "A process that did part of the work was ended from outside, perhaps for want of memory: try again "
                    "with fewer of them."
                ) from error
            except BaseException:
                ours.close()  # nobody waits for what is being done
                raise


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def single_threaded() -> Iterator[None]:
    """A context in which processes are started with one thread each."""
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _streamed(pool: Pool, submit: Callable[[T], Future[R]], tasks: Iterable[T], most: int) -> Iterator[R]:
    """Results as they come, with so many tasks handed out at a time."""
    left = iter(tasks)
    waiting = {submit(task) for task in islice(left, most)}
    try:
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
            waiting |= {submit(task) for task in islice(left, most - len(waiting))}
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise


_kept: list[Any] = []
"""The value that all tasks of this process share."""


def _keep(alive: Connection, shared: object) -> None:
    _kept[:] = [shared]
    threading.Thread(target=_end_with, args=(alive,), daemon=True).start()


def _end_with(alive: Connection) -> None:
    """Wait until whoever hands out tasks wants no more of them, or was killed and closes no pool; then end."""
    parent = parent_process()
    wait_for_any([alive] if parent is None else [alive, parent.sentinel])
    os._exit(1)


def _with_kept(function: Callable[[Any, T], R], task: T) -> R:
    return function(_kept[0], task)

"""Tasks for every executor, at the top of a module, as processes and clusters find them."""

import os
import time
from pathlib import Path

from latcast.schema import InputError


def added(shared: int, task: int) -> tuple[int, int]:
    """Their sum, and the process that made it."""
    return shared + task, os.getpid()


def refused(shared: int, task: int) -> int:
    """A mistake of the caller's."""
    raise InputError(f"{shared} and {task} do not fit.")


def died(shared: int, task: int) -> int:
    """The end of the process in the middle of the task."""
    os._exit(9)


def slept(folder: str, task: int) -> int:
    """A task that never ends: a file names the process that has begun it."""
    Path(folder, str(os.getpid())).touch()
    time.sleep(3600)
    return task


def refused_beside_one_that_never_ends(folder: str, task: int) -> int:
    """The first task never ends, the second is refused as soon as that has begun."""
    if task == 0:
        return slept(folder, task)
    while not os.listdir(folder):
        time.sleep(0.01)
    raise InputError("The second does not fit.")

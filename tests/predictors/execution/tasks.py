"""Tasks for every executor, at the top of a module, as processes and clusters find them."""

import os

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

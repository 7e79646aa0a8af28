"""Work that nobody waits for any more: whoever does it looks now and then whether it is still wanted.

A caller that may go away (a client that hangs up) runs its work inside of `cancelled_by`. What takes long below, in the
same thread, calls `check_wanted`; a wait for a child process does.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Event

from latcast.schema import LatcastError

__all__ = ["Cancellation", "WorkCancelledError", "cancelled_by", "check_wanted"]


class WorkCancelledError(LatcastError):
    """Nobody waits for the result any more."""


class Cancellation:
    """Whether the work that goes on under it is to end. Thread-safe."""

    def __init__(self) -> None:
        self._event = Event()

    def cancel(self) -> None:
        """End the work at its next look; calling it again does nothing."""
        self._event.set()

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody cancelled it."""
        return self._event.is_set()


_current: ContextVar[Cancellation | None] = ContextVar("cancellation", default=None)


@contextmanager
def cancelled_by(cancellation: Cancellation) -> Iterator[None]:
    """Work inside ends once it is cancelled; so does work in threads that copy this context."""
    token = _current.set(cancellation)
    try:
        yield
    finally:
        _current.reset(token)


def check_wanted() -> None:
    """Go on where the work is still wanted.

    Raises:
        WorkCancelledError: it is not.
    """
    cancellation = _current.get()
    if cancellation is not None and cancellation.is_cancelled:
        raise WorkCancelledError("The work was given up: nobody waits for its result any more.")

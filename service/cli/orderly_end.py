"""An end in order for processes that are asked to end by a signal."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["ending_in_order"]


@contextmanager
def ending_in_order() -> Iterator[None]:
    """SIGTERM leaves the block as an interrupt does, with the exit code 0. For the main thread.

    By default the process would be gone at once: what it keeps in temporary folders would stay, and processes that it
    has started would have to notice by themselves. A second signal does not disturb what is cleaned up after the first.
    """
    before = signal.signal(signal.SIGTERM, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(_number: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(0)

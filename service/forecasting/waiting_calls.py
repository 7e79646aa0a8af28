"""Whether anybody waits for forecasts: who works ahead while nobody does makes way at once."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from profilers.host.cancellation import Cancellation

__all__ = ["WaitingCalls"]


class WaitingCalls:
    """Counts the calls that are under way. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way, self._last = 0, float("-inf")
        self._gives_way = Cancellation()

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """A call for forecasts while the block runs; work that gives way ends at its next look."""
        with self._lock:
            self._under_way += 1
            self._gives_way.cancel()
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1
                self._last = time.monotonic()

    def quiet_s(self) -> float:
        """How long nobody has been waiting, in seconds; infinite before the first call."""
        with self._lock:
            return 0.0 if self._under_way else time.monotonic() - self._last

    def gives_way(self) -> Cancellation:
        """Under which work ends when the next call comes, or at once where one is under way."""
        with self._lock:
            self._gives_way = Cancellation()
            if self._under_way:
                self._gives_way.cancel()
            return self._gives_way

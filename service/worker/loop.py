"""Work that goes on while the service runs."""

import threading
from collections.abc import Callable

import structlog

__all__ = ["Ticker"]

log = structlog.get_logger(__name__)


class Ticker:
    """Calls a function again and again in a thread of its own; an error is logged and does not end it.

    Args:
        name: of the thread.
        seconds: pause between calls.
        work: whether there was something to do; then the next call comes at once.
    """

    def __init__(self, name: str, seconds: float, work: Callable[[], bool]) -> None:
        self._seconds, self._work = seconds, work
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Ask the thread to end, and wait for the call that is under way."""
        self._stop.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stop.is_set():
            if not self._call():
                self._stop.wait(self._seconds)

    def _call(self) -> bool:
        try:
            return self._work()
        except Exception:
            log.exception("background work failed", thread=self._thread.name)
            return False

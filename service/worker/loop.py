"""Work that goes on while the service runs."""

import threading
from collections.abc import Callable

import structlog

from service.db.failures import cause_of, is_away

__all__ = ["LONGEST_PAUSE_S", "Ticker", "pause_after"]

LONGEST_PAUSE_S = 10.0
"""Pauses grow to this while calls fail, where they are not longer anyway."""

log = structlog.get_logger(__name__)


def pause_after(failures: int, seconds: float) -> float:
    """Seconds until the next call after so many failures in a row, where it is usually `seconds`."""
    return min(max(seconds, LONGEST_PAUSE_S), seconds * 2.0 ** min(failures, 30))


class Ticker:
    """Calls a function again and again in a thread of its own; an error is logged and does not end it.

    While the same error follows itself it is logged once, and the pauses grow. A database that is away or damaged is a
    line, without a trace.

    Args:
        name: of the thread.
        seconds: pause between calls.
        work: whether there was something to do; then the next call comes at once.
    """

    def __init__(self, name: str, seconds: float, work: Callable[[], bool]) -> None:
        self._seconds, self._work = seconds, work
        self._failures, self._reason = 0, ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def name(self) -> str:
        """Of the thread."""
        return self._thread.name

    @property
    def is_running(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

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
                self._stop.wait(pause_after(self._failures, self._seconds))

    def _call(self) -> bool:
        try:
            more = self._work()
        except Exception as error:  # noqa: BLE001 - the next call may succeed, whatever it was
            self._note(error)
            return False
        if self._failures:
            log.info("background work goes on", thread=self._thread.name, failures=self._failures)
        self._failures, self._reason = 0, ""
        return more

    def _note(self, error: Exception) -> None:
        away = is_away(error)
        reason = cause_of(error).sentence if away else repr(error)
        self._failures += 1
        if reason == self._reason:
            return
        self._reason = reason
        if away:
            log.warning("background work waits for the database", thread=self._thread.name, reason=reason)
        else:
            log.error("background work failed", thread=self._thread.name, exc_info=error)

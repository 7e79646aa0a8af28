"""Calls that come by the thousand: one line a minute says how many, where one for each would be all the log holds."""

import threading
from collections import Counter

import structlog

__all__ = ["TELL_SECONDS", "Traffic", "is_for_forecasts", "is_frequent"]

TELL_SECONDS = 60.0
FORECASTS, LEASES = "/predict", "/jobs/lease"

log = structlog.get_logger("service.access")


def is_for_forecasts(path: str) -> bool:
    """Whether a call of a path is for forecasts, whatever stands before it."""
    return path.endswith(FORECASTS)


def is_frequent(route: str, status: int) -> bool:
    """Whether a call is one of many: a forecast that was answered, or a wait for a job that ended without one."""
    return (status == 200 and route == FORECASTS) or (status == 204 and route == LEASES)


class Traffic:
    """Counts calls by route and key, and logs the counts when it is told to. Thread-safe."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str | None]] = Counter()
        self._lock = threading.Lock()

    def count(self, route: str, key_id: str | None) -> None:
        """Count a call."""
        with self._lock:
            self._counts[route, key_id] += 1

    def tell(self) -> bool:
        """Log what was counted since; False, as there is nothing to catch up with."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        for (route, key_id), calls in counts.items():
            log.info("calls", path=route, caller=key_id, calls=calls)
        return False

"""Calls that come by the thousand: one line a minute says how many, where one for each would be all the log holds."""

import threading
from collections import Counter

import structlog

__all__ = ["TELL_SECONDS", "Traffic", "is_for_forecasts", "is_frequent"]

TELL_SECONDS = 60.0
FORECASTS = "/predict"
_FREQUENT = {
    (FORECASTS, 200), ("/jobs/lease", 204), ("/jobs/lease", 200), ("/jobs/{job_id}/result", 200),
    ("/jobs/{job_id}/heartbeat", 200),
}  # fmt: skip
"""By route and status. Who leased which job and when it ended is in the database, for each job."""

log = structlog.get_logger("service.access")


def is_for_forecasts(path: str) -> bool:
    """Whether a call of a path is for forecasts, whatever stands before it."""
    return path.endswith(FORECASTS)


def is_frequent(route: str, status: int) -> bool:
    """Whether a call is one of many: a forecast that was answered, or an agent's work for a job that went well."""
    return (route, status) in _FREQUENT


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

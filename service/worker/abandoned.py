"""Queued measurements that no agent will take fail with the reason, so that nothing waits for ever."""

import time
from collections.abc import Callable

import structlog

from service.db.session import Database
from service.jobs.waiting import abandoned, fail_abandoned
from service.settings import Settings

__all__ = ["AbandonedJobs", "fail_abandoned_jobs"]

log = structlog.get_logger(__name__)


class AbandonedJobs:
    """Looks for queued measurements that nobody will take, once agents had time to come back after an absence.

    Args:
        database: where jobs are.
        settings: `unoffered_job_seconds` is the time.
        clock: seconds, never going back.
    """

    def __init__(self, database: Database, settings: Settings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database, self._settings, self._clock = database, settings, clock
        self._started = clock()

    def look(self) -> bool:
        """Fail what nobody will measure; False, because the next look has time."""
        if self._clock() - self._started < self._settings.unoffered_job_seconds:
            return False
        return fail_abandoned_jobs(self._database, self._settings)


def fail_abandoned_jobs(database: Database, settings: Settings) -> bool:
    """Fail what nobody will measure; False, because the next look has time."""
    with database.read() as session:
        if not abandoned(session, settings):
            return False
    with database.write.begin() as session:
        count = fail_abandoned(session, settings)
    log.warning("nobody offers these targets any more", failed_jobs=count)
    return False

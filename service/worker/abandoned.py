"""Queued measurements that no agent will take fail with the reason, so that nothing waits for ever."""

import structlog

from service.db.session import Database
from service.jobs.waiting import abandoned, fail_abandoned
from service.settings import Settings

__all__ = ["fail_abandoned_jobs"]

log = structlog.get_logger(__name__)


def fail_abandoned_jobs(database: Database, settings: Settings) -> bool:
    """Fail what nobody will measure; False, because the next look has time."""
    with database.read() as session:
        if not abandoned(session, settings):
            return False
    with database.write.begin() as session:
        count = fail_abandoned(session, settings)
    log.warning("nobody offers these targets any more", failed_jobs=count)
    return False

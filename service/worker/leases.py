"""Leases that ran out go back to the queue, and a clock that was set ends none and keeps none alive."""

import time

import structlog

from service.db.session import Database
from service.jobs import queue

__all__ = ["LeaseKeeper"]

log = structlog.get_logger(__name__)

LEAST_JUMP_S = 2.0
FARTHEST = 2.0
"""No lease ends later than so many of its lengths from now, unless the clock was ahead when it was given."""


class LeaseKeeper:
    """Looks after the leases of one database, whose deadlines are of the wall clock. Called by one thread.

    Between two calls as much time passes by the wall clock as by the monotonic one, unless the first was set, or the
    machine slept: then every lease runs for its full length again, so that workers which are alive keep their jobs. A
    lease that was given while the clock was ahead is cut to its length as soon as the clock is right.

    Args:
        database: with the queue.
        lease_seconds: the length of a lease.
    """

    def __init__(self, database: Database, *, lease_seconds: float) -> None:
        self._database, self._lease_seconds = database, lease_seconds
        self._ahead_s = time.time() - time.monotonic()

    def look(self) -> bool:
        """Renew, cut and end leases; whether any ran out."""
        jumped, farthest_s = self._has_jumped(), FARTHEST * self._lease_seconds
        with self._database.read() as session:
            if not (jumped or queue.any_late(session) or queue.any_beyond(session, farthest_s)):
                return False
        with self._database.write.begin() as session:
            renewed = queue.renew(session, lease_seconds=self._lease_seconds, beyond_s=0.0 if jumped else farthest_s)
            count = queue.expire(session)
        if renewed:
            log.warning("the clock was set: leases begin anew", jobs=renewed)
        if count:
            log.warning("leases ran out", jobs=count)
        return count > 0

    def _has_jumped(self) -> bool:
        before, self._ahead_s = self._ahead_s, time.time() - time.monotonic()
        return abs(self._ahead_s - before) > max(LEAST_JUMP_S, self._lease_seconds / 2)

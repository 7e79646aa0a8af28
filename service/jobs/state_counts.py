"""How many jobs stand where: those that may still change are counted anew each time, the finished ones sparingly."""

import threading
import time
from collections.abc import Collection, Mapping

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from latcast.schema import FINISHED_STATES, JobState
from service.db.tables import Job

__all__ = ["JobCounts"]

QUICK_S = 0.02
"""A count that takes no longer is made each time."""
SPARING = 50
"""One that takes longer is made once in so many times its own duration: it takes 2 % of a core at most."""
OPEN_STATES = frozenset(JobState) - FINISHED_STATES


class JobCounts:
    """Counts jobs by state. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._finished: Mapping[JobState, int] = {}
        self._due = float("-inf")

    def of(self, session: Session) -> Mapping[JobState, int]:
        """How many there are in each state that jobs are in; of finished ones among a million it may be some seconds
        old.
        """
        with self._lock:
            started = time.monotonic()
            if started >= self._due:
                self._finished = _counted(session, FINISHED_STATES)
                ended = time.monotonic()
                self._due = ended + SPARING * (ended - started) if ended - started > QUICK_S else ended
            finished = self._finished
        return {**finished, **_counted(session, OPEN_STATES)}


def _counted(session: Session, states: Collection[JobState]) -> Mapping[JobState, int]:
    query = select(Job.state, func.count().label("jobs")).where(Job.state.in_(sorted(states))).group_by(Job.state)
    return {row.state: row.jobs for row in session.execute(query)}

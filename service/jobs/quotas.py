"""How many jobs a key may have waiting and make in a day, where it has limits."""

import time

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from latcast.errors import ConflictError
from latcast.schema import FINISHED_STATES, JobState
from latcast.schema.counting import counted
from service.db.tables import ApiKey, Job

__all__ = ["require_quota"]

DAY_S = 86_400.0


def require_quota(session: Session, key_id: str | None, jobs: int) -> None:
    """Make sure that a key may make so many jobs more.

    Args:
        session: in the transaction that makes them; of calls with one key, one at a time goes on.
        key_id: None for callers without a key, who have no limits.
        jobs: how many, those that they lead to included.

    Raises:
        ConflictError: says which limit, and what counts against it.
    """
    key = session.get(ApiKey, key_id, with_for_update=True, populate_existing=True) if key_id else None
    if key is None or (key.max_open_jobs is None and key.max_jobs_per_day is None):
        return
    mine = select(func.count()).select_from(Job).where(Job.api_key_id == key.id)
    is_open = Job.state.in_(set(JobState) - FINISHED_STATES)
    _require(key.max_open_jobs, session.scalar(mine.where(is_open)) or 0, jobs, "that wait or are worked on")
    today = (Job.state.in_(JobState), Job.created_unix_s > time.time() - DAY_S)
    _require(key.max_jobs_per_day, session.scalar(mine.where(*today)) or 0, jobs, "of the last 24 hours")


def _require(most: int | None, there: int, more: int, which: str) -> None:
    if most is not None and there + more > most:
        raise ConflictError(
            f"This key may have {counted(most, 'job')} {which}; it has {there:,}, and {more:,} more were asked "
            "for. Wait, ask "
            "for fewer, or ask an admin for another key."
        )

"""Lists of jobs."""

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from latcast.schema import JobKind, JobState
from service.db.pagination import Order, Page, fetch_page
from service.db.tables import Job, Target

__all__ = ["jobs_page"]

NEWEST_FIRST = Order("jobs", (Job.id,), descending=True)


def jobs_page(
    session: Session,
    *,
    limit: int,
    cursor: str | None = None,
    state: JobState | None = None,
    kind: JobKind | None = None,
    target: str | None = None,
    parent: str | None = None,
) -> Page[Row[Job]]:
    """Jobs, newest first; those of a state, a kind, a target or a parent where one is named.

    Raises:
        InputError: a cursor that no page gave.
    """
    if target is not None:  # also by the id that it had before its device moved
        target = session.scalar(select(Target.id).where(Target.former_id == target)) or target
    wanted = {Job.state: state, Job.kind: kind, Job.target_id: target, Job.parent_id: parent}
    query = select(Job).where(*(column == value for column, value in wanted.items() if value is not None))
    if kind not in (None, JobKind.PROFILE) and state is None:
        # There are few of them among all measurements: the index of the queue, which begins with states, finds them.
        query = query.where(Job.state.in_(list(JobState)))
    return fetch_page(session, query, NEWEST_FIRST, limit=limit, cursor=cursor)

"""Statements that find jobs which may be leased.

They are asked all the time, and SQLAlchemy takes longer to put one together than a database to answer it: they are
kept, and the devices are a parameter.
"""

from collections.abc import Collection
from functools import cache

from sqlalchemy import ColumnElement, Select, bindparam, select, update
from sqlalchemy.orm import aliased
from sqlalchemy.sql.dml import ReturningUpdate

from latcast.schema import FINISHED_STATES, JobKind, JobState
from service.db.tables import Job, Target

__all__ = ["DEADLINE", "DEVICE", "NOW", "TOKEN", "any_leasable", "leasing", "offering_work"]

DEVICE = "device"
"""The parameter: one device's id, or several devices' ids."""
TOKEN, NOW, DEADLINE = "new_token", "leased_unix_s", "new_deadline_unix_s"
"""Parameters of a lease: its token, when it begins, when it ends."""


@cache
def any_leasable(kinds: frozenset[JobKind], *, of_device: bool) -> Select[str]:
    """Asks for the id of a job of these kinds that waits for nothing, on a target that DEVICE offers if `of_device`."""
    query = select(Job.id).where(*_leasable(kinds)).limit(1)
    if not of_device:
        return query
    offered = select(Target.id).where(Target.device_id == bindparam(DEVICE), Target.offered.is_(True))
    return query.where(Job.target_id.in_(offered))


@cache
def offering_work(kinds: frozenset[JobKind]) -> Select[str | None]:
    """Asks which of the devices DEVICE offer a target for which a job of these kinds waits."""
    waiting = select(Job.id).where(*_leasable(kinds), Job.target_id == Target.id).exists()
    among = Target.device_id.in_(bindparam(DEVICE, expanding=True))
    return select(Target.device_id).where(among, Target.offered.is_(True), waiting).distinct()


@cache
def leasing(kinds: frozenset[JobKind], *, of_device: bool) -> ReturningUpdate[Job]:
    """Leases the job of these kinds whose turn it is, on a target that DEVICE offers if `of_device`, and gives it back.

    Each job goes to one worker, however many ask at once: PostgreSQL skips rows that others hold, SQLite lets one
    writer in at a time.
    """
    by_turn = (Job.priority.desc(), Job.turn, Job.id)
    first = any_leasable(kinds, of_device=of_device).order_by(*by_turn).with_for_update(skip_locked=True)
    return (
        update(Job)
        .where(Job.id == first.scalar_subquery(), Job.state == JobState.QUEUED)
        .values(
            state=JobState.LEASED,
            lease_token=bindparam(TOKEN),
            deadline_unix_s=bindparam(DEADLINE),
            attempts=Job.attempts + 1,
            updated_unix_s=bindparam(NOW),
        )
        .returning(Job)
    )


def _leasable(kinds: Collection[JobKind]) -> tuple[ColumnElement[bool], ...]:
    child = aliased(Job)
    waits = select(child.id).where(child.parent_id == Job.id, child.state.not_in(FINISHED_STATES)).exists()
    return Job.state == JobState.QUEUED, Job.kind.in_(kinds), ~waits

"""Statements that find jobs which may be leased.

They are asked all the time, and SQLAlchemy takes longer to put one together than a database to answer it: they are
kept, and the devices are a parameter.
"""

from collections.abc import Collection
from functools import cache
from typing import TypeVarTuple

from sqlalchemy import ColumnElement, Select, bindparam, select, update
from sqlalchemy.orm import aliased
from sqlalchemy.sql.dml import ReturningUpdate

from latcast.schema import FINISHED_STATES, JobKind, JobState
from service.db.tables import Job, Target
from service.db.visibility import ALL_ROWS

__all__ = [
    "DEADLINE",
    "DEVICE",
    "JOBS",
    "NOW",
    "TOKEN",
    "any_leasable",
    "first_of_each",
    "leasing",
    "offering_work",
    "still_queued",
]

DEVICE = "device"
"""The parameter: one device's id, or several devices' ids."""
JOBS = "jobs"
"""The parameter: several jobs' ids."""
TOKEN, NOW, DEADLINE = "new_token", "leased_unix_s", "new_deadline_unix_s"
"""Parameters of a lease: its token, when it begins, when it ends."""

Ts = TypeVarTuple("Ts")
_BY_TURN = (Job.priority.desc(), Job.turn, Job.id)


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
    return _of_targets(select(Target.device_id), _first(kinds).is_not(None)).distinct()


@cache
def leasing(kinds: frozenset[JobKind], *, of_device: bool) -> ReturningUpdate[Job]:
    """Leases the job of these kinds whose turn it is, on a target that DEVICE offers if `of_device`, and gives it back.

    Each job goes to one worker, however many ask at once: PostgreSQL skips rows that others hold, SQLite lets one
    writer in at a time.
    """
    first = any_leasable(kinds, of_device=of_device).order_by(*_BY_TURN).with_for_update(skip_locked=True)
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


@cache
def first_of_each(kinds: frozenset[JobKind]) -> Select[str | None, str | None]:
    """Asks for each target that the devices DEVICE offer: its device, and the id of the job of these kinds whose turn
    it is, or nothing; takes no lock.
    """
    return _of_targets(select(Target.device_id, _first(kinds)))


@cache
def still_queued() -> Select[Job]:
    """Asks for those of the jobs JOBS that are queued, and locks them; one that somebody else holds is left out."""
    return (
        select(Job)
        .where(Job.id.in_(bindparam(JOBS, expanding=True)), Job.state == JobState.QUEUED)
        .order_by(Job.id)  # whoever locks several jobs locks them in this order
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True, **ALL_ROWS)
    )


def _of_targets(query: Select[*Ts], *conditions: ColumnElement[bool]) -> Select[*Ts]:
    among = Target.device_id.in_(bindparam(DEVICE, expanding=True))
    return query.where(among, Target.offered.is_(True), *conditions).execution_options(**ALL_ROWS)


def _first(kinds: frozenset[JobKind]) -> ColumnElement[str | None]:
    """The id of a target's first job.

    It is looked up for each target by itself, in an index, whatever the server knows of the tables. A join leaves it
    the choice, and while it knows little of new tables it goes through all that waits, once for each device.
    """
    return (
        select(Job.id)
        .where(*_leasable(kinds), Job.target_id == Target.id)
        .order_by(*_BY_TURN)
        .limit(1)
        .correlate(Target)
        .scalar_subquery()
    )


def _leasable(kinds: Collection[JobKind]) -> tuple[ColumnElement[bool], ...]:
    waiting = Job.state == JobState.QUEUED, Job.kind.in_(kinds)
    if _WITHOUT_CHILDREN.issuperset(kinds):
        return waiting
    child = aliased(Job)
    waits = select(child.id).where(child.parent_id == Job.id, child.state.not_in(FINISHED_STATES)).exists()
    return *waiting, ~waits


_WITHOUT_CHILDREN = frozenset({JobKind.PROFILE})
"""Kinds of jobs that wait for no other: PostgreSQL may look through the whole table for children of each device's."""

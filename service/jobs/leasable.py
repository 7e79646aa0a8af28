"""Statements that find jobs which may be leased.

They are asked all the time, and SQLAlchemy takes longer to put one together than a database to answer it: they are
kept, and the devices are a parameter.
"""

from collections.abc import Collection
from functools import cache

from sqlalchemy import ColumnElement, Select, bindparam, select
from sqlalchemy.orm import aliased

from latcast.schema import FINISHED_STATES, JobKind, JobState
from service.db.tables import Job, Target

__all__ = ["DEVICE", "any_leasable", "offering_work"]

DEVICE = "device"
"""The parameter: one device's id, or several devices' ids."""


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


def _leasable(kinds: Collection[JobKind]) -> tuple[ColumnElement[bool], ...]:
    child = aliased(Job)
    waits = select(child.id).where(child.parent_id == Job.id, child.state.not_in(FINISHED_STATES)).exists()
    return Job.state == JobState.QUEUED, Job.kind.in_(kinds), ~waits

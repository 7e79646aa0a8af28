"""Whose job is next: those who want the same device take turns, however many jobs each of them has.

A job gets its turn when it is made: one after the submitter's own last job, and not before what is worked on now. So
a hundred jobs that come behind another one's ten thousand are done in turn with these, and nobody keeps a place for
jobs that he did not ask for. Priorities are lines of their own, the higher ones first.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from latcast.schema import JobKind, JobState, TargetId
from service.db.tables import Job, Target

__all__ = ["ANYBODY", "Line", "Submitter", "submitter_of"]


@dataclass(frozen=True, slots=True)
class Submitter:
    """Who wants a job done.

    Args:
        key_id: of the key; None on an open service, whose callers are one submitter.
        priority: of the jobs, the higher ones first.
    """

    key_id: str | None = None
    priority: int = 0


ANYBODY = Submitter()


def submitter_of(job: Job) -> Submitter:
    """Whose job it is, for those that it leads to."""
    return Submitter(job.api_key_id, job.priority)


class Line:
    """The line of jobs of one kind and priority for one device, as its submitter joins it.

    Args:
        session: in the transaction that makes the jobs; the line counts on from what the database has now.
        kind: of the jobs.
        target_id: of the jobs; those of other targets of its device stand in the same line.
        submitter: whose jobs they are.
    """

    def __init__(
        self, session: Session, kind: JobKind, target_id: TargetId | None, submitter: Submitter = ANYBODY
    ) -> None:
        self.submitter = submitter
        self._last = max(_now(session, kind, target_id, submitter), _own_last(session, kind, target_id, submitter))

    def next_turn(self) -> int:
        """The turn of the submitter's next job."""
        self._last += 1
        return self._last


def _now(session: Session, kind: JobKind, target_id: TargetId | None, submitter: Submitter) -> int:
    """The turn that is worked on; where nobody works, one before the first that waits."""
    line = _of_line(kind, target_id, submitter)
    leased = session.scalar(select(func.max(Job.turn)).where(*line, Job.state == JobState.LEASED))
    if leased is not None:
        return leased
    first = session.scalar(select(func.min(Job.turn)).where(*line, Job.state == JobState.QUEUED))
    return 0 if first is None else first - 1


def _own_last(session: Session, kind: JobKind, target_id: TargetId | None, submitter: Submitter) -> int:
    line, is_open = _of_line(kind, target_id, submitter), Job.state.in_((JobState.QUEUED, JobState.LEASED))
    own = Job.api_key_id.is_(None) if submitter.key_id is None else Job.api_key_id == submitter.key_id
    return session.scalar(select(func.max(Job.turn)).where(*line, is_open, own)) or 0


def _of_line(kind: JobKind, target_id: TargetId | None, submitter: Submitter) -> list[Any]:
    conditions: list[Any] = [Job.kind == kind, Job.priority == submitter.priority]
    if kind == JobKind.PROFILE and target_id is not None:
        device = select(Target.device_id).where(Target.id == target_id).scalar_subquery()
        conditions.append(Job.target_id.in_(select(Target.id).where(Target.device_id == device)))
    return conditions

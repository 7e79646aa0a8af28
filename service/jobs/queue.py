"""The queue: jobs are leased to agents, and every lease ends in a result, a failure or its deadline.

A job is `queued`, `leased`, and then `done`, `failed` or `cancelled`. Each lease has a token that nobody can guess;
the `attempt` table remembers how each ended, so a repeated report is answered as the first was. Every function
works inside the caller's transaction and locks the job's row first.
"""

import secrets
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from latcast.errors import ConflictError, LeaseLostError, NotFoundError
from latcast.schema import (
    FINISHED_STATES,
    Failure,
    FeedSpec,
    InputError,
    JobKind,
    JobState,
    LeaseOutcome,
    Measurement,
    ProfileSettings,
    from_plain,
)
from service.db import records
from service.db.tables import Agent, Attempt, Job, Target
from service.db.tables import Measurement as MeasurementRow

__all__ = [
    "FINAL_STAGES",
    "Receipt",
    "any_late",
    "attempts_of",
    "cancel",
    "child_states",
    "children",
    "complete",
    "enqueue",
    "expire",
    "fail",
    "fail_job",
    "find",
    "finish_job",
    "has_work",
    "heartbeat",
    "lease",
    "open_jobs",
]

FINAL_STAGES = frozenset({"load", "open", "memory", "unavailable"})
"""Stages at which trying again would fail in the same way."""
MODEL_STAGES = frozenset({"load", "open", "run", "timeout", "memory", "crash"})
"""Stages at which it is the model that failed on the target, rather than the agent."""
EXPIRED_MESSAGE = "The agent fell silent and its lease ran out."


@dataclass(frozen=True, slots=True)
class Receipt:
    """How a report was taken: the job's state after it, and the measurement's row if one was written."""

    job_id: str
    state: JobState
    measurement_id: int | None = None


def enqueue(
    session: Session,
    *,
    kind: JobKind,
    payload: Mapping[str, Any],
    max_attempts: int,
    target_id: str | None = None,
    graph_hash: str | None = None,
    parent_id: str | None = None,
) -> Job:
    """A new job at the end of the queue.

    Args:
        session: in a transaction.
        kind: `profile` (agents do it), `adapt` or `train` (the service does).
        payload: JSON values; for `profile` it has `settings` and `feeds`.
        max_attempts: how often it may be leased.
        target_id: where.
        graph_hash: what to profile.
        parent_id: the job that waits for this one.
    """
    job = Job(
        kind=kind,
        payload=dict(payload),
        max_attempts=max_attempts,
        target_id=target_id,
        graph_hash=graph_hash,
        parent_id=parent_id,
    )
    session.add(job)
    session.flush()
    return job


def find(session: Session, job_id: str, *, lock: bool = False) -> Job:
    """The job of this id.

    Raises:
        NotFoundError: there is none.
    """
    job = session.get(Job, job_id, with_for_update=lock or None, populate_existing=lock)
    if job is None:
        raise NotFoundError(f"There is no job {job_id!r}.")
    return job


def _leasable(device_id: str) -> tuple[ColumnElement[bool], ...]:
    return (
        Job.state == JobState.QUEUED,
        Job.kind == JobKind.PROFILE,
        Target.device_id == device_id,
        Target.offered.is_(True),
    )


def has_work(session: Session, *, device_id: str) -> bool:
    """Whether `lease` would find a job; takes no lock."""
    query = select(Job.id).join(Target, Job.target_id == Target.id).where(*_leasable(device_id)).limit(1)
    return session.scalar(query) is not None


def lease(session: Session, *, agent: Agent, lease_seconds: float) -> Job | None:
    """Give the oldest job for one of the targets that the agent's device offers to the agent.

    Each job goes to one agent, however many ask at once: PostgreSQL skips rows that others hold, SQLite lets one
    writer in at a time.
    """
    oldest = (
        select(Job.id)
        .join(Target, Job.target_id == Target.id)
        .where(*_leasable(agent.device_id))
        .order_by(Job.id)
        .limit(1)
        .with_for_update(skip_locked=True, of=Job)
    )
    now = time.time()
    job = session.scalar(
        update(Job)
        .where(Job.id == oldest.scalar_subquery(), Job.state == JobState.QUEUED)
        .values(
            state=JobState.LEASED,
            lease_token=secrets.token_urlsafe(32),
            deadline_unix_s=now + lease_seconds,
            attempts=Job.attempts + 1,
            updated_unix_s=now,
        )
        .returning(Job),
        execution_options={"synchronize_session": False, "populate_existing": True},
    )
    if job is not None:
        session.add(Attempt(lease_token=job.lease_token, job_id=job.id, agent_id=agent.id, number=job.attempts))
    return job


def heartbeat(session: Session, *, job_id: str, lease_token: str, lease_seconds: float) -> float:
    """Extend the lease; the new deadline in seconds since 1970.

    Raises:
        LeaseLostError: the lease ran out, the job was cancelled or is finished.
    """
    job = find(session, job_id, lock=True)
    if job.state != JobState.LEASED or not _same(job.lease_token, lease_token):
        raise LeaseLostError(f"This lease of job {job_id} has ended (the job is {job.state}); stop working on it.")
    job.deadline_unix_s = time.time() + lease_seconds
    return job.deadline_unix_s


def complete(session: Session, *, job_id: str, lease_token: str, measurement: Measurement) -> Receipt:
    """Store what an agent measured and finish the job; a failed measurement is stored too and fails the job.

    A repeat is answered as the first was, and writes nothing. A lease that ran out still delivers as long as
    nobody else got the job.

    Raises:
        InputError: the measurement is of another graph or target, or has impossible values.
        LeaseLostError: the job went on to somebody else, or is finished.
    """
    job, attempt = _reported(session, job_id, lease_token)
    written = session.scalar(select(MeasurementRow.id).where(MeasurementRow.lease_token == lease_token))
    if written is not None:
        return Receipt(job_id, job.state, written)
    _require_open(job, attempt)
    _require_same_work(job, measurement)
    row = _row(job, lease_token, measurement)
    session.add(row)
    session.flush()
    job.result = {"measurement_id": row.id}
    _end(job, attempt, LeaseOutcome.FAILED if measurement.failure else LeaseOutcome.DONE, measurement.failure)
    job.state = JobState.FAILED if measurement.failure else JobState.DONE
    return Receipt(job_id, job.state, row.id)


def fail(session: Session, *, job_id: str, lease_token: str, failure: Failure) -> Receipt:
    """Take note that an attempt failed; the job returns to the queue while attempts are left.

    Stages that would fail in the same way again (`FINAL_STAGES`) fail the job at once. A failure that is the model's
    (`MODEL_STAGES`) is kept as a measurement without samples too.

    Raises:
        LeaseLostError: the job went on to somebody else, or is finished.
    """
    job, attempt = _reported(session, job_id, lease_token)
    if attempt.outcome == LeaseOutcome.FAILED:
        return Receipt(job_id, job.state)
    _require_open(job, attempt)
    _end(job, attempt, LeaseOutcome.FAILED, failure)
    if failure.stage in MODEL_STAGES:
        _keep_failure(session, job, lease_token, failure)
    final = failure.stage in FINAL_STAGES or job.attempts >= job.max_attempts
    job.state = JobState.FAILED if final else JobState.QUEUED
    return Receipt(job_id, job.state)


def _keep_failure(session: Session, job: Job, lease_token: str, failure: Failure) -> None:
    target = session.get_one(Target, job.target_id)
    measurement = Measurement(
        graph=job.graph_hash or "",
        target=records.target_record(target),
        settings=from_plain(ProfileSettings, job.payload["settings"]),
        failure=failure,
    )
    session.add(_row(job, lease_token, measurement))


def _row(job: Job, lease_token: str, measurement: Measurement) -> MeasurementRow:
    feeds = tuple(from_plain(FeedSpec, feed) for feed in job.payload["feeds"])
    key = records.feeds_key(feeds)
    return records.measurement_row(measurement, feeds_key=key, job_id=job.id, lease_token=lease_token)


def any_late(session: Session) -> bool:
    """Whether `expire` would find something; takes no lock."""
    late = select(Job.id).where(Job.state == JobState.LEASED, Job.deadline_unix_s < time.time()).limit(1)
    return session.scalar(late) is not None


def expire(session: Session, *, now: float | None = None, limit: int = 100) -> int:
    """Return jobs whose lease ran out to the queue; those out of attempts fail. How many there were."""
    now = time.time() if now is None else now
    late = session.scalars(
        select(Job)
        .where(Job.state == JobState.LEASED, Job.deadline_unix_s < now)
        .order_by(Job.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    for job in late:
        attempt = session.get_one(Attempt, job.lease_token)
        _end(job, attempt, LeaseOutcome.EXPIRED, Failure(stage="timeout", message=EXPIRED_MESSAGE))
        job.state = JobState.FAILED if job.attempts >= job.max_attempts else JobState.QUEUED
    return len(late)


def cancel(session: Session, job_id: str) -> Job:
    """Cancel a job and the jobs it waits for; cancelling twice is once.

    Raises:
        ConflictError: the job is done or has failed.
    """
    job = find(session, job_id, lock=True)
    if job.state in FINISHED_STATES - {JobState.CANCELLED}:
        raise ConflictError(f"Job {job_id} is {job.state} already and cannot be cancelled.")
    for child in children(session, job_id):
        if child.state not in FINISHED_STATES:
            cancel(session, child.id)
    if job.state == JobState.LEASED and job.lease_token:
        _end(job, session.get_one(Attempt, job.lease_token), LeaseOutcome.CANCELLED, None)
    job.state = JobState.CANCELLED
    session.flush()
    return job


def children(session: Session, job_id: str) -> Sequence[Job]:
    """The jobs that this one waits for, oldest first."""
    return session.scalars(select(Job).where(Job.parent_id == job_id).order_by(Job.id)).all()


def child_states(session: Session, job_id: str) -> dict[JobState, int]:
    """How many children are in each state."""
    return dict(Counter(session.scalars(select(Job.state).where(Job.parent_id == job_id))))


def attempts_of(session: Session, job_id: str) -> Sequence[Attempt]:
    """Every lease that the job had, oldest first, with how it ended and why."""
    return session.scalars(select(Attempt).where(Attempt.job_id == job_id).order_by(Attempt.number)).all()


def open_jobs(session: Session, kind: JobKind) -> Sequence[Job]:
    """Jobs of a kind that are neither done, failed nor cancelled, oldest first; rows others hold are skipped."""
    query = select(Job).where(Job.kind == kind, Job.state.in_((JobState.QUEUED, JobState.LEASED))).order_by(Job.id)
    return session.scalars(query.with_for_update(skip_locked=True)).all()


def finish_job(session: Session, job_id: str, result: Mapping[str, Any]) -> Job:
    """Finish a job that the service itself does.

    Raises:
        ConflictError: it is finished already, for example cancelled.
    """
    job = _unfinished(session, job_id)
    job.state, job.result = JobState.DONE, dict(result)
    session.flush()
    return job


def fail_job(session: Session, job_id: str, message: str) -> Job:
    """Fail a job that the service itself does; `message` says why and what to do.

    Raises:
        ConflictError: it is finished already, for example cancelled.
    """
    job = _unfinished(session, job_id)
    job.state, job.result = JobState.FAILED, {"error": message}
    session.flush()
    return job


def _unfinished(session: Session, job_id: str) -> Job:
    job = find(session, job_id, lock=True)
    if job.state in FINISHED_STATES:
        raise ConflictError(f"Job {job_id} is {job.state} already.")
    return job


def _same(kept: str | None, given: str) -> bool:
    return secrets.compare_digest((kept or "").encode(), given.encode())


def _reported(session: Session, job_id: str, lease_token: str) -> tuple[Job, Attempt]:
    job = find(session, job_id, lock=True)
    attempt = session.get(Attempt, lease_token)
    if attempt is None or attempt.job_id != job_id:
        raise LeaseLostError(f"Job {job_id} was never leased with this token.")
    return job, attempt


def _require_open(job: Job, attempt: Attempt) -> None:
    if job.lease_token != attempt.lease_token:
        raise LeaseLostError(f"The lease of job {job.id} ran out and another agent got the job; drop this report.")
    if job.state in FINISHED_STATES or attempt.outcome not in (None, LeaseOutcome.EXPIRED):
        raise LeaseLostError(f"This lease of job {job.id} has ended (the job is {job.state}); drop this report.")


def _require_same_work(job: Job, measurement: Measurement) -> None:
    if measurement.graph != job.graph_hash or measurement.target.id != job.target_id:
        raise InputError(
            f"Job {job.id} asks for graph {job.graph_hash} on target {job.target_id}, but the measurement is of graph "
            f"{measurement.graph} on target {measurement.target.id}. If the runtime's version changed, register again."
        )


def _end(job: Job, attempt: Attempt, outcome: LeaseOutcome, failure: Failure | None) -> None:
    attempt.outcome, attempt.ended_unix_s = outcome, time.time()
    if failure is not None:
        attempt.stage, attempt.message = failure.stage, failure.message
    job.deadline_unix_s = None

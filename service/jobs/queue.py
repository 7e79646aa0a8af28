"""The queue: jobs are leased to workers, and every lease ends in a report, a release or its deadline.

Agents and the service's own worker lease alike. A job is `queued`, `leased`, and then `done`, `failed` or `cancelled`.
Each lease has a token that nobody can guess; the `attempt` table remembers how each ended, so a repeated report is
answered as the first was. A job whose children are not finished waits. Every function works inside the caller's
transaction and locks the job's row first.
"""

import secrets
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.orm import Session

from latcast.errors import ConflictError, LeaseLostError, NotFoundError
from latcast.schema import FINISHED_STATES, JobKind, JobState, LatcastError, LeaseOutcome, TargetId
from service.db.tables import Agent, Attempt, Checkpoint, Job, new_id
from service.db.visibility import ALL_ROWS
from service.jobs.leasable import (
    DEADLINE,
    DEVICE,
    JOBS,
    NOW,
    TOKEN,
    any_leasable,
    first_of_each,
    leasing,
    offering_work,
    still_queued,
)
from service.jobs.payloads import Payload, stored
from service.jobs.turns import Line

__all__ = [
    "Receipt",
    "ReportedLease",
    "Worker",
    "any_beyond",
    "any_late",
    "attempts_of",
    "attempts_of_all",
    "cancel",
    "child_states",
    "child_states_of_all",
    "children",
    "complete",
    "completed",
    "devices_with_work",
    "enqueue",
    "enqueue_each",
    "expire",
    "fail",
    "failed",
    "find",
    "has_work",
    "heartbeat",
    "lease",
    "lease_together",
    "release",
    "renew",
    "reported",
    "reported_together",
    "require_open",
    "was_given_up",
]

EXPIRED_STAGE, EXPIRED_MESSAGE = "timeout", "The worker fell silent and its lease ran out."


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Who leases jobs: an agent, or a process of the service's own; one of `agent_id` and `process` is set.

    Args:
        agent_id: of the agent.
        device_id: where given, only jobs for targets that this device offers are leased.
        process: name of the service's process.
    """

    agent_id: str | None = None
    device_id: str | None = None
    process: str | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """How a report was taken: the job's state after it, and the measurement's row if one was written."""

    job_id: str
    state: JobState
    measurement_id: int | None = None


@dataclass(frozen=True, slots=True)
class ReportedLease:
    """The lease that a report says to come from: its job, its token and, where a device reports, that."""

    job_id: str
    lease_token: str
    device_id: str | None = None


# --- Jobs -------------------------------------------------------------------------------------------------------


def enqueue(
    session: Session,
    payload: Payload,
    *,
    max_attempts: int,
    target_id: TargetId | None = None,
    graph_hash: str | None = None,
    parent_id: str | None = None,
    line: Line | None = None,
) -> Job:
    """A new job in its submitter's turn.

    Args:
        session: in a transaction.
        payload: what to do; its record says the job's kind.
        max_attempts: how often it may be leased without success.
        target_id: where.
        graph_hash: what to measure.
        parent_id: the job that waits for this one.
        line: in which it stands; one for all jobs of a submitter that are made together. By default nobody's.

    Raises:
        InputError: the payload holds a value that the databases cannot keep.
    """
    line = line or Line(session, payload.kind, target_id)
    (job,) = enqueue_each(
        session, payload, [graph_hash], max_attempts=max_attempts, target_id=target_id, parent_id=parent_id, line=line
    )
    return job


def enqueue_each(
    session: Session,
    payload: Payload,
    graph_hashes: Sequence[str | None],
    *,
    max_attempts: int,
    target_id: TargetId | None,
    line: Line,
    parent_id: str | None = None,
) -> list[Job]:
    """What `enqueue` makes, for each of several graphs in order, written together.

    Raises:
        InputError: the payload holds a value that the databases cannot keep.
    """
    plain = stored(payload)
    jobs = [
        Job(
            id=new_id(),  # the database would be asked for each one's
            kind=payload.kind,
            payload=plain,
            max_attempts=max_attempts,
            target_id=target_id,
            graph_hash=graph_hash,
            parent_id=parent_id,
            api_key_id=line.submitter.key_id,
            priority=line.submitter.priority,
            turn=line.next_turn(),
        )
        for graph_hash in graph_hashes
    ]
    session.add_all(jobs)
    session.flush()
    return jobs


def find(session: Session, job_id: str, *, lock: bool = False) -> Job:
    """The job of this id.

    Raises:
        NotFoundError: there is none.
    """
    job = session.get(Job, job_id, with_for_update=lock or None, populate_existing=lock)
    if job is None:
        raise _no_job(job_id)
    return job


def _no_job(job_id: str) -> NotFoundError:
    return NotFoundError(f"There is no job {job_id!r}.")


def children(session: Session, job_id: str) -> Sequence[Job]:
    """The jobs that this one waits for, oldest first."""
    return session.scalars(select(Job).where(Job.parent_id == job_id).order_by(Job.id)).all()


def child_states(session: Session, job_id: str) -> dict[JobState, int]:
    """How many children are in each state."""
    return dict(Counter(session.scalars(select(Job.state).where(Job.parent_id == job_id))))


def attempts_of(session: Session, job_id: str) -> Sequence[Attempt]:
    """Every lease that the job had, oldest first, with how it ended and why."""
    return session.scalars(
        select(Attempt).where(Attempt.job_id == job_id).order_by(Attempt.number, Attempt.started_unix_s)
    ).all()


def child_states_of_all(session: Session, job_ids: Collection[str]) -> dict[str, dict[JobState, int]]:
    """How many children of each of these jobs are in each state; jobs without children are left out."""
    states: dict[str, dict[JobState, int]] = {}
    query = select(Job.parent_id, Job.state, func.count()).where(Job.parent_id.in_(job_ids))
    for parent_id, state, count in session.execute(query.group_by(Job.parent_id, Job.state)):
        states.setdefault(parent_id or "", {})[state] = count
    return states


def attempts_of_all(session: Session, job_ids: Collection[str]) -> dict[str, list[Attempt]]:
    """What `attempts_of` says of each of these jobs; jobs without attempts are left out."""
    attempts: dict[str, list[Attempt]] = {}
    query = select(Attempt).where(Attempt.job_id.in_(job_ids))
    for attempt in session.scalars(query.order_by(Attempt.number, Attempt.started_unix_s)):
        attempts.setdefault(attempt.job_id, []).append(attempt)
    return attempts


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
    if job.state == JobState.LEASED:
        _end(job, session.get_one(Attempt, job.lease_token), LeaseOutcome.CANCELLED)
    job.state = JobState.CANCELLED
    session.flush()
    _forget_checkpoints(session, job)
    return job


# --- Leases -----------------------------------------------------------------------------------------------------


def has_work(session: Session, *, kinds: Collection[JobKind], worker: Worker) -> bool:
    """Whether `lease` would find a job; takes no lock."""
    query = any_leasable(frozenset(kinds), of_device=worker.device_id is not None)
    return session.scalar(query, {DEVICE: worker.device_id}) is not None


def devices_with_work(session: Session, *, kinds: Collection[JobKind], device_ids: Collection[str]) -> set[str]:
    """Those of the devices for which `lease` would find a job; takes no lock."""
    if not device_ids:
        return set()
    return set(session.scalars(offering_work(frozenset(kinds)), {DEVICE: list(device_ids)}))


def lease(session: Session, *, kinds: Collection[JobKind], worker: Worker, lease_seconds: float) -> Job | None:
    """Give the job of these kinds whose turn it is, and which waits for nothing, to a worker; each goes to one."""
    now = time.time()
    asked = {
        DEVICE: worker.device_id,
        TOKEN: _new_token(),
        NOW: now,
        DEADLINE: now + lease_seconds,
    }
    job = session.scalar(
        leasing(frozenset(kinds), of_device=worker.device_id is not None),
        asked,
        execution_options={"synchronize_session": False, "populate_existing": True},
    )
    if job is not None:
        _begin(session, job, worker)
    return job


def lease_together(
    session: Session, *, kinds: Collection[JobKind], workers: Sequence[Worker], lease_seconds: float
) -> list[Job | None]:
    """Give each of several workers in turn the job that `lease` would give it, with as many statements as one takes.

    It takes more where a job went to another process in between, and for workers of one device.
    """
    asking: dict[str, Worker] = {}
    for worker in workers:
        if worker.device_id is not None:
            asking.setdefault(worker.device_id, worker)
    given = _first_jobs(session, kinds, asking, lease_seconds=lease_seconds) if asking else {}
    session.flush()  # what follows sees that they are leased
    jobs: list[Job | None] = []
    for worker in workers:
        if worker in given:
            jobs.append(given.pop(worker))
        else:
            jobs.append(lease(session, kinds=kinds, worker=worker, lease_seconds=lease_seconds))
    return jobs


def _first_jobs(
    session: Session, kinds: Collection[JobKind], workers: Mapping[str, Worker], *, lease_seconds: float
) -> dict[Worker, Job | None]:
    """The jobs of devices' workers, None where nothing waits; left out is one whose job somebody else got just now."""
    now = time.time()
    firsts = session.execute(first_of_each(frozenset(kinds)), {DEVICE: list(workers)}).all()
    wanted = {job_id: workers[device_id] for device_id, job_id in firsts if device_id and job_id is not None}
    given: dict[Worker, Job | None] = dict.fromkeys(set(workers.values()) - set(wanted.values()))
    found = session.scalars(still_queued(), {JOBS: list(wanted)}).all() if wanted else ()
    for job in sorted(found, key=lambda job: (-job.priority, job.turn, job.id)):
        worker = wanted[job.id]
        if worker not in given:  # which may have jobs on several targets
            job.state, job.lease_token, job.deadline_unix_s = JobState.LEASED, _new_token(), now + lease_seconds
            job.attempts += 1
            _begin(session, job, worker)
            given[worker] = job
    return given


def _begin(session: Session, job: Job, worker: Worker) -> None:
    """Remember a lease that begins."""
    session.add(
        Attempt(
            lease_token=job.lease_token,
            job_id=job.id,
            agent_id=worker.agent_id,
            process=worker.process,
            number=job.attempts,
        )
    )


def _new_token() -> str:
    return secrets.token_urlsafe(32)


def heartbeat(
    session: Session, *, job_id: str, lease_token: str, lease_seconds: float, device_id: str | None = None
) -> float:
    """Extend the lease; the new deadline in seconds since 1970.

    Args:
        session: in a transaction.
        job_id: of the job.
        lease_token: of the lease.
        lease_seconds: from now to the new deadline.
        device_id: the device that asks, if it is one; the lease has to be its own.

    Raises:
        LeaseLostError: the lease ran out or is another device's, the job was cancelled or is finished.
        NotFoundError: there is no such job.
    """
    job, _ = reported(session, job_id, lease_token, device_id=device_id)
    if job.state != JobState.LEASED or not _same(job.lease_token, lease_token):
        raise LeaseLostError(f"This lease of job {job_id} has ended (the job is {job.state}); stop working on it.")
    job.deadline_unix_s = time.time() + lease_seconds
    return job.deadline_unix_s


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
        _end(job, attempt, LeaseOutcome.EXPIRED, stage=EXPIRED_STAGE, message=EXPIRED_MESSAGE)
        job.state = JobState.FAILED if job.attempts >= job.max_attempts else JobState.QUEUED
        _forget_checkpoints(session, job)
    return len(late)


def renew(session: Session, *, lease_seconds: float, beyond_s: float = 0.0) -> int:
    """Let leases run for `lease_seconds` from now, because the clock was set; how many there were.

    Args:
        session: in a transaction.
        lease_seconds: the length of a lease.
        beyond_s: only those that end later than so many seconds from now; by default all.
    """
    now = time.time()
    held = update(Job).where(Job.state == JobState.LEASED)
    if beyond_s:
        held = held.where(Job.deadline_unix_s > now + beyond_s)
    renewed = session.scalars(held.values(deadline_unix_s=now + lease_seconds).returning(Job.id))
    return len(renewed.all())


def any_beyond(session: Session, seconds: float) -> bool:
    """Whether a lease ends later than so many seconds from now, as none is given; takes no lock."""
    far = select(Job.id).where(Job.state == JobState.LEASED, Job.deadline_unix_s > time.time() + seconds).limit(1)
    return session.scalar(far) is not None


# --- Reports ----------------------------------------------------------------------------------------------------


def complete(session: Session, *, job_id: str, lease_token: str, result: Mapping[str, Any]) -> Receipt:
    """Finish a job with what came of it; a repeat is answered as the first was, and writes nothing.

    A lease that ran out still delivers as long as nobody else got the job.

    Raises:
        LeaseLostError: the job went on to somebody else, or is finished.
        NotFoundError: there is no such job.
    """
    return completed(session, *reported(session, job_id, lease_token), result=result)


def completed(session: Session, job: Job, attempt: Attempt, *, result: Mapping[str, Any]) -> Receipt:
    """`complete` for a job that is locked already, with the lease that the report comes from (`reported`)."""
    if attempt.outcome != LeaseOutcome.DONE:
        require_open(job, attempt)
        _end(job, attempt, LeaseOutcome.DONE)
        job.state, job.result = JobState.DONE, dict(result)
        _forget_checkpoints(session, job)
    return Receipt(job.id, job.state)


def fail(
    session: Session,
    *,
    job_id: str,
    lease_token: str,
    message: str,
    stage: str | None = None,
    final: bool,
    result: Mapping[str, Any] | None = None,
) -> Receipt:
    """Take note that an attempt failed; the job returns to the queue while attempts are left, unless it is final.

    Args:
        session: in a transaction.
        job_id: of the job.
        lease_token: of the lease that ends.
        message: why, and what to do.
        stage: at which it failed (`latcast.schema.FailureStage`), if it was a measurement.
        final: trying again would fail in the same way.
        result: what the job keeps of it.

    Raises:
        LeaseLostError: the job went on to somebody else, or is finished.
        NotFoundError: there is no such job.
    """
    job, attempt = reported(session, job_id, lease_token)
    return failed(session, job, attempt, message=message, stage=stage, final=final, result=result)


def failed(
    session: Session,
    job: Job,
    attempt: Attempt,
    *,
    message: str,
    stage: str | None = None,
    final: bool,
    result: Mapping[str, Any] | None = None,
) -> Receipt:
    """`fail` for a job that is locked already, with the lease that the report comes from (`reported`)."""
    if attempt.outcome != LeaseOutcome.FAILED:
        require_open(job, attempt)
        _end(job, attempt, LeaseOutcome.FAILED, stage=stage, message=message)
        job.state = JobState.FAILED if final or job.attempts >= job.max_attempts else JobState.QUEUED
        job.result = None if result is None else dict(result)
        _forget_checkpoints(session, job)
    return Receipt(job.id, job.state)


def release(session: Session, *, job_id: str, lease_token: str) -> Receipt:
    """Return a job to the queue without counting the lease as an attempt; with children it waits for them.

    Raises:
        LeaseLostError: the job went on to somebody else, or is finished.
        NotFoundError: there is no such job.
    """
    job, attempt = reported(session, job_id, lease_token)
    if attempt.outcome != LeaseOutcome.RELEASED:
        require_open(job, attempt)
        _end(job, attempt, LeaseOutcome.RELEASED)
        job.state, job.attempts = JobState.QUEUED, job.attempts - 1
    return Receipt(job_id, job.state)


def reported(session: Session, job_id: str, lease_token: str, *, device_id: str | None = None) -> tuple[Job, Attempt]:
    """The job that a report is about, locked, and the lease that it comes from, which may have ended.

    Args:
        session: in a transaction.
        job_id: of the job.
        lease_token: of the lease.
        device_id: the device that reports, if it is one; whichever of its keys it uses, the lease has to be its own.

    Raises:
        LeaseLostError: the job was never leased with this token, or not by this device.
        NotFoundError: there is no such job.
    """
    (lease,) = reported_together(session, [ReportedLease(job_id, lease_token, device_id)])
    if isinstance(lease, LatcastError):
        raise lease
    return lease


def reported_together(
    session: Session, leases: Sequence[ReportedLease]
) -> list[tuple[Job, Attempt] | LeaseLostError | NotFoundError]:
    """What `reported` says of each of the leases, in one statement; an error where it would raise it."""
    tokens = [lease.lease_token for lease in leases]
    by_token = {row.Attempt.lease_token: row for row in session.execute(_REPORTED, {"leases": tokens})}
    of_no_job = {lease.job_id for lease in leases if not _is_of(by_token.get(lease.lease_token), lease)}
    there = set(session.scalars(select(Job.id).where(Job.id.in_(of_no_job)))) if of_no_job else set()
    return [_reported(by_token.get(lease.lease_token), lease, there) for lease in leases]


def _is_of(row: Any, lease: ReportedLease) -> bool:
    return row is not None and row.Job.id == lease.job_id


def _reported(
    row: Any, lease: ReportedLease, there: Collection[str]
) -> tuple[Job, Attempt] | LeaseLostError | NotFoundError:
    if not _is_of(row, lease):
        if lease.job_id in there:
            return LeaseLostError(f"Job {lease.job_id} was never leased with this token.")
        return _no_job(lease.job_id)
    if lease.device_id is not None and row.device_id != lease.device_id:
        return LeaseLostError(
            f"Job {lease.job_id} was leased by another device; only that one reports with this token."
        )
    return row.Job, row.Attempt


_REPORTED = (
    select(Job, Attempt, Agent.device_id)
    .join(Attempt, Attempt.job_id == Job.id)
    .outerjoin(Agent, Agent.id == Attempt.agent_id)
    .where(Attempt.lease_token.in_(bindparam("leases", expanding=True)))
    .order_by(Job.id)  # whoever locks several jobs locks them in this order
    .with_for_update(of=(Job, Attempt))
    .execution_options(populate_existing=True, **ALL_ROWS)
)
"""Both rows are locked: PostgreSQL reads only those anew that it waited for, and the lease may have ended meanwhile."""


def was_given_up(job: Job, attempt: Attempt) -> bool:
    """Whether the job failed for want of an answer after this lease, the last one, had run out."""
    is_last = job.lease_token == attempt.lease_token
    return is_last and job.state == JobState.FAILED and attempt.outcome == LeaseOutcome.EXPIRED


def require_open(job: Job, attempt: Attempt) -> None:
    """Refuse reports of a lease that has ended otherwise.

    Raises:
        LeaseLostError: the job went on to somebody else, or is finished.
    """
    if job.lease_token != attempt.lease_token:
        raise LeaseLostError(f"The lease of job {job.id} ran out and another worker got the job; drop this report.")
    if job.state in FINISHED_STATES or attempt.outcome not in (None, LeaseOutcome.EXPIRED):
        raise LeaseLostError(f"This lease of job {job.id} has ended (the job is {job.state}); drop this report.")


def _forget_checkpoints(session: Session, job: Job) -> None:
    """Drop what was kept of a job that nobody goes on with; the jobs of agents keep nothing."""
    if job.kind != JobKind.PROFILE and job.state in FINISHED_STATES:
        session.execute(delete(Checkpoint).where(Checkpoint.job_id == job.id))


def _same(kept: str | None, sent: str) -> bool:
    return secrets.compare_digest((kept or "").encode(), sent.encode())


def _end(
    job: Job, attempt: Attempt, outcome: LeaseOutcome, *, stage: str | None = None, message: str | None = None
) -> None:
    attempt.outcome, attempt.ended_unix_s = outcome, time.time()
    if message is not None:
        attempt.stage, attempt.message = stage, message
    job.deadline_unix_s = None

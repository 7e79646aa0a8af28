"""What agents report about measuring jobs: a measurement, or why there is none."""

import time
from dataclasses import dataclass, replace

from sqlalchemy import bindparam, select, true
from sqlalchemy.orm import Session

from latcast.schema import Failure, InputError, LeaseOutcome, Measurement
from service.db import records
from service.db.tables import Agent, Attempt, Graph, Job, Target
from service.db.tables import Measurement as MeasurementRow
from service.db.visibility import ALL_ROWS
from service.jobs import queue
from service.jobs.payloads import ProfilePayload, parsed
from service.jobs.queue import Receipt
from service.jobs.report_checks import clipped, require_fit

__all__ = ["FINAL_STAGES", "MODEL_STAGES", "take_failure", "take_measurement"]

FINAL_STAGES = frozenset({"load", "open", "feeds", "run", "memory", "unavailable"})
"""Stages at which trying again would fail in the same way: the same model meets the same inputs."""
MODEL_STAGES = frozenset({"load", "open", "feeds", "run", "timeout", "memory", "crash"})
"""Stages at which it is the model that failed on the target, rather than the agent."""


def take_measurement(
    session: Session, *, job_id: str, lease_token: str, measurement: Measurement, device_id: str | None = None
) -> Receipt:
    """Store what an agent measured and finish the job; a failed measurement is stored too and fails the job. What comes
    from an agent in quarantine is hidden (`service.curation.hiding`).

    A repeat is answered as the first was, and writes nothing. A lease that ran out still delivers as long as
    nobody else got the job; where the job was given up meanwhile, it stays so, and the measurement is kept all the
    same: an agent may come back after weeks.

    Args:
        session: in a transaction.
        job_id: of the job.
        lease_token: of the lease.
        measurement: what was measured.
        device_id: the device that reports; the lease has to be its own. None where it is known to be.

    Raises:
        InputError: the measurement is of another graph or target, was not taken as the job asks, or has impossible
            values.
        LeaseLostError: the lease is another device's, the job went on to somebody else, or is finished.
        NotFoundError: there is no such job.
    """
    job, attempt = queue.reported(session, job_id, lease_token, device_id=device_id)
    if attempt.outcome is not None:  # a lease that has not ended has no row
        same = select(MeasurementRow).where(MeasurementRow.lease_token == lease_token)
        written = session.scalar(same, execution_options=ALL_ROWS)
        if written is not None and (written.failure_stage is None) == (measurement.failure is None):
            return Receipt(job_id, job.state, written.id)
    kept_for_long = measurement.failure is None and queue.was_given_up(job, attempt)
    if not kept_for_long:
        queue.require_open(job, attempt)
    work = _work_of(session, job, attempt)
    measurement = _of_same_work(work, measurement)
    if measurement.failure is not None:
        measurement = replace(measurement, failure=clipped(measurement.failure))
    require_fit(work.payload, measurement, nodes=work.nodes)
    row = _add_row(session, work, lease_token, measurement)
    if kept_for_long:
        return Receipt(job_id, job.state, row.id)
    result = {"measurement_id": row.id}
    if (failure := measurement.failure) is None:
        receipt = queue.completed(session, job, attempt, result=result)
    else:
        receipt = queue.failed(
            session, job, attempt, message=failure.message, stage=failure.stage, final=True, result=result
        )
    return replace(receipt, measurement_id=row.id)


def take_failure(
    session: Session, *, job_id: str, lease_token: str, failure: Failure, device_id: str | None = None
) -> Receipt:
    """Take note that an agent could not measure; the job returns to the queue while attempts are left.

    Stages that would fail in the same way again (`FINAL_STAGES`) fail the job at once. A failure that is the model's
    (`MODEL_STAGES`) is kept as a measurement without samples too. A repeat writes nothing.

    Args:
        session: in a transaction.
        job_id: of the job.
        lease_token: of the lease.
        failure: why nothing was measured.
        device_id: the device that reports; the lease has to be its own. None where it is known to be.

    Raises:
        InputError: nothing fails at the stage.
        LeaseLostError: the lease is another device's, the job went on to somebody else, or is finished.
        NotFoundError: there is no such job.
    """
    failure = clipped(failure)
    job, attempt = queue.reported(session, job_id, lease_token, device_id=device_id)
    first = attempt.outcome != LeaseOutcome.FAILED
    receipt = queue.failed(
        session,
        job,
        attempt,
        message=failure.message,
        stage=failure.stage,
        final=failure.stage in FINAL_STAGES,
    )
    if first and failure.stage in MODEL_STAGES:
        _keep_failure(session, _work_of(session, job, attempt), lease_token, failure)
    return receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What a job asks for, and of whom.

    Args:
        job: the job.
        payload: what it says, read.
        target: the row of the target as it is called now.
        nodes: of the graph.
        agent_id: of the agent that has the lease.
        hidden_unix_s: of what is reported: hidden with its target or graph, or because the agent is in quarantine; None
            where it is seen.
    """

    job: Job
    payload: ProfilePayload
    target: Target
    nodes: int
    agent_id: str | None
    hidden_unix_s: float | None


_WORK = (
    select(Target, Graph.summary, Graph.hidden_unix_s, Agent.quarantined_unix_s)
    .select_from(Target)
    .join(Graph, true())
    .outerjoin(Agent, Agent.id == bindparam("agent"))
    .where(Target.id == bindparam("target"), Graph.hash == bindparam("graph"))
    .execution_options(**ALL_ROWS)
)
"""What was hidden while the agent measured it is stored all the same, and comes back with its target or graph."""


def _work_of(session: Session, job: Job, attempt: Attempt) -> _Work:
    ids = {"target": job.target_id, "graph": job.graph_hash, "agent": attempt.agent_id}
    target, summary, graph_hidden, quarantined = session.execute(_WORK, ids).one()
    return _Work(
        job=job,
        payload=parsed(ProfilePayload, job),
        target=target,
        nodes=summary["nodes"],
        agent_id=attempt.agent_id,
        hidden_unix_s=target.hidden_unix_s or graph_hidden or (None if quarantined is None else time.time()),
    )


def _keep_failure(session: Session, work: _Work, lease_token: str, failure: Failure) -> None:
    measurement = Measurement(
        graph=work.job.graph_hash or "",
        target=records.target_record(work.target),
        settings=work.payload.settings,
        failure=failure,
    )
    _add_row(session, work, lease_token, measurement)


def _add_row(session: Session, work: _Work, lease_token: str, measurement: Measurement) -> MeasurementRow:
    key = records.feeds_key(work.payload.feeds)
    row = records.measurement_row(
        measurement, feeds_key=key, job_id=work.job.id, lease_token=lease_token, agent_id=work.agent_id
    )
    row.hidden_unix_s = work.hidden_unix_s
    session.add(row)
    session.flush()
    return row


def _of_same_work(work: _Work, measurement: Measurement) -> Measurement:
    """The measurement, on the target as it is called now; a result that an agent kept may have its former id.

    Raises:
        InputError: the job asks for something else.
    """
    job, target = work.job, work.target
    if measurement.graph != job.graph_hash or measurement.target.id not in (target.id, target.former_id):
        raise InputError(
            f"Job {job.id} asks for graph {job.graph_hash} on target {job.target_id}, but the measurement is of graph "
            f"{measurement.graph} on target {measurement.target.id}. If the runtime's version changed, register again."
        )
    return replace(measurement, target=records.target_record(target))

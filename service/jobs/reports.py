"""What agents report about measuring jobs: a measurement, or why there is none."""

import time
from dataclasses import replace

from sqlalchemy import select
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
    same = select(MeasurementRow).where(MeasurementRow.lease_token == lease_token)
    written = session.scalar(same, execution_options=ALL_ROWS)
    if written is not None and (written.failure_stage is None) == (measurement.failure is None):
        return Receipt(job_id, job.state, written.id)
    kept_for_long = measurement.failure is None and queue.was_given_up(job, attempt)
    if not kept_for_long:
        queue.require_open(job, attempt)
    measurement = _of_same_work(session, job, measurement)
    if measurement.failure is not None:
        measurement = replace(measurement, failure=clipped(measurement.failure))
    graph = session.get_one(Graph, job.graph_hash)
    require_fit(parsed(ProfilePayload, job), measurement, nodes=graph.summary["nodes"])
    row = _add_row(session, job, lease_token, measurement)
    if kept_for_long:
        return Receipt(job_id, job.state, row.id)
    result = {"measurement_id": row.id}
    if (failure := measurement.failure) is None:
        receipt = queue.complete(session, job_id=job_id, lease_token=lease_token, result=result)
    else:
        receipt = queue.fail(
            session,
            job_id=job_id,
            lease_token=lease_token,
            message=failure.message,
            stage=failure.stage,
            final=True,
            result=result,
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
    receipt = queue.fail(
        session,
        job_id=job_id,
        lease_token=lease_token,
        message=failure.message,
        stage=failure.stage,
        final=failure.stage in FINAL_STAGES,
    )
    if first and failure.stage in MODEL_STAGES:
        _keep_failure(session, job, lease_token, failure)
    return receipt


def _keep_failure(session: Session, job: Job, lease_token: str, failure: Failure) -> None:
    measurement = Measurement(
        graph=job.graph_hash or "",
        target=records.target_record(session.get_one(Target, job.target_id)),
        settings=parsed(ProfilePayload, job).settings,
        failure=failure,
    )
    _add_row(session, job, lease_token, measurement)


def _add_row(session: Session, job: Job, lease_token: str, measurement: Measurement) -> MeasurementRow:
    key = records.feeds_key(parsed(ProfilePayload, job).feeds)
    leased = select(Agent).join(Attempt, Attempt.agent_id == Agent.id).where(Attempt.lease_token == lease_token)
    agent = session.scalar(leased)
    row = records.measurement_row(
        measurement, feeds_key=key, job_id=job.id, lease_token=lease_token, agent_id=agent.id if agent else None
    )
    if agent is not None and agent.quarantined_unix_s is not None:
        row.hidden_unix_s = time.time()
    session.add(row)
    session.flush()
    return row


def _of_same_work(session: Session, job: Job, measurement: Measurement) -> Measurement:
    """The measurement, on the target as it is called now; a result that an agent kept may have its former id.

    Raises:
        InputError: the job asks for something else.
    """
    target = session.get_one(Target, job.target_id)
    if measurement.graph != job.graph_hash or measurement.target.id not in (target.id, target.former_id):
        raise InputError(
            f"Job {job.id} asks for graph {job.graph_hash} on target {job.target_id}, but the measurement is of graph "
            f"{measurement.graph} on target {measurement.target.id}. If the runtime's version changed, register again."
        )
    return replace(measurement, target=records.target_record(target))

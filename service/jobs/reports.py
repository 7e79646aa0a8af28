"""What agents report about measuring jobs: a measurement, or why there is none.

Reports that come together are taken together, in one transaction and with as many statements as one takes.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from latcast.schema import Failure, InputError, LatcastError, LeaseOutcome, Measurement
from service.db import records
from service.db.measurement_rows import insert_measurements
from service.db.records import MeasurementValues
from service.db.tables import Agent, Attempt, Graph, Job, Target
from service.db.tables import Measurement as MeasurementRow
from service.db.visibility import ALL_ROWS
from service.jobs import queue
from service.jobs.payloads import ProfilePayload, parsed
from service.jobs.queue import Receipt, ReportedLease
from service.jobs.report_checks import clipped, require_fit

__all__ = ["FINAL_STAGES", "MODEL_STAGES", "Report", "take", "take_failure", "take_measurement"]

FINAL_STAGES = frozenset({"load", "open", "feeds", "run", "memory", "unavailable"})
"""Stages at which trying again would fail in the same way: the same model meets the same inputs."""
MODEL_STAGES = frozenset({"load", "open", "feeds", "run", "timeout", "memory", "crash"})
"""Stages at which it is the model that failed on the target, rather than the agent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What an agent says about a job.

    Args:
        job_id: of the job.
        lease_token: of the lease.
        outcome: what was measured, or why nothing was.
        device_id: the device that reports; the lease has to be its own. None where it is known to be.
    """

    job_id: str
    lease_token: str
    outcome: Measurement | Failure
    device_id: str | None = None


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
    return _taken(session, Report(job_id=job_id, lease_token=lease_token, outcome=measurement, device_id=device_id))


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
    return _taken(session, Report(job_id=job_id, lease_token=lease_token, outcome=failure, device_id=device_id))


def _taken(session: Session, report: Report) -> Receipt:
    (answer,) = take(session, [report])
    if isinstance(answer, LatcastError):
        raise answer
    return answer


def take(session: Session, reports: Sequence[Report]) -> list[Receipt | LatcastError]:
    """Take reports, each as `take_measurement` or `take_failure` would; how each was taken, or the error that it gets.

    Args:
        session: in a transaction.
        reports: each of another lease.
    """
    leases = queue.reported_together(
        session, [ReportedLease(each.job_id, each.lease_token, each.device_id) for each in reports]
    )
    open_ones = {lease[1].lease_token: lease[1] for lease in leases if not isinstance(lease, LatcastError)}
    seen = _Seen(
        written=_written(session, [token for token, attempt in open_ones.items() if attempt.outcome is not None]),
        works=_works(session, list(open_ones)),
    )
    cases = [_case(report, lease, seen) for report, lease in zip(reports, leases, strict=True)]
    made = [case.row for case in cases if isinstance(case, _Case) and case.row is not None]
    ids = iter(insert_measurements(session, made))
    answers = [_ended(session, case, ids) if isinstance(case, _Case) else case for case in cases]
    session.flush()
    return answers


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What a job asks for, and of whom.

    Args:
        target: the row of the target as it is called now.
        nodes: of the graph.
        hidden_unix_s: of what is reported: hidden with its target or graph, or because the agent is in quarantine; None
            where it is seen.
    """

    target: Target
    nodes: int
    hidden_unix_s: float | None


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the database has about leases, by their tokens.

    Args:
        written: rows of those that were reported before, with `id` and `failure_stage`.
        works: what their jobs ask for.
    """

    written: Mapping[str, Any]
    works: Mapping[str, _Work]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """A report that is taken.

    Args:
        report: the report.
        job, attempt: that it ends; locked.
        row: that is written; None where none is.
        ends: whether the job ends with it; one that was given up long ago does not.
    """

    report: Report
    job: Job
    attempt: Attempt
    row: MeasurementValues | None
    ends: bool = True


_WRITTEN = (
    select(MeasurementRow.id, MeasurementRow.lease_token, MeasurementRow.failure_stage)
    .where(MeasurementRow.lease_token.in_(bindparam("leases", expanding=True)))
    .execution_options(**ALL_ROWS)
)
_WORKS = (
    select(Attempt.lease_token, Target, Graph.summary, Graph.hidden_unix_s, Agent.quarantined_unix_s)
    .select_from(Attempt)
    .join(Job, Job.id == Attempt.job_id)
    .join(Target, Target.id == Job.target_id)
    .join(Graph, Graph.hash == Job.graph_hash)
    .outerjoin(Agent, Agent.id == Attempt.agent_id)
    .where(Attempt.lease_token.in_(bindparam("leases", expanding=True)))
    .execution_options(**ALL_ROWS)
)
"""What was hidden while the agent measured it is stored all the same, and comes back with its target or graph."""


def _written(session: Session, tokens: Sequence[str]) -> dict[str, Any]:
    """Rows of leases that have ended: one that has not has no row."""
    return {row.lease_token: row for row in session.execute(_WRITTEN, {"leases": tokens})} if tokens else {}


def _works(session: Session, tokens: Sequence[str]) -> dict[str, _Work]:
    if not tokens:
        return {}
    rows = session.execute(_WORKS, {"leases": tokens}).all()
    return {
        token: _Work(
            target=target,
            nodes=summary["nodes"],
            hidden_unix_s=target.hidden_unix_s or graph_hidden or (None if quarantined is None else time.time()),
        )
        for token, target, summary, graph_hidden, quarantined in rows
    }


def _case(report: Report, lease: tuple[Job, Attempt] | LatcastError, seen: _Seen) -> _Case | Receipt | LatcastError:
    """What is to be done; a receipt for a repeat, and the error for what is refused."""
    try:
        if isinstance(report.outcome, Failure):
            report = replace(report, outcome=clipped(report.outcome))
        if isinstance(lease, LatcastError):
            return lease
        take_note = _failed if isinstance(report.outcome, Failure) else _measured
        return take_note(report, *lease, seen)
    except LatcastError as error:
        return error


def _measured(report: Report, job: Job, attempt: Attempt, seen: _Seen) -> _Case | Receipt:
    assert isinstance(report.outcome, Measurement)  # noqa: S101 - failures are taken by `_failed`
    measurement, row = report.outcome, seen.written.get(report.lease_token)
    if row is not None and (row.failure_stage is None) == (measurement.failure is None):
        return Receipt(job.id, job.state, row.id)
    kept_for_long = measurement.failure is None and queue.was_given_up(job, attempt)
    if not kept_for_long:
        queue.require_open(job, attempt)
    work, payload = seen.works[report.lease_token], parsed(ProfilePayload, job)
    measurement = _of_same_work(job, work.target, measurement)
    if measurement.failure is not None:
        measurement = replace(measurement, failure=clipped(measurement.failure))
    require_fit(payload, measurement, nodes=work.nodes)
    return _Case(
        report=replace(report, outcome=measurement),
        job=job,
        attempt=attempt,
        row=_values(measurement, job, attempt, payload, work),
        ends=not kept_for_long,
    )


def _failed(report: Report, job: Job, attempt: Attempt, seen: _Seen) -> _Case | Receipt:
    assert isinstance(report.outcome, Failure)  # noqa: S101 - measurements are taken by `_measured`
    if attempt.outcome == LeaseOutcome.FAILED:
        return Receipt(job.id, job.state)
    queue.require_open(job, attempt)
    row = None
    if report.outcome.stage in MODEL_STAGES:
        work, payload = seen.works[report.lease_token], parsed(ProfilePayload, job)
        measurement = Measurement(
            graph=job.graph_hash or "",
            target=records.target_record(work.target),
            settings=payload.settings,
            failure=report.outcome,
        )
        row = _values(measurement, job, attempt, payload, work)
    return _Case(report=report, job=job, attempt=attempt, row=row)


def _values(
    measurement: Measurement, job: Job, attempt: Attempt, payload: ProfilePayload, work: _Work
) -> MeasurementValues:
    return records.measurement_values(
        measurement,
        feeds_key=records.feeds_key(payload.feeds),
        job_id=job.id,
        lease_token=attempt.lease_token,
        agent_id=attempt.agent_id,
        hidden_unix_s=work.hidden_unix_s,
    )


def _ended(session: Session, case: _Case, ids: Iterator[int]) -> Receipt:
    """End the lease, and the job where it ends with it; `ids` are of the rows that were written."""
    row_id = None if case.row is None else next(ids)
    job, attempt, outcome = case.job, case.attempt, case.report.outcome
    if isinstance(outcome, Failure):
        return queue.failed(
            session,
            job,
            attempt,
            message=outcome.message,
            stage=outcome.stage,
            final=outcome.stage in FINAL_STAGES,
        )
    if not case.ends:
        return Receipt(job.id, job.state, row_id)
    result = {"measurement_id": row_id}
    if (failure := outcome.failure) is None:
        receipt = queue.completed(session, job, attempt, result=result)
    else:
        receipt = queue.failed(
            session, job, attempt, message=failure.message, stage=failure.stage, final=True, result=result
        )
    return replace(receipt, measurement_id=row_id)


def _of_same_work(job: Job, target: Target, measurement: Measurement) -> Measurement:
    """The measurement, on the target as it is called now; a result that an agent kept may have its former id.

    Raises:
        InputError: the job asks for something else.
    """
    if measurement.graph != job.graph_hash or measurement.target.id not in (target.id, target.former_id):
        raise InputError(
            f"Job {job.id} asks for graph {job.graph_hash} on target {job.target_id}, but the measurement is of graph "
            f"{measurement.graph} on target {measurement.target.id}. If the runtime's version changed, register again."
        )
    return replace(measurement, target=records.target_record(target))

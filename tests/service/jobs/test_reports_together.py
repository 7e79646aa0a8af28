"""Reports that come together: as many statements as one takes, and each taken as if it had come alone."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event, select, update
from sqlalchemy.orm import Session

from latcast.errors import LeaseLostError, NotFoundError
from latcast.schema import Failure, InputError, JobKind, JobState, LatcastError, Measurement
from service.db import records, tables
from service.db.session import Database
from service.jobs import queue, reports
from service.jobs.queue import Receipt
from service.jobs.reports import Report
from tests.service.helpers import TARGET, measurement
from tests.service.jobs.test_queue_states import GRAPH, MEASURE, furnish, worker_of

GOOD = measurement(GRAPH.hash)
FAILED = replace(GOOD, runs=(), failure=Failure(stage="run", message="NaN"))
MOST_STATEMENTS = 8
"""Leases, what was written of them, what they ask for; rows of measurements, kernels and counters; leases, jobs."""


def leased(session: Session, count: int) -> list[Report]:
    """A good report for each of so many jobs, which were leased by one agent."""
    agent, *_others = furnish(session)
    left = update(tables.Job).where(tables.Job.state == JobState.QUEUED)
    session.execute(left.values(state=JobState.CANCELLED))  # of an example before
    taken = []
    for _ in range(count):
        queue.enqueue(session, MEASURE, max_attempts=3, target_id=TARGET.id, graph_hash=GRAPH.hash)
        job = queue.lease(session, kinds={JobKind.PROFILE}, worker=worker_of(agent), lease_seconds=60.0)
        assert job is not None
        token = str(job.lease_token)
        taken.append(Report(job_id=job.id, lease_token=token, outcome=GOOD, device_id=agent.device_id))
    return taken


@contextmanager
def statements_of(engine: Engine) -> Iterator[list[str]]:
    """Statements that are sent while the block runs."""
    said: list[str] = []

    def note(*told: Any) -> None:
        said.append(told[2])

    event.listen(engine, "before_cursor_execute", note)
    yield said
    event.remove(engine, "before_cursor_execute", note)


def without_pragmas(said: Sequence[str]) -> list[str]:
    return [statement for statement in said if not statement.startswith("PRAGMA")]


@pytest.mark.parametrize("count", [1, 16, 64])
def test_they_take_as_many_statements_as_one(database: Database, count: int) -> None:
    with database.write.begin() as session:
        sent = leased(session, count)
    with statements_of(database.engine) as said, database.write.begin() as session:
        answers = reports.take(session, sent)
    assert all(isinstance(answer, Receipt) for answer in answers)
    assert len(without_pragmas(said)) <= MOST_STATEMENTS, said
    with database.read() as session:
        rows = session.scalars(select(tables.Measurement).order_by(tables.Measurement.id)).all()
        assert {row.lease_token: row.id for row in rows} == {
            report.lease_token: answer.measurement_id
            for report, answer in zip(sent, answers, strict=True)
            if isinstance(answer, Receipt)
        }
        assert all(records.measurement_record(row) == GOOD for row in rows)


def test_repeats_among_them_are_looked_up_together(database: Database) -> None:
    with database.write.begin() as session:
        sent = leased(session, 12)
        first = reports.take(session, sent[:4])
    with statements_of(database.engine) as said, database.write.begin() as session:
        assert reports.take(session, sent)[:4] == first
    assert len(without_pragmas(said)) <= MOST_STATEMENTS, said


def unknown(report: Report) -> Report:
    return replace(report, lease_token="guess")


def of_no_job(report: Report) -> Report:
    return replace(report, job_id="nothing")


def a_thiefs(report: Report) -> Report:
    return replace(report, device_id="thief")


def saying(outcome: Measurement | Failure) -> Callable[[Report], Report]:
    return lambda report: replace(report, outcome=outcome)


KINDS: dict[str, tuple[Callable[[Report], Report], object]] = {
    "good": (saying(GOOD), "done"),
    "failed measurement": (saying(FAILED), "failed"),
    "crash": (saying(Failure(stage="crash", message="signal 11")), "queued"),
    "internal": (saying(Failure(stage="internal", message="a bug")), "queued"),
    "final": (saying(Failure(stage="load", message="no")), "failed"),
    "other graph": (saying(replace(GOOD, graph="0" * 64)), InputError),
    "other settings": (saying(replace(GOOD, settings=replace(GOOD.settings, seed=9))), InputError),
    "infinite": (saying(replace(GOOD, noisy=False, sentinel_ms=(float("inf"),))), InputError),
    "no such stage": (saying(Failure(stage="lunch", message="no")), InputError),  # type: ignore[arg-type]
    "unknown": (unknown, LeaseLostError),
    "no job": (of_no_job, NotFoundError),
    "thief": (a_thiefs, LeaseLostError),
}


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kinds=st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=12), again=st.booleans())
def test_each_is_taken_as_if_it_had_come_alone(database: Database, kinds: list[str], again: bool) -> None:
    with database.write.begin() as session:
        sent = leased(session, 2 * len(kinds))
    made = [KINDS[kind][0](report) for kind, report in zip(kinds * 2, sent, strict=True)]
    together, alone = made[: len(kinds)], made[len(kinds) :]
    for _ in range(2 if again else 1):
        with database.write.begin() as session:
            answers = reports.take(session, together)
        singly = [taken_alone(database, report) for report in alone]
        assert list(map(what, answers)) == list(map(what, singly))
        assert [type(each) if isinstance(each, LatcastError) else each.state for each in answers] == [
            KINDS[kind][1] for kind in kinds
        ]
    assert state_of(database, sent[: len(kinds)]) == state_of(database, sent[len(kinds) :])


def taken_alone(database: Database, report: Report) -> Receipt | LatcastError:
    lease = {"job_id": report.job_id, "lease_token": report.lease_token, "device_id": report.device_id}
    try:
        with database.write.begin() as session:
            if isinstance(report.outcome, Failure):
                return reports.take_failure(session, failure=report.outcome, **lease)
            return reports.take_measurement(session, measurement=report.outcome, **lease)
    except LatcastError as error:
        return error


def what(answer: Receipt | LatcastError) -> object:
    """The answer without what differs from job to job."""
    if isinstance(answer, LatcastError):
        return type(answer)
    return answer.state, answer.measurement_id is not None


def state_of(database: Database, sent: Sequence[Report]) -> list[object]:
    """What the database has of each job, its lease and what was reported."""
    table = tables.Measurement
    with database.read() as session:
        found: list[object] = []
        for report in sent:
            job = session.get_one(tables.Job, report.job_id)
            (attempt,) = queue.attempts_of(session, report.job_id)
            rows = session.scalars(select(table).where(table.job_id == report.job_id)).all()
            kept = [records.measurement_record(row) for row in rows]
            result = job.result and sorted(job.result)
            found.append(
                (job.state, result, job.deadline_unix_s is None, attempt.outcome, attempt.stage, attempt.message, kept)
            )
        return found

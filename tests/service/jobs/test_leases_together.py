"""Leases that are asked for at the same time: what each would have got alone, in a few statements."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from latcast.schema import JobKind, JobState, ProfileSettings, Target
from service.db import records, tables
from service.db.session import Database
from service.jobs import queue
from service.jobs.payloads import ProfilePayload
from service.jobs.queue import Worker
from tests.service.helpers import DEVICE
from tests.service.jobs.test_queue_states import new_caller, worker_of
from tests.service.jobs.test_reports_together import statements_of, without_pragmas

MEASURE, KINDS = ProfilePayload(settings=ProfileSettings(backend="fake")), {JobKind.PROFILE}
MOST_STATEMENTS = 4
"""The first job of each device, the jobs' rows, that they are leased, and the leases."""


def farm(session: Session, devices: int, *, targets: int = 1) -> list[Worker]:
    """So many devices, each with an agent and so many targets; the workers."""
    workers = []
    for number in range(devices):
        device = replace(DEVICE, fingerprint=f"machine-{number}", name=f"machine-{number}")
        there = records.device_row(device)
        session.add(there)
        session.flush()
        for threads in range(1, targets + 1):
            target = Target(device=there.id, backend="fake", backend_version="1", threads=threads)
            row = records.target_row(target, there)
            row.offered = True
            session.add(row)
        session.flush()
        workers.append(worker_of(new_caller(session, there.id)))
    return workers


def ids(jobs: Sequence[tables.Job | None]) -> list[str | None]:
    return [job and job.id for job in jobs]


def together(session: Session, workers: Sequence[Worker]) -> list[tables.Job | None]:
    with session.no_autoflush:
        return queue.lease_together(session, kinds=KINDS, workers=workers, lease_seconds=60.0)


def one_by_one(session: Session, workers: Sequence[Worker]) -> list[tables.Job | None]:
    return [queue.lease(session, kinds=KINDS, worker=worker, lease_seconds=60.0) for worker in workers]


def queue_anything(session: Session, rng: np.random.Generator, count: int) -> None:
    """Jobs of every state, priority and turn, some of which wait for others, on targets that are offered or not."""
    targets = session.scalars(select(tables.Target)).all()
    for target in targets:
        target.offered = bool(rng.random() < 0.8)
    jobs: list[tables.Job] = []
    for _ in range(count):
        parent = jobs[int(rng.integers(len(jobs)))].id if jobs and rng.random() < 0.15 else None
        job = queue.enqueue(
            session, MEASURE, max_attempts=3, target_id=targets[int(rng.integers(len(targets)))].id, parent_id=parent
        )
        job.priority, job.turn = int(rng.integers(-1, 2)), int(rng.integers(4))
        job.state = JobState(rng.choice(["queued", "queued", "queued", "done", "failed", "cancelled"]))
        jobs.append(job)
    session.flush()


@pytest.mark.parametrize("seed", range(12))
def test_each_gets_what_it_would_have_got_alone(database: Database, seed: int) -> None:
    rng = np.random.default_rng(seed)
    with database.write.begin() as session:
        workers = farm(session, 6, targets=2)
        queue_anything(session, rng, 40)
    asking = [workers[place] for place in rng.integers(len(workers), size=10)]
    with database.write() as session:
        expected = ids(one_by_one(session, asking))
        session.rollback()
    assert sum(job_id is not None for job_id in expected) >= 5
    with database.write.begin() as session:
        given = together(session, asking)
        assert ids(given) == expected
        leased = [job for job in given if job is not None]
        assert len({job.lease_token for job in leased}) == len(leased) == len({job.id for job in leased})
    with database.read() as session:
        for worker, job_id in zip(asking, expected, strict=True):
            if job_id is not None:
                job = queue.find(session, job_id)
                (attempt,) = queue.attempts_of(session, job_id)
                assert (job.state, job.attempts, job.lease_token) == (JobState.LEASED, 1, attempt.lease_token)
                assert (attempt.agent_id, attempt.number, attempt.outcome) == (worker.agent_id, 1, None)
                assert job.deadline_unix_s is not None
                assert 50.0 < job.deadline_unix_s - job.updated_unix_s <= 60.0


@pytest.mark.parametrize("devices", [3, 40])
def test_many_take_as_many_statements_as_few(database: Database, devices: int) -> None:
    with database.write.begin() as session:
        workers = farm(session, devices)
        targets = session.scalars(select(tables.Target.id)).all()
        for target_id in targets:
            queue.enqueue(session, MEASURE, max_attempts=3, target_id=target_id)
    with statements_of(database.engine) as said, database.write.begin() as session:
        assert None not in together(session, workers)
    assert len(without_pragmas(said)) <= MOST_STATEMENTS, said
    with statements_of(database.engine) as said, database.write.begin() as session:
        assert together(session, workers) == [None] * devices
    assert len(without_pragmas(said)) == 1, said


def test_a_job_that_another_process_holds_goes_to_nobody_else(database: Database) -> None:
    if database.engine.dialect.name == "sqlite":
        pytest.skip("one writer at a time")
    with database.write.begin() as session:
        workers = farm(session, 4)
        for target_id in session.scalars(select(tables.Target.id)).all():
            for _ in range(2):
                queue.enqueue(session, MEASURE, max_attempts=3, target_id=target_id)
    with database.write.begin() as other:
        held = one_by_one(other, workers[:2])
        with database.write.begin() as session:
            given = together(session, workers)
            assert None not in given
            assert not set(ids(held)) & set(ids(given))


def test_many_processes_never_give_a_job_twice(database: Database) -> None:
    with database.write.begin() as session:
        workers = farm(session, 5)
        for target_id in session.scalars(select(tables.Target.id)).all():
            for _ in range(12):
                queue.enqueue(session, MEASURE, max_attempts=3, target_id=target_id)

    def take(_: int) -> list[str | None]:
        with database.write.begin() as session:
            return ids(together(session, workers))

    with ThreadPoolExecutor(4) as pool:
        given = [job_id for part in pool.map(take, range(16)) for job_id in part if job_id is not None]
    assert len(given) == len(set(given)) == 60


def test_workers_without_a_device_are_given_jobs_too(database: Database) -> None:
    with database.write.begin() as session:
        workers = farm(session, 3)
        targets = session.scalars(select(tables.Target.id).order_by(tables.Target.id)).all()
        for target_id in targets:
            queue.enqueue(session, MEASURE, max_attempts=3, target_id=target_id)
        queue.enqueue(session, MEASURE, max_attempts=3, target_id=targets[0])
    own = Worker(process="here:1")
    with database.write.begin() as session:
        given = ids(together(session, [*workers, own, own]))
    assert len(set(given[:4])) == 4
    assert given[4] is None

"""Leases that ran out are taken back; a clock that is set by a day ends none and keeps none."""

import time
from types import SimpleNamespace

import pytest

from latcast.errors import LeaseLostError
from latcast.schema import ProfileSettings
from service.db import tables
from service.db.session import Database
from service.jobs import queue
from service.jobs.payloads import AdaptPayload, ProfilePayload
from service.worker import leases
from service.worker.leases import LeaseKeeper

HOUR, DAY = 3600.0, 86_400.0
WORKER = queue.Worker(process="here:1")


class Clock:
    """The machine's clocks: time passes for both, and the wall clock can be set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall, self.passed = time.time(), 1000.0
        clock = SimpleNamespace(time=lambda: self.wall, monotonic=lambda: self.passed)
        for module in (leases, queue):
            monkeypatch.setattr(module, "time", clock)

    def wait(self, seconds: float) -> None:
        self.wall += seconds
        self.passed += seconds

    def set(self, seconds: float) -> None:
        self.wall += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def leased(database: Database, *, seconds: float = 120.0, attempts: int = 2) -> tables.Job:
    with database.write.begin() as session:
        queue.enqueue(session, ProfilePayload(settings=ProfileSettings(backend="fake")), max_attempts=attempts)
        job = queue.lease(session, kinds={ProfilePayload.kind}, worker=WORKER, lease_seconds=seconds)
    assert job is not None
    return job


def state(database: Database, job: tables.Job) -> str:
    with database.read() as session:
        return str(queue.find(session, job.id).state)


def test_only_leases_that_ran_out_are_taken_back(database: Database) -> None:
    with database.write.begin() as session:
        for payload in (ProfilePayload(settings=ProfileSettings(backend="fake")), AdaptPayload(samples=1, sampler="x")):
            queue.enqueue(session, payload, max_attempts=1)
        late = queue.lease(session, kinds={ProfilePayload.kind}, worker=WORKER, lease_seconds=-1.0)
        held = queue.lease(session, kinds={AdaptPayload.kind}, worker=WORKER, lease_seconds=HOUR)
    assert late is not None
    assert held is not None
    keeper = LeaseKeeper(database, lease_seconds=HOUR)
    assert keeper.look()
    assert not keeper.look()
    with database.read() as session:
        assert {job.id: job.state for job in session.query(tables.Job)} == {late.id: "failed", held.id: "leased"}


@pytest.mark.parametrize("jump_s", [DAY, -DAY])
def test_a_clock_that_is_set_takes_no_job_from_a_worker_that_is_alive(
    database: Database, clock: Clock, jump_s: float
) -> None:
    job, keeper = leased(database), LeaseKeeper(database, lease_seconds=120.0)
    clock.set(jump_s)
    for _ in range(5):
        assert not keeper.look()
        clock.wait(40.0)
        with database.write.begin() as session:
            queue.heartbeat(session, job_id=job.id, lease_token=job.lease_token or "", lease_seconds=120.0)
    assert state(database, job) == "leased"


@pytest.mark.parametrize("jump_s", [DAY, -DAY])
def test_a_clock_that_is_set_keeps_no_job_of_a_worker_that_is_dead(
    database: Database, clock: Clock, jump_s: float
) -> None:
    job, keeper = leased(database), LeaseKeeper(database, lease_seconds=120.0)
    clock.set(jump_s)
    assert not keeper.look()
    clock.wait(119.0)
    assert not keeper.look()
    clock.wait(2.0)
    assert keeper.look()
    assert state(database, job) == "queued"
    with database.write.begin() as session, pytest.raises(LeaseLostError):
        queue.heartbeat(session, job_id=job.id, lease_token=job.lease_token or "", lease_seconds=120.0)


def test_a_lease_of_a_clock_that_was_a_day_ahead_ends_after_its_length(database: Database, clock: Clock) -> None:
    """The service was started again after the clock had been put right."""
    clock.set(DAY)
    job = leased(database)
    clock.set(-DAY)
    keeper = LeaseKeeper(database, lease_seconds=120.0)
    assert not keeper.look()
    clock.wait(121.0)
    assert keeper.look()
    assert state(database, job) == "queued"

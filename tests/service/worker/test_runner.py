"""The service's own worker: steps under leases, whoever takes them and however they end."""

import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

import service.worker.runner
from latcast.schema import InputError, JobKind, ProfileSettings
from service.db import tables
from service.db.session import Database
from service.jobs import queue
from service.jobs.payloads import AdaptPayload, ProfilePayload
from service.jobs.steps import Finished, LeasedJob, Steps, Waiting
from service.worker.runner import OUR_FAULT, JobRunner, this_process

CHILD = ProfilePayload(settings=ProfileSettings(backend="fake"))


class Counting(Steps[AdaptPayload]):
    """Makes as many children as there are samples, and counts them in the end.

    Args:
        during: called in each step, with its name.
    """

    payload: ClassVar[type[AdaptPayload]] = AdaptPayload

    def __init__(self, during: Callable[[str], None] = lambda _step: None) -> None:
        self.during = during
        self.announced = 0

    def plan(self, job: LeasedJob[AdaptPayload]) -> Waiting:
        self.during("plan")

        def write(session: Session) -> None:
            for _ in range(job.payload.samples):
                queue.enqueue(session, CHILD, max_attempts=1, parent_id=job.id)

        return Waiting(write)

    def finish(self, job: LeasedJob[AdaptPayload]) -> Finished:
        self.during("finish")

        def write(session: Session) -> Mapping[str, Any]:
            return {"children": len(queue.children(session, job.id))}

        return Finished(write, announce=self.announce)

    def announce(self) -> None:
        self.announced += 1


def runner(database: Database, steps: Steps[Any], *, process: str = "first", lease_seconds: float = 60.0) -> JobRunner:
    return JobRunner(database, [steps], worker=queue.Worker(process=process), lease_seconds=lease_seconds)


@pytest.fixture
def job(database: Database) -> str:
    """Id of a job that waits for its first step."""
    with database.write.begin() as session:
        return queue.enqueue(session, AdaptPayload(samples=2, sampler="random"), max_attempts=2).id


def shown(database: Database, job_id: str) -> tables.Job:
    with database.read() as session:
        return queue.find(session, job_id)


def outcomes(database: Database, job_id: str) -> list[tuple[str | None, str | None]]:
    with database.read() as session:
        return [(one.process, one.outcome) for one in queue.attempts_of(session, job_id)]


def do_children(database: Database) -> None:
    worker = queue.Worker(process="agent")
    with database.write.begin() as session:
        while child := queue.lease(session, kinds={JobKind.PROFILE}, worker=worker, lease_seconds=60):
            queue.complete(session, job_id=child.id, lease_token=child.lease_token or "", result={})


def test_a_job_is_planned_waits_and_is_finished_by_whoever_comes(database: Database, job: str) -> None:
    first, second = Counting(), Counting()
    assert runner(database, first).advance()
    assert not runner(database, second, process="second").advance()
    do_children(database)
    assert runner(database, second, process="second").advance()
    done = shown(database, job)
    assert (done.state, done.result, done.attempts) == ("done", {"children": 2}, 1)
    assert outcomes(database, job) == [("first", "released"), ("second", "done")]
    assert (first.announced, second.announced) == (0, 1)


def test_kinds_without_steps_are_left_to_others(database: Database, job: str) -> None:
    nobody = JobRunner(database, [], worker=queue.Worker(process="first"), lease_seconds=60.0)
    assert not nobody.advance()
    assert shown(database, job).state == "queued"


@pytest.mark.parametrize(
    ("error", "message"), [(InputError("The pool is empty."), "The pool is empty."), (KeyError("x"), OUR_FAULT)]
)
def test_what_is_wrong_with_a_job_fails_it_with_a_sentence(
    database: Database, job: str, error: Exception, message: str
) -> None:
    def fail(_step: str) -> None:
        raise error

    assert runner(database, Counting(fail)).advance()
    failed = shown(database, job)
    assert (failed.state, failed.result) == ("failed", {"error": message})
    assert outcomes(database, job) == [("first", "failed")]


def test_a_payload_that_cannot_be_read_fails_the_job(database: Database, job: str) -> None:
    with database.write.begin() as session:
        queue.find(session, job).payload = {"samples": "many"}
    assert runner(database, Counting()).advance()
    failed = shown(database, job)
    assert failed.state == "failed"
    assert f"payload of job {job}" in (failed.result or {})["error"]


def test_whoever_was_too_slow_writes_nothing(database: Database, job: str) -> None:
    def overtake(_step: str) -> None:
        expired, until = 0, time.monotonic() + 60
        while not expired and time.monotonic() < until:  # a heartbeat may hold the row at this moment
            with database.write.begin() as session:
                expired = queue.expire(session, now=time.time() + 1000)
        assert runner(database, Counting(), process="second").advance()

    assert runner(database, Counting(overtake)).advance()
    with database.read() as session:
        assert len(queue.children(session, job)) == 2
    assert outcomes(database, job) == [("first", "expired"), ("second", "released")]


def test_a_job_that_is_cancelled_meanwhile_stays_cancelled(database: Database, job: str) -> None:
    def cancel(_step: str) -> None:
        with database.write.begin() as session:
            queue.cancel(session, job)

    assert runner(database, Counting(cancel)).advance()
    assert shown(database, job).state == "cancelled"
    with database.read() as session:
        assert queue.children(session, job) == []


def test_a_step_that_ends_its_process_again_and_again_fails_the_job(database: Database, job: str) -> None:
    def die(_step: str) -> None:
        raise SystemExit

    for _ in range(2):
        with pytest.raises(SystemExit):
            runner(database, Counting(die)).advance()
        with database.write.begin() as session:
            assert queue.expire(session, now=time.time() + 1000) == 1
    assert shown(database, job).state == "failed"
    assert outcomes(database, job) == [("first", "expired")] * 2


def test_heartbeats_keep_the_lease_while_a_step_runs(database: Database, job: str) -> None:
    extended = threading.Event()

    def wait_for_heartbeats(_step: str) -> None:
        first = shown(database, job).deadline_unix_s or 0.0
        until = time.monotonic() + 30
        while time.monotonic() < until and not extended.is_set():
            if (shown(database, job).deadline_unix_s or 0.0) > first + 0.1:
                extended.set()

    assert runner(database, Counting(wait_for_heartbeats), lease_seconds=2.0).advance()
    assert extended.is_set()
    assert outcomes(database, job) == [("first", "released")]


def test_what_is_given_back_is_begun_anew_and_counts_as_no_attempt(database: Database, job: str) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def wait(_step: str) -> None:
        begun.set()
        assert go_on.wait(30)

    ending = runner(database, Counting(wait))
    ending.give_back()  # nothing is under way
    thread = threading.Thread(target=ending.advance)
    thread.start()
    assert begun.wait(30)
    ending.give_back()
    assert (shown(database, job).state, shown(database, job).attempts) == ("queued", 0)
    go_on.set()
    thread.join()
    with database.read() as session:
        assert queue.children(session, job) == []  # the outcome of the step was dropped
    assert runner(database, Counting(), process="second").advance()
    assert outcomes(database, job) == [("first", "released"), ("second", "released")]


def database_that_is_away(_step: str) -> None:
    raise OperationalError(None, None, Exception("the server closed the connection"))


def test_a_database_that_is_away_in_a_step_fails_no_job(database: Database, job: str) -> None:
    steps = Counting(database_that_is_away)
    worker = runner(database, steps)
    for _ in range(5):
        with pytest.raises(OperationalError):
            worker.advance()
    steps.during = lambda _step: None
    assert worker.advance()
    assert (shown(database, job).state, shown(database, job).attempts) == ("queued", 0)
    assert outcomes(database, job) == [("first", "released")] * 6


def test_a_database_that_is_away_when_the_outcome_is_written_fails_no_job(
    database: Database, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = runner(database, Counting())
    with monkeypatch.context() as away:
        away.setattr(queue, "release", lambda *_arguments, **_named: database_that_is_away(""))
        for _ in range(2):  # giving the job back fails as well
            with pytest.raises(OperationalError):
                worker.advance()
    assert shown(database, job).state == "leased"
    worker.give_back()
    assert (shown(database, job).state, shown(database, job).attempts) == ("queued", 0)


def test_a_step_that_the_database_never_carries_fails_in_the_end(
    database: Database, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.worker.runner, "MOST_SETBACKS", 3)
    worker = runner(database, Counting(database_that_is_away))
    for _ in range(3):
        with pytest.raises(OperationalError):
            worker.advance()
    assert not worker.advance()
    assert (shown(database, job).state, shown(database, job).result) == ("failed", {"error": OUR_FAULT})


def test_a_process_is_named_by_its_host_and_number() -> None:
    worker = this_process()
    assert worker.process is not None
    assert worker.process.endswith(f":{os.getpid()}")
    assert (worker.agent_id, worker.device_id) == (None, None)

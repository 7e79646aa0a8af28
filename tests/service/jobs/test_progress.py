"""Progress and checkpoints of a job: whose they are, how often they are written, and when they go."""

import pytest

from latcast.errors import LeaseLostError
from latcast.schema import JobKind
from service.db import tables
from service.db.session import Database
from service.jobs import queue
from service.jobs.payloads import TrainPayload
from service.jobs.progress import JobCheckpoints, JobProgress, holds_lease

WORKER = queue.Worker(process="somewhere:1")


@pytest.fixture
def lease(database: Database) -> dict[str, str]:
    with database.write.begin() as session:
        queue.enqueue(session, TrainPayload(predictor="flops"), max_attempts=2)
        job = queue.lease(session, kinds={JobKind.TRAIN}, worker=WORKER, lease_seconds=60)
    assert job is not None
    return {"job_id": job.id, "lease_token": job.lease_token or ""}


def shown(database: Database, job_id: str) -> tables.Job:
    with database.read() as session:
        return queue.find(session, job_id)


def test_progress_is_written_once_in_a_while(database: Database, lease: dict[str, str]) -> None:
    now = 0.0
    progress = JobProgress(database, **lease, pause_s=1.0, clock=lambda: now)  # type: ignore[arg-type]
    progress(0.25, "first")
    progress(0.5, "too early")
    assert shown(database, lease["job_id"]).progress == {"share": 0.25, "what": "first"}
    now = 1.5
    progress(7.0, "x" * 1000)
    assert shown(database, lease["job_id"]).progress == {"share": 1.0, "what": "x" * 200}


def test_who_lost_the_lease_writes_nothing(database: Database, lease: dict[str, str]) -> None:
    checkpoints = JobCheckpoints(database, **lease)
    checkpoints.save("fold-0", b"1")
    with database.write.begin() as session:
        assert holds_lease(session, **lease)
        queue.fail(session, **lease, message="it died", final=False)
        assert not holds_lease(session, **lease)
    for write in (lambda: checkpoints.save("fold-0", b"2"), lambda: JobProgress(database, **lease)(0.5, "late")):  # type: ignore[arg-type]
        with pytest.raises(LeaseLostError):
            write()
    assert checkpoints.load("fold-0") == b"1", "whoever goes on has it"


def test_checkpoints_are_replaced_and_go_with_the_job(database: Database, lease: dict[str, str]) -> None:
    checkpoints = JobCheckpoints(database, **lease)
    for content in (b"1", b"2"):
        checkpoints.save("fold-0", content)
    assert (checkpoints.load("fold-0"), checkpoints.load("fold-1")) == (b"2", None)
    with database.write.begin() as session:
        queue.cancel(session, lease["job_id"])
    assert checkpoints.load("fold-0") is None

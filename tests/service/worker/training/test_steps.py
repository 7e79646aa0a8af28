"""Trainings in child processes: done, refused, cancelled, killed and gone on with."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest
from sqlalchemy import func, select

from latcast.client import Client
from service.db import tables
from service.jobs import queue
from service.settings import Settings
from service.worker.runner import JobRunner
from service.worker.training.steps import Child, TrainingSteps, start_training
from tests.service.helpers import TARGET, World

LONGEST_S = 60.0


@pytest.fixture
def database_url(new_sqlite: str) -> str:
    """SQLite alone: the queue's own tests run on both."""
    return new_sqlite


def runner(world: World, start: Callable[[Settings, str, str], Child] = start_training) -> JobRunner:
    steps = TrainingSteps(world.database, world.settings, start=start)
    return JobRunner(world.database, [steps], worker=queue.Worker(process="tests"), lease_seconds=120.0)


def python(code: str) -> Callable[[Settings, str, str], Child]:
    """A child that runs this instead of a training."""
    return lambda *_: subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )


def asked(client: Client, kind: str = "flops", **options: object) -> str:
    return str(client.train(kind, folds=2, **options)["id"])  # type: ignore[arg-type]


def count(world: World, table: type[tables.Base]) -> int:
    with world.database.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


@pytest.mark.slow
def test_a_training_that_was_killed_goes_on_and_becomes_a_predictor(measured: World) -> None:
    job_id = asked(measured.client)
    assert runner(measured, python("import os; os.kill(os.getpid(), 9)")).advance()
    job = measured.client.job(job_id)
    assert (job["state"], job["reasons"][0]["outcome"]) == ("queued", "failed")
    assert "SIGKILL" in job["reasons"][0]["message"]

    assert runner(measured).advance()
    job = measured.client.job(job_id)
    assert job["state"] == "done", job
    assert job["progress"]["share"] <= 1
    found = measured.client.predictor(job["result"]["predictor_id"])
    assert (found["kind"], found["active"], found["dataset_id"]) == ("flops", False, job["result"]["dataset_id"])
    assert found["metrics"]["cross_validation"]["rows"] == 5
    assert "Some CPU" in measured.client.predictor_card(found["id"])
    assert measured.client.predictor_calibration(found["id"]).startswith("<svg")
    assert count(measured, tables.Checkpoint) == 0


@pytest.mark.slow
def test_what_is_wrong_with_a_training_is_its_reason(measured: World) -> None:
    job_id = asked(measured.client, "lookup_table", targets=[TARGET.id])
    assert runner(measured).advance()
    job = measured.client.job(job_id)
    assert job["state"] == "failed"
    assert "no measurement to learn from" in job["result"]["error"]


def test_a_cancelled_training_ends_with_its_process(measured: World) -> None:
    children: list[Child] = []

    def start(*lease: object) -> Child:
        children.append(python("import time; time.sleep(600)")(*lease))  # type: ignore[arg-type]
        return children[0]

    job_id = asked(measured.client)
    thread = threading.Thread(target=runner(measured, start).advance)
    thread.start()
    until = time.monotonic() + LONGEST_S
    while not children and time.monotonic() < until:
        time.sleep(0.02)
    measured.client.cancel(job_id)
    thread.join(LONGEST_S)
    assert not thread.is_alive()
    assert children[0].poll() is not None
    assert measured.client.job(job_id)["state"] == "cancelled"
    assert count(measured, tables.Predictor) == 0

"""Trainings in child processes: done, refused, cancelled, killed and gone on with."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import psutil
import pytest
from sqlalchemy import func, select

from latcast.client import Client
from predictors.execution.executors import cores
from service.db import tables
from service.jobs import queue
from service.jobs.payloads import TrainPayload
from service.settings import Settings
from service.worker.runner import JobRunner
from service.worker.training.child import executor_of
from service.worker.training.steps import Child, TrainingSteps, start_training
from tests.predictors.execution.test_ray_cluster import with_ray, without_ray
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


def trained(world: World, job_id: str, **settings: object) -> Any:
    """What came of a job, done by a worker with these settings."""
    configured = world.settings.model_copy(update=settings)
    steps = TrainingSteps(world.database, configured)
    assert JobRunner(world.database, [steps], worker=queue.Worker(process="tests"), lease_seconds=120.0).advance()
    job = world.client.job(job_id)
    assert job["state"] == "done", job
    predictor = world.client.predictor(job["result"]["predictor_id"])
    found = {name: value for name, value in predictor["metrics"].items() if name not in ("fit_s", "data")}
    return found, predictor["metrics"]["data"]["chosen_by"]


def test_processes_come_to_what_one_does(measured: World) -> None:
    alone = trained(measured, asked(measured.client))
    assert trained(measured, asked(measured.client), training_workers=2) == alone
    assert trained(measured, asked(measured.client, workers=2)) == alone
    assert "workers" not in alone[1]


@with_ray
def test_a_cluster_comes_to_what_one_process_does(measured: World) -> None:
    alone = trained(measured, asked(measured.client))
    assert trained(measured, asked(measured.client, workers=2), ray_address="local") == alone


@without_ray
def test_without_ray_a_training_on_a_cluster_fails_with_a_sentence(measured: World) -> None:
    job_id = asked(measured.client)
    steps = TrainingSteps(measured.database, measured.settings.model_copy(update={"ray_address": "local"}))
    assert JobRunner(measured.database, [steps], worker=queue.Worker(process="tests"), lease_seconds=120.0).advance()
    assert "latcast[ray]" in measured.client.job(job_id)["result"]["error"]


def test_a_training_in_several_processes_is_cancelled_within_two_seconds(measured: World) -> None:
    children: list[Child] = []

    def start(*lease: Any) -> Child:
        children.append(start_training(*lease))
        return children[0]

    # So many trees that it cannot be done before it is cancelled.
    endless = {"trees": 10**6, "boosters": 50}
    job_id = asked(measured.client, "boosted_trees", hyperparameters=endless, workers=2)
    thread = threading.Thread(target=runner(measured, start).advance)
    thread.start()
    until = time.monotonic() + LONGEST_S
    while len(fitting := fitting_beside(children)) < min(2, cores()):
        assert time.monotonic() < until, "the fits have not begun"
        time.sleep(0.05)
    if cores() > 1:
        assert measured.client.job(job_id)["progress"]["what"] == "3 fits, 2 at a time"
    cancelled_at = time.monotonic()
    measured.client.cancel(job_id)
    while any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in fitting):
        assert time.monotonic() < cancelled_at + 2.0
        time.sleep(0.01)
    thread.join(LONGEST_S)
    assert measured.client.job(job_id)["state"] == "cancelled"


def fitting_beside(children: list[Child]) -> list[psutil.Process]:
    """Processes that do fits: those that the training has started, or itself where there is one core."""
    if not children:
        return []
    training = psutil.Process(children[0].pid)
    if cores() == 1:
        return [training]
    return [each for each in training.children() if "spawn_main" in " ".join(each.cmdline())]


def test_how_many_processes_a_training_has(measured: World) -> None:
    def slots(asked: int | None, **settings: int) -> int:
        configured = measured.settings.model_copy(update=settings)
        with executor_of(configured, TrainPayload(predictor="flops", workers=asked)) as executor:
            return executor.slots

    assert slots(None) == 1
    assert slots(None, training_workers=3) == 3
    assert slots(1, training_workers=3) == 1
    assert slots(64) == cores(), "who asks gets no more than there are cores"

"""A worker takes trainings one after the other, those of workers that died too, and ends when told to."""

import socket
import subprocess
import sys
import threading

from latcast.schema import JobKind
from service.jobs import queue
from service.jobs.steps import Finished, LeasedJob
from service.worker.training.steps import TrainingSteps
from service.worker.training.worker import TrainingWorker, has_training
from tests.service.helpers import World


class Counted(TrainingSteps):
    """Trains nothing."""

    def plan(self, job: LeasedJob) -> Finished:  # type: ignore[type-arg]
        return Finished(lambda _session: {"predictor_id": job.payload.predictor})


def leased_by(world: World, process: str) -> str:
    job_id = str(world.client.train("flops")["id"])
    with world.database.write.begin() as session:
        worker = queue.Worker(process=process)
        job = queue.lease(session, kinds={JobKind.TRAIN}, worker=worker, lease_seconds=1000)
    assert job is not None
    assert job.id == job_id
    return job_id


def dead_process() -> int:
    """Number of a process that has ended."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_once_ends_when_nothing_waits(world: World) -> None:
    jobs = [world.client.train(kind)["id"] for kind in ("flops", "lookup_table")]
    assert has_training(world.database)
    steps = Counted(world.database, world.settings)
    TrainingWorker(world.database, world.settings, threading.Event(), steps=steps).run(once=True)
    assert [world.client.job(job)["state"] for job in jobs] == ["done", "done"]
    assert not has_training(world.database)


def test_one_of_a_dead_worker_is_done_by_another(world: World) -> None:
    job_id = leased_by(world, f"{socket.gethostname()}:{dead_process()}")
    assert has_training(world.database)
    steps = Counted(world.database, world.settings)
    TrainingWorker(world.database, world.settings, threading.Event(), steps=steps).run(once=True)
    job = world.client.job(job_id)
    assert (job["state"], job["attempts"]) == ("done", 2)

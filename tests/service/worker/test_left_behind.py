"""Jobs of processes that have ended go back to the queue, and nobody else's do."""

import os
import socket
import subprocess
import sys

import pytest

from latcast.schema import JobKind
from service.jobs import queue
from service.worker.left_behind import DIED, left_behind, take_over
from tests.service.helpers import TARGET, World

KINDS = frozenset({JobKind.ADAPT, JobKind.TRAIN})


def dead_process() -> int:
    """Number of a process that has ended."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def leased_by(world: World, kind: JobKind, process: str) -> str:
    """A job of this kind that a process has leased."""
    if kind is JobKind.TRAIN:
        job_id = str(world.client.train("flops")["id"])
    else:
        world.agent()
        job_id = str(world.client.adapt(TARGET.id)["id"])
    with world.database.write.begin() as session:
        worker = queue.Worker(process=process)
        job = queue.lease(session, kinds={kind}, worker=worker, lease_seconds=1000)
    assert job is not None
    assert job.id == job_id
    return job_id


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("alive", [True, False])
def test_jobs_of_dead_processes_of_this_machine_go_back_to_the_queue(world: World, alive: bool, kind: JobKind) -> None:
    pid = os.getppid() if alive else dead_process()
    job_id = leased_by(world, kind, f"{socket.gethostname()}:{pid}")
    assert [each[0] for each in left_behind(world.database, KINDS)] == ([] if alive else [job_id])
    take_over(world.database, KINDS)
    job = world.client.job(job_id)
    assert job["state"] == ("leased" if alive else "queued")
    assert [one["message"] for one in job["reasons"]] == ([None] if alive else [DIED])


def test_those_of_other_machines_and_of_other_kinds_stay(world: World) -> None:
    job_id = leased_by(world, JobKind.TRAIN, f"another-machine.example:{dead_process()}")
    take_over(world.database, KINDS)
    assert world.client.job(job_id)["state"] == "leased"
    here = leased_by(world, JobKind.ADAPT, f"{socket.gethostname()}:{dead_process()}")
    take_over(world.database, {JobKind.TRAIN})
    assert world.client.job(here)["state"] == "leased"
    take_over(world.database, KINDS)
    assert world.client.job(here)["state"] == "queued"

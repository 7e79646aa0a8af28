"""The process behind `latcast serve` does the service's own jobs, and goes on with those of one that was killed."""

import socket
import time

import pytest

from latcast.schema import JobKind
from service.jobs import queue
from service.worker.embedded.process import BesideService
from service.worker.embedded.supervisor import BACKGROUND
from tests.service.learning.test_adaptation import AdaptingWorld, base, world
from tests.service.worker.test_left_behind import dead_process

__all__ = ["base", "world"]

LONGEST_S = 120.0


@pytest.fixture
def database_url(new_sqlite: str) -> str:
    """SQLite alone: a file that two processes share."""
    return new_sqlite


@pytest.mark.slow
def test_it_goes_on_with_the_job_of_a_process_that_was_killed(world: AdaptingWorld) -> None:
    agent = world.agent()
    job = world.request()
    with world.database.write.begin() as session:
        killed = queue.Worker(process=f"{socket.gethostname()}:{dead_process()}")
        assert queue.lease(session, kinds={JobKind.ADAPT}, worker=killed, lease_seconds=1000) is not None
    beside = BesideService(BACKGROUND, world.settings.model_copy(update={"tick_seconds": 0.05}))
    try:
        until = time.monotonic() + LONGEST_S
        while world.client.job(job)["state"] != "done" and time.monotonic() < until:
            world.work(agent)
            time.sleep(0.05)
    finally:
        beside.end()
    done = world.client.job(job)
    assert done["state"] == "done"
    assert world.client.target(world.client.job(job)["target"])["adaptation"]["id"] == done["result"]["adaptation_id"]

"""Real processes, killed at a bad moment: no acknowledged row is lost and no job is stuck."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import ClassVar

import pytest
from sqlalchemy import func, select

from latcast.client import Client
from latcast.errors import LeaseLostError, UnavailableError
from service.db import tables
from service.db.session import Database, create_engine_for
from service.jobs.payloads import AdaptPayload
from service.jobs.steps import Finished, LeasedJob, Steps
from service.settings import Settings
from service.worker.runner import JobRunner, this_process
from tests.service.helpers import DEVICE, TARGET, measurement, model, registered_by_admin

SERVER = """
    import sys
    import uvicorn
    from service.app import create_app
    from service.settings import Settings
    from tests.service.helpers import DirectReader, FakeForecaster

    app = create_app(Settings(), reader=DirectReader(), forecaster=FakeForecaster())
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error")
"""
AGENT = """
    import sys, time
    from latcast.client import Client
    from latcast.schema import Failure

    client = Client(sys.argv[1], sys.argv[2])
    job = client.lease(wait_s=10)
    print("leased", job["id"], flush=True)
    while True:
        client.heartbeat(job["id"], job["lease_token"])
        time.sleep(0.1)
"""
WORKER = """
    import time
    from service.db.session import Database, create_engine_for
    from service.jobs.payloads import AdaptPayload
    from service.jobs.steps import Steps
    from service.settings import Settings
    from service.worker.runner import JobRunner, this_process

    class Stuck(Steps):
        payload = AdaptPayload

        def plan(self, job):
            print("planning", job.id, flush=True)
            time.sleep(600)

        def finish(self, job):
            raise AssertionError("nothing was planned")

    database = Database(create_engine_for(Settings()))
    JobRunner(database, [Stuck()], worker=this_process(), lease_seconds=0.5).advance()
"""


class WholeAdaptation(Steps[AdaptPayload]):
    """Adapts in one step, to nothing."""

    payload: ClassVar[type[AdaptPayload]] = AdaptPayload

    def plan(self, job: LeasedJob[AdaptPayload]) -> Finished:
        return Finished(lambda _session: {"samples": job.payload.samples})

    def finish(self, job: LeasedJob[AdaptPayload]) -> Finished:
        raise AssertionError("nothing was planned")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(script: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), *arguments],
        env={**os.environ, **environment},
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=10)


@contextmanager
def server(url: str, port: int, *, lease_seconds: float = 0.5) -> Iterator[subprocess.Popen[str]]:
    process = start(
        SERVER,
        str(port),
        LATCAST_DATABASE_URL=url,
        LATCAST_RATE_PER_SECOND="0",
        LATCAST_LOG_LEVEL="error",
        LATCAST_LEASE_SECONDS=str(lease_seconds),
        LATCAST_TICK_SECONDS="0.05",
    )
    try:
        with Client(f"http://127.0.0.1:{port}") as client:
            deadline = time.monotonic() + 30
            while not client.is_ready():
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield process
    finally:
        kill(process)


@pytest.mark.slow
def test_killed_server_has_every_acknowledged_row(database_url: str) -> None:
    port, acknowledged, over = free_port(), [], Event()
    with server(database_url, port) as process:
        client = Client(f"http://127.0.0.1:{port}")
        graph = client.upload_graph(model())["hash"]
        agents = [Client(client.base_url, key) for key in agent_keys(database_url, 3)]
        client.profile(TARGET.id, graphs=[graph] * 2000)

        def deliver(agent: Client) -> None:
            while not over.is_set():
                try:
                    job = agent.lease(wait_s=0)
                    if job is not None:
                        sent = measurement(graph)
                        acknowledged.append(agent.result(job["id"], job["lease_token"], sent)["measurement_id"])
                except (UnavailableError, LeaseLostError):
                    continue

        threads = [Thread(target=deliver, args=(agent,)) for agent in agents]
        for thread in threads:
            thread.start()
        while len(acknowledged) < 30:
            time.sleep(0.01)
        kill(process)
        over.set()
        for thread in threads:
            thread.join()
    kept = stored_rows(database_url)
    assert set(acknowledged) <= set(kept)
    with server(database_url, port):  # and it goes on where it was
        job = agents[0].lease(wait_s=10)
        assert job is not None
        again = agents[0].result(job["id"], job["lease_token"], measurement(graph))
        assert again == agents[0].result(job["id"], job["lease_token"], measurement(graph))
        assert again["measurement_id"] not in kept


def agent_keys(url: str, count: int) -> list[str]:
    """Keys of agents of one device."""
    database = Database(create_engine_for(Settings(database_url=url)))
    keys = [registered_by_admin(database) for _ in range(count)]
    database.close()
    return keys


def stored_rows(url: str) -> list[int]:
    database = Database(create_engine_for(Settings(database_url=url)))
    with database.read() as session:
        rows = list(session.scalars(select(tables.Measurement.id)))
        done = session.scalar(select(func.count()).where(tables.Job.state == "done"))
    database.close()
    assert done == len(rows)
    return rows


@pytest.mark.slow
def test_killed_agent_loses_its_job_to_another(database_url: str) -> None:
    port = free_port()
    with server(database_url, port):
        client = Client(f"http://127.0.0.1:{port}")
        graph = client.upload_graph(model())["hash"]
        first, second = agent_keys(database_url, 2)
        (made,) = client.profile(TARGET.id, graphs=[graph])
        doomed = start(AGENT, client.base_url, first)
        assert doomed.stdout is not None
        assert doomed.stdout.readline().split() == ["leased", made["id"]]
        other = Client(client.base_url, second)
        time.sleep(1)  # twice the lease: heartbeats keep it
        assert other.lease(wait_s=0) is None
        kill(doomed)
        job = other.lease(wait_s=10)
        assert job is not None
        assert job["id"] == made["id"]
        assert other.result(job["id"], job["lease_token"], measurement(graph))["state"] == "done"
        assert [reason["outcome"] for reason in client.job(made["id"])["reasons"]] == ["expired", "done"]


@pytest.mark.slow
def test_killed_worker_loses_its_job_to_another(database_url: str) -> None:
    port = free_port()
    with server(database_url, port):
        client = Client(f"http://127.0.0.1:{port}")
        client.register(DEVICE, [TARGET])
        made = client.adapt(TARGET.id, samples=3, sampler="random")
        doomed = start(WORKER, LATCAST_DATABASE_URL=database_url)
        assert doomed.stdout is not None
        assert doomed.stdout.readline().split() == ["planning", made["id"]]
        database = Database(create_engine_for(Settings(database_url=database_url)))
        other = JobRunner(database, [WholeAdaptation()], worker=this_process(), lease_seconds=60.0)
        time.sleep(1)  # twice the lease: heartbeats keep it
        assert not other.advance()
        kill(doomed)
        deadline = time.monotonic() + 10
        while not other.advance() and time.monotonic() < deadline:
            time.sleep(0.05)
        database.close()
        job = client.job(made["id"])
        assert (job["state"], job["result"]) == ("done", {"samples": 3})
        assert [reason["outcome"] for reason in job["reasons"]] == ["expired", "done"]
        assert job["reasons"][0]["process"].endswith(f":{doomed.pid}")

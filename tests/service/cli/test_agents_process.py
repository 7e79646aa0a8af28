"""Agents that call often are served by a process of their own: all as before, and nothing acknowledged is lost."""

import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

import httpx2
import psutil

from latcast.client import Client
from latcast.schema import Target
from service.api.door.hand_over import WORTH_PER_SECOND
from service.cli.demo.processes import free_port, running, wait_for
from tests.service.helpers import DEVICE, measurement, model

AGENTS, PATIENCE_S = 3, 120.0
RESULTS = 'latcast_calls_total{method="POST",route="/jobs/{job_id}/result",status="200"} '


class Farm:
    """A service, and agents that measure nothing and report at once."""

    def __init__(self, url: str, folder: Path, stack: ExitStack) -> None:
        self.port, log = free_port(), folder / "log"
        arguments = ["serve", "--port", str(self.port), "--data-dir", str(folder)]
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        environment = {"LATCAST_DATABASE_URL": url, "TMPDIR": str(self.temporary)}
        self.process = stack.enter_context(running(arguments, log=log, environment=environment))
        self.client = stack.enter_context(Client(f"http://127.0.0.1:{self.port}"))
        wait_for(self._is_ready, process=self.process, log=log, what="The service")
        self.graph = str(self.client.upload_graph(model())["hash"])
        self.agents = [self._agent(number, stack) for number in range(AGENTS)]
        self.acknowledged: list[int] = []
        self.pool = stack.enter_context(ThreadPoolExecutor(AGENTS))

    def _is_ready(self) -> bool:
        try:
            return httpx2.get(f"http://127.0.0.1:{self.port}/readyz", trust_env=False).status_code == 200
        except httpx2.TransportError:
            return False

    def _agent(self, number: int, stack: ExitStack) -> tuple[Client, Target]:
        device = replace(DEVICE, fingerprint=f"machine-{number}", name=f"bench-{number}")
        target = Target(device=device.fingerprint, backend="fake", backend_version="1")
        key = self.client.register(device, [target])["agent_key"]
        return stack.enter_context(Client(f"http://127.0.0.1:{self.port}", key)), target

    def report(self, each: int) -> None:
        """Let every agent lease and report so many jobs."""
        for _, target in self.agents:
            self.client.profile(target.id, graphs=[self.graph] * each)
        list(self.pool.map(lambda agent: self._work(*agent, each), self.agents))

    def _work(self, agent: Client, target: Target, jobs: int) -> None:
        for _ in range(jobs):
            job = agent.lease(wait_s=20)
            assert job is not None
            receipt = agent.result(job["id"], job["lease_token"], measurement(self.graph, target=target))
            assert receipt["state"] == "done"
            self.acknowledged.append(receipt["measurement_id"])

    def other_process(self) -> psutil.Process | None:
        """The agents', once it has one of their connections."""
        for child in psutil.Process(self.process.pid).children():
            if "service.cli.agents_process" in child.cmdline() and _serves(child, self.port):
                return child
        return None

    def report_until(self, is_so: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not is_so():
            assert time.monotonic() < deadline
            self.report(int(WORTH_PER_SECOND))

    def counted_results(self, get: Callable[..., httpx2.Response] = httpx2.get) -> int:
        said = get(f"http://127.0.0.1:{self.port}/metrics").text
        return int(float(said.split(RESULTS)[1].split()[0]))


def _serves(process: psutil.Process, port: int) -> bool:
    try:
        connections = process.net_connections("tcp")
    except psutil.Error:
        return False
    return any(each.status == psutil.CONN_ESTABLISHED and each.laddr.port == port for each in connections)


def test_agents_that_call_often_have_a_process_of_their_own(database_url: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        farm = Farm(database_url, tmp_path, stack)
        assert farm.other_process() is None, "nobody calls often"
        farm.report_until(farm.other_process)
        first = farm.other_process()
        assert first is not None
        farm.report(5)
        assert farm.counted_results() == len(farm.acknowledged), "both processes count together"
        with httpx2.Client(base_url=farm.client.base_url, trust_env=False) as shared:
            key = {"Authorization": f"Bearer {farm.agents[0][0].key}"}
            assert shared.post("/v1/jobs/lease", json={"wait_s": 0}, headers=key).status_code == 204
            assert farm.counted_results(shared.get) == len(farm.acknowledged), "over an agent's connection, too"
        os.kill(first.pid, signal.SIGKILL)
        first.wait(PATIENCE_S)  # its connections are closed
        farm.report_until(lambda: (other := farm.other_process()) is not None and other.pid != first.pid)
        listed = [row["id"] for _, target in farm.agents for row in farm.client.measurements(target.id)]
        assert sorted(listed) == sorted(set(farm.acknowledged)), "nothing acknowledged is lost, nothing is there twice"
        second = farm.other_process()
        assert second is not None
        beside = psutil.Process(farm.process.pid).children(recursive=True)
        assert list(farm.temporary.iterdir())
        for _ in range(2):
            farm.process.terminate()
        assert farm.process.wait(PATIENCE_S) == 0
        assert second in beside
        assert not psutil.wait_procs(beside, timeout=PATIENCE_S)[1], "every process has ended with the service"
        assert not list(farm.temporary.iterdir()), "nothing is left of it"


def test_the_process_of_agents_ends_however_often_it_is_asked_to(tmp_path: Path) -> None:
    """A killed service is noticed in two ways, each of which asks it to end."""
    with ExitStack() as stack:
        farm = Farm(f"sqlite:///{tmp_path}/latcast.db", tmp_path, stack)
        farm.report_until(farm.other_process)
        other = farm.other_process()
        assert other is not None
        farm.process.kill()
        for _ in range(40):
            with suppress(ProcessLookupError):
                os.kill(other.pid, signal.SIGTERM)
            time.sleep(0.05)
        other.wait(PATIENCE_S)

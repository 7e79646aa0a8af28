"""A service, its database and its agents as processes, what can befall them, and what is left in the end."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper
from sqlalchemy import select

from benchmarks.faults.agents import ACKNOWLEDGED, PLAN
from benchmarks.faults.databases import Harm, TestedDatabase
from benchmarks.faults.serve import LAYOUT
from benchmarks.faults.trainings import training_harms
from latcast.client import Client
from latcast.errors import ServiceError, UnavailableError
from latcast.schema import FINISHED_STATES, Device, ProfileSettings, Target, to_plain
from profilers.backends.target_settings import target_for
from profilers.host.device import describe_device
from profilers.timing.sandbox import measure
from service.db import tables
from service.db.session import Database, create_engine_for
from service.settings import Settings

__all__ = ["Losses", "World"]

ROOT = Path(__file__).parents[2]
MEASURING: dict[str, Any] = {
    "processes": 1, "max_samples": 20, "max_seconds": 0.2, "warmup_seconds": 0.0, "kernels": False, "sentinel": False,
}  # fmt: skip
SETTINGS = ProfileSettings(backend="fake", **MEASURING)
LEASE_S, TICK_S, DAY_S = 3.0, 0.2, 86_400.0
PATIENCE_S = 120.0
"""How long results may stay away after a fault was healed, or jobs unfinished in the end."""


@dataclass(frozen=True)
class Losses:
    """Losses that must not be: acknowledged rows that are gone, rows of one job twice, jobs that nobody can finish."""

    acknowledged: int
    lost: int
    double: int
    stuck: int
    jobs: Mapping[str, int]

    @property
    def none(self) -> bool:
        """Whether all is well."""
        return not (self.lost or self.double or self.stuck)


class World:
    """All of it; close it, or use it as a context manager.

    Args:
        folder: for logs, spools and the plan of the agents.
        database: where the service keeps its rows.
        agents: how many there are, each with a device of its own.
    """

    def __init__(self, folder: Path, database: TestedDatabase, *, agents: int) -> None:
        self._folder, self._database = folder, database
        folder.mkdir(parents=True, exist_ok=True)
        self._clock = folder / "clock"
        self.set_clock(0.0)
        self._port = free_port()
        self._url = f"http://127.0.0.1:{self._port}"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.client = Client(self._url)
        self.start_service()
        self._targets = self._enrol(agents)
        self.start_agents()

    def __enter__(self) -> "World":
        return self

    def __exit__(self, *_error: object) -> None:
        for name in tuple(self._processes):
            self.kill(name)
        self.client.close()

    # --- Parts --------------------------------------------------------------------------------------------------

    def _start(self, name: str, module: str, *arguments: str) -> None:
        with (self._folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [sys.executable, "-P", "-m", module, *arguments], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True, env={**os.environ, **self._environment()},
            )  # fmt: skip

    def _environment(self) -> dict[str, str]:
        return {
            "PYTHONPATH": str(ROOT), "LATCAST_DATABASE_URL": self._database.url, "LATCAST_DATA_DIR": str(self._folder),
            "LATCAST_LEASE_SECONDS": str(LEASE_S), "LATCAST_TICK_SECONDS": str(TICK_S), "LATCAST_MAX_ATTEMPTS": "100",
            "LATCAST_RATE_PER_SECOND": "0", "LATCAST_LOG_LEVEL": "warning", "ORT_DISABLE_TELEMETRY": "1",
        }  # fmt: skip

    def start_service(self) -> None:
        """Serve, and wait until it is ready; a service that ends because its database is away is started again."""
        until = time.monotonic() + PATIENCE_S
        self._serve()
        while not self._is_ready():
            if self._processes["service"].poll() is not None:
                self._serve()
            if time.monotonic() > until:
                raise TimeoutError(f"The service does not start; see {self._folder / 'service.log'}.")
            time.sleep(0.1)

    def _serve(self) -> None:
        self._start("service", "benchmarks.faults.serve", str(self._clock), "--port", str(self._port))

    def _is_ready(self) -> bool:
        try:
            return self.client.is_ready()
        except ValueError:
            return False

    def start_agents(self) -> None:
        """Start the process of all agents."""
        self._start("agents", "benchmarks.faults.agents", self._url, str(self._folder))

    def kill(self, name: str) -> None:
        """Kill a process and all that it started."""
        process = self._processes.pop(name)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def set_clock(self, ahead_s: float) -> None:
        """Let the service's clock be ahead from now on."""
        self._clock.write_bytes(LAYOUT.pack(ahead_s)) if not self._clock.exists() else self._overwrite(ahead_s)

    def _overwrite(self, ahead_s: float) -> None:
        with self._clock.open("r+b") as file:
            file.write(LAYOUT.pack(ahead_s))

    def _enrol(self, count: int) -> list[str]:
        """Register the devices, record a result, and write the agents' plan; the targets' ids."""
        here = describe_device()
        recorded = measure(network(), device=here, settings=SETTINGS)
        self.graph = self.client.upload_graph(network())["hash"]
        agents = [self._agent(replace(here, fingerprint=f"machine-{at}", name=f"machine-{at}")) for at in range(count)]
        plan = {"recorded": to_plain(recorded), "agents": [to_plain(agent) for agent in agents]}
        (self._folder / PLAN).write_text(json.dumps(plan))
        (self._folder / ACKNOWLEDGED).touch()
        return [agent["target"].id for agent in agents]

    def _agent(self, device: Device) -> dict[str, Any]:
        target: Target = target_for(device, SETTINGS)
        key = self.client.register(device, [target])["agent_key"]
        return {"device": device, "target": target, "key": key}

    # --- Work and harm ------------------------------------------------------------------------------------------

    def submit(self, each: int) -> None:
        """Order as many measurements on each target, again and again while the service cannot take the order."""
        until = time.monotonic() + PATIENCE_S
        for target in self._targets:
            while True:
                try:
                    self.client.profile(target, graphs=[self.graph] * each, settings=MEASURING)
                    break
                except ServiceError:
                    if time.monotonic() > until:
                        raise
                    time.sleep(0.1)

    def acknowledged(self) -> list[int]:
        """Rows that were acknowledged, once for each receipt."""
        lines = (self._folder / ACKNOWLEDGED).read_text().splitlines()
        return [int(line.split()[0]) for line in lines]

    def wait_for_results(self, more: int) -> float:
        """Wait until as many more are acknowledged; how long it took, in seconds.

        Raises:
            TimeoutError: they did not come.
        """
        began, goal = time.monotonic(), len(self.acknowledged()) + more
        while len(self.acknowledged()) < goal:
            if time.monotonic() - began > PATIENCE_S:
                raise TimeoutError(f"No result came for {PATIENCE_S:g} s; see the logs in {self._folder}.")
            time.sleep(0.02)
        return time.monotonic() - began

    def harms(self) -> dict[str, Harm]:
        """Everything that can be done, by name."""
        return {
            "service killed": lambda: self._kill_and("service", self.start_service),
            "agents killed": lambda: self._kill_and("agents", self.start_agents),
            "clock a day ahead": lambda: self._shift(DAY_S),
            "clock a day back": lambda: self._shift(-DAY_S),
            "agents killed a day ahead": self._kill_ahead,
            **training_harms(self.client, lambda: self._processes["service"].pid),
            **self._database.harms(),
        }

    def _kill_and(self, name: str, heal: Callable[[], None]) -> Callable[[], None]:
        self.kill(name)
        return heal

    def _shift(self, ahead_s: float) -> Callable[[], None]:
        self.set_clock(ahead_s)
        return lambda: self.set_clock(0.0)

    def _kill_ahead(self) -> Callable[[], None]:
        """Leases that are given while the clock is ahead must not hold for as long."""
        turn_back = self._shift(DAY_S)
        self.submit(1)
        time.sleep(0.3)
        self.kill("agents")

        def heal() -> None:
            turn_back()
            self.start_agents()

        return heal

    def endure(self, harm: Harm, *, each: int, at_random: random.Random) -> float:
        """One round: work is under way, harm is done for a moment and healed; seconds until results come again."""
        self.submit(each)
        self.wait_for_results(1)
        time.sleep(at_random.uniform(0.0, 0.3))
        heal = harm()
        time.sleep(at_random.uniform(0.1, 1.5))
        heal()
        began = time.monotonic()
        self.require_parts()
        self.submit(each)
        self.wait_for_results(2)
        return time.monotonic() - began

    def require_parts(self) -> None:
        """Start again what a service manager would have started again."""
        if self._processes["service"].poll() is not None:
            self.start_service()
        if self._processes["agents"].poll() is not None:
            self.start_agents()

    # --- The end ------------------------------------------------------------------------------------------------

    def losses(self) -> Losses:
        """Counts once everything is finished, or nothing was acknowledged for `PATIENCE_S`: what is left is stuck."""
        known, until = len(self.acknowledged()), time.monotonic() + PATIENCE_S
        while self._unfinished() and time.monotonic() < until:
            time.sleep(0.2)
            if (more := len(self.acknowledged())) > known:
                known, until = more, time.monotonic() + PATIENCE_S
        self.kill("agents")
        self.kill("service")
        return count_losses(self._database.url, self.acknowledged())

    def _unfinished(self) -> bool:
        try:
            return any(next(self.client.jobs(state=state), None) for state in ("queued", "leased"))
        except UnavailableError:
            return True


def count_losses(url: str, acknowledged: list[int]) -> Losses:
    """Compare what was acknowledged with what is in the database."""
    database = Database(create_engine_for(Settings(database_url=url)))
    with database.read() as session:
        written = session.execute(select(tables.Measurement.id, tables.Measurement.job_id)).all()
        rows = {row.id: row.job_id for row in written}
        states = Counter(session.scalars(select(tables.Job.state)))
    database.close()
    twice = sum(count - 1 for count in Counter(rows.values()).values())
    return Losses(
        acknowledged=len(set(acknowledged)),
        lost=len(set(acknowledged) - rows.keys()),
        double=twice,
        stuck=sum(count for state, count in states.items() if state not in FINISHED_STATES),
        jobs={str(state): count for state, count in sorted(states.items())},
    )


def network() -> bytes:
    """A small model."""
    node = helper.make_node("Relu", ["x"], ["y"])
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 8]) for name in "xy"]
    graph = helper.make_graph([node], "g", tensors[:1], tensors[1:])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(proto)
    return bytes(proto.SerializeToString())


def free_port() -> int:
    """A TCP port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

"""Work beside forecasts, for `latcast bench serve --agents`: agents that replay a recorded result, and adaptations.

A program of its own, so that its time is not the caller's: every agent is a device with a target, leases jobs and
reports the same samples for each. Others keep their queues filled, and have a target adapted again and again.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from latcast.client import Client
from latcast.schema import (
    Device,
    Environment,
    LatcastError,
    Measurement,
    ProcessRun,
    ProfileSettings,
    Target,
    from_plain,
)
from latcast.transport import prepared as packed
from profilers.backends.target_settings import target_for
from profilers.host.device import describe_device
from profilers.search_spaces import get_space
from service.cli.bench.busy import MEASURING_S
from service.cli.bench.load import Line, prepared
from service.cli.tables import echo

__all__ = ["SPACE", "replay"]

SPACE = "fbnet"
BLOCKS = ("k3_e1", "k3_e3", "k3_e6", "k5_e1", "k5_e3", "k5_e6")
"""Each makes a network that has it everywhere."""
NICENESS = 10
"""Agents are other machines: what they compute here may not be missing to the service and its caller."""
SAMPLES, SUPPORT = 100, 5
PAUSE_S = 0.5
FEWEST_JOBS, ROUNDS = 20, 40
"""An agent with fewer jobs gets every graph so many times more: enough for a minute, as a campaign asks for at once. To
make jobs is work of the process that answers forecasts."""
WAIT_S = 10.0

Ask = Callable[[str, bytes, Mapping[str, str]], Awaitable[tuple[int, bytes]]]
"""(path, body, headers) → status and body of the answer."""


@dataclass(slots=True)
class Machine:
    """A device with an agent.

    Args:
        key: the agent's.
        target: what it measures on.
        jobs: how many it has been given and has not leased.
    """

    key: str
    target: Target
    jobs: int = 0


def replay(url: str, agents: int) -> None:
    """Run the agents until the process is killed.

    Args:
        url: of a service on loopback without keys.
        agents: how many.
    """
    client = Client(url)
    device = describe_device()
    devices = [replace(device, fingerprint=f"bench-{number}", name=f"bench-{number}") for number in range(agents)]
    machines = [_registered(client, each) for each in devices]
    graphs = _graphs(client, machines[0])
    _fill(client, machines, graphs)
    Thread(target=_adapt, args=(client, machines[0].target.id), daemon=True).start()
    asyncio.run(_run(client, urlsplit(url).port or 80, machines, graphs))


async def _run(client: Client, port: int, machines: Sequence[Machine], graphs: Sequence[str]) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_keep_filled(client, machines, graphs))
        for machine in machines:
            tasks.create_task(_stay(port, machine))


def _registered(client: Client, device: Device) -> Machine:
    target = target_for(device, ProfileSettings())
    return Machine(client.register(device, [target])["agent_key"], target)


def _graphs(client: Client, machine: Machine) -> list[str]:
    """Hashes of some graphs, which the service stores with the first jobs about them."""
    blocks, positions = BLOCKS, get_space(SPACE).example.count("|") + 1
    architectures = [(SPACE, "|".join([block] * positions)) for block in blocks]
    jobs = client.profile(machine.target.id, architectures=architectures)
    machine.jobs += len(jobs)
    return [str(job["graph"]) for job in jobs]


async def _keep_filled(client: Client, machines: Sequence[Machine], graphs: Sequence[str]) -> None:
    while True:
        await asyncio.to_thread(_fill, client, machines, graphs)
        await asyncio.sleep(PAUSE_S)


def _fill(client: Client, machines: Sequence[Machine], graphs: Sequence[str]) -> None:
    """Give each agent that has few jobs some more."""
    for machine in machines:
        if machine.jobs < FEWEST_JOBS:
            try:
                machine.jobs += len(client.profile(machine.target.id, graphs=list(graphs) * ROUNDS))
            except LatcastError as error:
                echo(f"no jobs: {error}", err=True)


async def _stay(port: int, machine: Machine) -> None:
    """One agent, which comes again when its connection ends."""
    while True:
        try:
            line = await Line.to(port)
            try:
                await _work(_asking(line, machine.key), machine)
            finally:
                line.close()
        except (OSError, asyncio.IncompleteReadError, LatcastError) as error:
            echo(f"an agent comes again: {error!r}", err=True)
            await asyncio.sleep(PAUSE_S)


def _asking(line: Line, key: str) -> Ask:
    def ask(path: str, body: bytes, headers: Mapping[str, str]) -> Awaitable[tuple[int, bytes]]:
        own = {"Authorization": f"Bearer {key}", **headers}
        kind = own.pop("Content-Type", "application/json")
        return line.send(prepared(path, body, host="127.0.0.1", content_type=kind, headers=own))

    return ask


async def _work(ask: Ask, machine: Machine) -> None:
    """Lease, measure and report, again and again."""
    due = time.monotonic()
    while True:
        status, content = await ask("/v1/jobs/lease", json.dumps({"wait_s": WAIT_S}).encode(), {})
        if status == 204:
            continue
        if status != 200:
            raise LatcastError(f"no job: {content[:300].decode(errors='replace')}")
        job = json.loads(content)
        machine.jobs -= 1
        due = max(due + MEASURING_S, time.monotonic())
        await asyncio.sleep(due - time.monotonic())
        report = packed(
            {"packed_json": {"lease_token": job["lease_token"], "measurement": _recorded(job, machine.target)}}
        )
        status, content = await ask(f"/v1/jobs/{job['id']}/result", report["content"], report["headers"])
        if status != 200:
            echo(f"a result was refused: {content[:300].decode(errors='replace')}", err=True)


def _recorded(job: Mapping[str, Any], target: Target) -> Measurement:
    """What every measurement has seen."""
    samples = tuple(2.0 + 0.001 * (place % 10) for place in range(SAMPLES))
    return Measurement(
        graph=job["graph"],
        target=target,
        settings=from_plain(ProfileSettings, job["settings"]),
        before=Environment(time_unix_s=time.time(), load_1m=0.5),
        after=Environment(time_unix_s=time.time(), load_1m=0.5),
        runs=(ProcessRun(samples_ms=samples), ProcessRun(samples_ms=samples)),
    )


def _adapt(client: Client, target_id: str) -> None:
    """Have the target adapted, again and again."""
    while True:
        try:
            client.wait(client.adapt(target_id, samples=SUPPORT, priority=1)["id"])
        except LatcastError as error:
            echo(f"no adaptation: {error}", err=True)
            time.sleep(PAUSE_S)


if __name__ == "__main__":
    os.nice(NICENESS)
    replay(sys.argv[1], int(sys.argv[2]))

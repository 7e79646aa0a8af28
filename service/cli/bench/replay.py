"""Work beside forecasts, for `latcast bench serve --agents`: agents that replay a recorded result, and adaptations.

A program of its own, so that its time is not the caller's: every agent is a device with a target, leases jobs and
reports the same samples for each. Another thread keeps their queues filled; one has targets adapted again and again.
"""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from threading import Thread
from typing import Any

from latcast.client import Client
from latcast.schema import (
    Device,
    Environment,
    JobState,
    LatcastError,
    Measurement,
    ProcessRun,
    ProfileSettings,
    Target,
    from_plain,
)
from profilers.backends.target_settings import target_for
from profilers.host.device import describe_device
from profilers.search_spaces import get_space
from service.cli.tables import echo

__all__ = ["SPACE", "replay"]

SPACE = "fbnet"
BLOCKS = ("k3_e1", "k3_e3", "k3_e6", "k5_e1", "k5_e3", "k5_e6")
"""Each makes a network that has it everywhere."""
NICENESS = 10
"""Agents are other machines: what they compute here may not be missing to the service and its caller."""
MEASURING_S = 0.25
"""Pause of an agent between two results."""
SAMPLES, SUPPORT = 100, 5
PAUSE_S = 0.5


def replay(url: str, agents: int) -> None:
    """Run the agents until the process is killed.

    Args:
        url: of a service without keys.
        agents: how many.
    """
    client = Client(url)
    device = describe_device()
    machines = [replace(device, fingerprint=f"bench-{number}", name=f"bench-{number}") for number in range(agents)]
    keys, targets = zip(*(_registered(client, machine) for machine in machines), strict=True)
    graphs = _graphs(client, targets[0].id)
    for key, target in zip(keys, targets, strict=True):
        Thread(target=_work, args=(Client(url, key), target), daemon=True).start()
    Thread(target=_adapt, args=(client, targets[0].id), daemon=True).start()
    while True:
        _fill(client, targets, graphs)
        time.sleep(PAUSE_S)


def _registered(client: Client, device: Device) -> tuple[str, Target]:
    target = target_for(device, ProfileSettings())
    return client.register(device, [target])["agent_key"], target


def _graphs(client: Client, target_id: str) -> list[str]:
    """Hashes of some graphs, which the service stores with the first jobs about them."""
    blocks, positions = BLOCKS, get_space(SPACE).example.count("|") + 1
    jobs = client.profile(target_id, architectures=[(SPACE, "|".join([block] * positions)) for block in blocks])
    return [str(job["graph"]) for job in jobs]


def _fill(client: Client, targets: Sequence[Target], graphs: Sequence[str]) -> None:
    """Give each agent whose queue is empty some jobs."""
    waiting = {job["target"] for job in client.jobs(state=JobState.QUEUED)}
    for target in targets:
        if target.id not in waiting:
            client.profile(target.id, graphs=graphs)


def _work(client: Client, target: Target) -> None:
    """One agent."""
    while True:
        job = client.lease(wait_s=10)
        if job is None:
            continue
        time.sleep(MEASURING_S)
        try:
            client.result(job["id"], job["lease_token"], _recorded(job, target))
        except LatcastError as error:
            echo(f"a result was refused: {error}", err=True)


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
            client.wait(client.adapt(target_id, samples=SUPPORT)["id"])
        except LatcastError as error:
            echo(f"no adaptation: {error}", err=True)
            time.sleep(PAUSE_S)


if __name__ == "__main__":
    os.nice(NICENESS)
    replay(sys.argv[1], int(sys.argv[2]))

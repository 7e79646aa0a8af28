"""Agents that replay a recorded result: a program of its own, with a thread for each agent.

They are real agents (`profilers.agent.run`), with spools, over the real client; nothing is measured. Whatever the
service acknowledges is written into a file, a line for each row.
"""

import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

from latcast.client import Client
from latcast.schema import Device, Graph, Measurement, ProfileSettings, Target, from_plain
from profilers.agent.run import run_agent
from service.agent.job_source import ServiceJobSource

__all__ = ["ACKNOWLEDGED", "PLAN"]

PLAN, ACKNOWLEDGED = "agents.json", "acknowledged"
"""Files of the folder: what to run, and what was acknowledged."""
MEASURING_S, WAIT_S = 0.02, 1.0


class NotingClient(Client):
    """Appends the row and the lease of each receipt to a file, before anybody else hears of it."""

    log: int

    def result(self, job_id: str, lease_token: str, measurement: Measurement) -> dict[str, Any]:
        """Deliver a measurement; see the base class."""
        receipt = super().result(job_id, lease_token, measurement)
        os.write(self.log, f"{receipt['measurement_id']} {job_id}\n".encode())
        return receipt


def main(url: str, folder: str) -> None:
    """Run every agent of the plan until the process is killed."""
    plan = json.loads(Path(folder, PLAN).read_bytes())
    log = os.open(Path(folder, ACKNOWLEDGED), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    recorded = from_plain(Measurement, plan["recorded"])
    for number, agent in enumerate(plan["agents"]):
        device, target = from_plain(Device, agent["device"]), from_plain(Target, agent["target"])
        client = NotingClient(url, agent["key"])
        client.log = log
        spool = Path(folder, f"spool-{number}")
        Thread(target=work, args=(client, device, replace(recorded, target=target), spool), daemon=True).start()
    Event().wait()


def work(client: Client, device: Device, recorded: Measurement, spool: Path) -> None:
    """One agent; it begins anew should it end, as a service manager would have it."""

    def measure(
        _model: bytes, *, device: Device, settings: ProfileSettings, feeds: Any, graph: Graph, progress: Any
    ) -> Measurement:
        time.sleep(MEASURING_S)
        return replace(recorded, graph=graph.hash, settings=settings)

    while True:
        source = ServiceJobSource(client, wait_s=WAIT_S)
        run_agent(source, device=device, backends=["fake"], stop=Event(), spool=spool, measure=measure)


if __name__ == "__main__":
    main(*sys.argv[1:])

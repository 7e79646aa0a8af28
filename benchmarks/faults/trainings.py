"""Trainings whose processes are killed: each goes on in another process, and is done once."""

import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress

import psutil

from benchmarks.faults.databases import Harm
from latcast.client import Client

__all__ = ["training_harms"]

WORKER, TRAINING = "service.worker.embedded.training_child", "service.worker.training.child"
"""Modules of the worker beside the service, and of the process that it starts for a training."""
LOOK_S, PATIENCE_S = 0.01, 120.0
MOST_HEAD_START_S = 1.0
"""A process may have run for as long when it is killed."""


def training_harms(client: Client, service: Callable[[], int]) -> dict[str, Harm]:
    """Faults of a worker's processes, by name.

    Args:
        client: asks for the trainings.
        service: number of the process whose worker trains.
    """
    return {
        "worker killed": lambda: _kill_in_training(client, service, WORKER),
        "training killed": lambda: _kill_in_training(client, service, TRAINING),
    }


def _kill_in_training(client: Client, service: Callable[[], int], module: str) -> Callable[[], None]:
    """Ask for a training, kill a process while it runs; gives what waits until it is done."""
    job = client.train("flops", folds=0, target_folds=0)["id"]
    until = time.monotonic() + PATIENCE_S
    while client.job(job)["state"] == "queued" or (process := _child(service(), module)) is None:
        if time.monotonic() > until:
            raise TimeoutError(f"No process of {module} began with the training {job}.")
        time.sleep(LOOK_S)
    time.sleep(random.uniform(0.0, MOST_HEAD_START_S))
    with suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGKILL)
    return lambda: _require_done(client, job)


def _child(parent: int, module: str) -> psutil.Process | None:
    for process in psutil.Process(parent).children(recursive=True):
        try:
            if module in process.cmdline():
                return process
        except psutil.Error:  # it ended meanwhile
            continue
    return None


def _require_done(client: Client, job: str) -> None:
    ended = client.wait(job, timeout_s=PATIENCE_S)
    outcomes = [one["outcome"] for one in ended["reasons"]]
    if ended["state"] != "done" or outcomes.count("done") != 1:
        raise RuntimeError(f"The training {job} was not done once: {ended['state']}, after {outcomes}.")

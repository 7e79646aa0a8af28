"""Measures and trains the base predictor that latcast ships.

    python benchmarks/train_base.py measure --data data/base --minutes 25
    python benchmarks/train_base.py train --data data/base

`measure` wants the machine to itself. It can be stopped and started again: what is measured stays measured.
Only our own generators are measured: the zoo, NAS-Bench-201 cells, and single kernels. No published model is.
"""

import argparse
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
from campaign import Campaign, quick_worker

from profilers.schema import Architecture
from profilers.search_spaces import get_space


def main() -> None:
    """Read the command line and do what it says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    _add_measure(commands.add_parser("measure", help="measure on this machine"))
    commands.add_parser("worker", help="what measure starts").set_defaults(run=lambda _: quick_worker())
    arguments = parser.parse_args()
    run: Callable[[argparse.Namespace], None] = arguments.run
    run(arguments)


def _add_measure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, help="folder that the measurements go to")
    parser.add_argument("--minutes", type=float, default=25, help="how long to measure at most")
    parser.add_argument("--careful-share", type=float, default=0.5, help="of the time, for whole networks in sandboxes")
    parser.add_argument("--networks", type=int, default=400, help="zoo networks and cells at most, one cell in five")
    parser.add_argument("--kernels", type=int, default=20_000, help="single kernels at most")
    parser.add_argument("--seed", type=int, default=0, help="of the choice")
    parser.set_defaults(run=_measure)


def _measure(arguments: argparse.Namespace) -> None:
    start, seconds = time.monotonic(), arguments.minutes * 60
    networks = _mix(
        _sample("zoo", arguments.networks * 4 // 5, arguments.seed),
        _sample("nasbench201", arguments.networks // 5, arguments.seed),
    )
    careful = Campaign(arguments.data, deadline_s=start + seconds * arguments.careful_share)
    print(f"networks: {careful.careful(networks)} new", flush=True)
    quick = Campaign(arguments.data, deadline_s=start + seconds)
    print(f"kernels: {quick.quick(_sample('kernels', arguments.kernels, arguments.seed))} new", flush=True)


def _sample(space: str, count: int, seed: int) -> list[Architecture]:
    rng = np.random.default_rng([seed, len(space)])
    return [get_space(space).sample(rng) for _ in range(count)]


def _mix(many: Sequence[Architecture], few: Sequence[Architecture]) -> list[Architecture]:
    """One of the few after every four of the many, so that stopping early keeps the proportion."""
    every = max(1, len(many) // max(1, len(few)))
    mixed: list[Architecture] = []
    for index, architecture in enumerate(many):
        mixed.append(architecture)
        if index % every == every - 1 and index // every < len(few):
            mixed.append(few[index // every])
    return mixed


if __name__ == "__main__":
    main()

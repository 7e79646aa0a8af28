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

PRETRAINED = Path(__file__).parents[1] / "predictors" / "pretrained" / "kernel_sum-base.safetensors"


def main() -> None:
    """Read the command line and do what it says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    _add_measure(commands.add_parser("measure", help="measure on this machine"))
    _add_train(commands.add_parser("train", help="train, judge and write artifact and model card"))
    commands.add_parser("worker", help="what measure starts").set_defaults(run=lambda _: quick_worker())
    arguments = parser.parse_args()
    run: Callable[[argparse.Namespace], None] = arguments.run
    run(arguments)


def _add_measure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, help="folder that the measurements go to")
    parser.add_argument("--minutes", type=float, default=25, help="how long to measure at most")
    parser.add_argument("--careful-share", type=float, default=0.3, help="of the time, for networks in sandboxes")
    parser.add_argument("--kernel-share", type=float, default=0.2, help="of the time, for single kernels")
    parser.add_argument("--networks", type=int, default=4000, help="networks in sandboxes at most; one cell in five")
    parser.add_argument("--quick-networks", type=int, default=4000, help="networks in one worker at most; likewise")
    parser.add_argument("--kernels", type=int, default=20_000, help="single kernels at most")
    parser.add_argument("--seed", type=int, default=0, help="of the choice")
    parser.set_defaults(run=_measure)


def _measure(arguments: argparse.Namespace) -> None:
    start, seconds = time.monotonic(), arguments.minutes * 60

    def until(share: float) -> Campaign:
        return Campaign(arguments.data, deadline_s=start + seconds * share)

    networks = _networks(arguments.networks, arguments.seed)
    print(f"networks: {until(arguments.careful_share).careful(networks)} new", flush=True)
    networks = _networks(arguments.quick_networks, arguments.seed + 1)
    print(f"networks, quickly: {until(1 - arguments.kernel_share).quick(networks)} new", flush=True)
    kernels = _sample("kernels", arguments.kernels, arguments.seed)
    print(f"kernels: {until(1.0).quick(kernels)} new", flush=True)


def _add_train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders that were measured into")
    parser.add_argument("--output", type=Path, default=PRETRAINED, help="artifact; the card goes beside it")
    parser.add_argument("--seed", type=int, default=0, help="of folds and trees")
    parser.set_defaults(run=_train)


def _train(arguments: argparse.Namespace) -> None:
    from base_training import judge, load_campaigns, write_card

    from predictors.base import Provenance
    from predictors.dataset import dataset_digest
    from predictors.kernel_sum import KernelSumPredictor

    campaigns = load_campaigns(arguments.data)
    print(f"{len(campaigns.dataset)} rows, {campaigns.stale} stale", flush=True)
    figures = judge(campaigns, KernelSumPredictor, arguments.seed)
    predictor = KernelSumPredictor(seed=arguments.seed).fit(campaigns.dataset)
    predictor.provenance_ = Provenance(dataset_digest=dataset_digest(campaigns.dataset), metrics=figures)
    artifact = predictor.to_artifact().save(arguments.output)
    write_card(arguments.output.with_suffix(".md"), campaigns, figures, artifact.stat().st_size)
    print(f"{artifact}: {figures['unadapted']}", flush=True)


def _networks(count: int, seed: int) -> list[Architecture]:
    """Zoo networks, and a NAS-Bench-201 cell after every four of them."""
    return _mix(_sample("zoo", count * 4 // 5, seed), _sample("nasbench201", count // 5, seed))


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

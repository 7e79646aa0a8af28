"""BRP-NAS's guided search under HELP's limits, beside training at random: the most accurate cell after sixty trainings.

Candidates are the 500 cells of MetaD2A with their accuracies; those are allowed that keep the limit with 90 % after ten
measurements of the device, as `python -m benchmarks.search_table` has it.

    python -m benchmarks.guided_search --data HELP/data
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from benchmarks.search_table import HELP_FOUND, PROBABILITY, SPACE, forecasts, probabilities, read_candidates
from latcast.schema import Target
from predictors.base import Query
from predictors.data.importers.help import read_table
from predictors.evaluation.nas.protocol import training_rows
from predictors.evaluation.nas.tasks import DEFAULT_SOURCES
from predictors.kinds.brp_nas.guided_search import guided_search
from predictors.kinds.brp_nas.ranker import Ranker
from predictors.registry import predictor_class

FIRST, ROUNDS, BEST, EXPLORING = 20, 2, 15, 5
TRAINED = FIRST + ROUNDS * (BEST + EXPLORING)


def ranker() -> Ranker:
    """A smaller network than the paper's, which learns from tens of rows in seconds."""
    return Ranker(loss="hinge", layers=3, width=128, epochs=80, learning_rate=2e-3)


def main() -> None:
    """Print a row for each limit that leaves enough candidates."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    table = read_table(asked.data, SPACE)
    candidates = read_candidates(asked.data, table)
    queries = [Query(target=Target(device="any", backend="any"), architecture=one) for one in candidates.architectures]
    training = training_rows(table, DEFAULT_SOURCES[SPACE], protocol="full", samples=900, seed=0, references=False)
    bases = {"universal": predictor_class("universal")(seed=0).fit(training)}
    print("| device | limit, ms | allowed | guided, % | at random, % | best allowed, % |\n" + "| --- " * 6 + "|")
    for device, limits in HELP_FOUND.items():
        said = forecasts(bases, table, candidates, device, 0)["universal"]
        for limit_ms in limits:
            allowed = probabilities(said, limit_ms) >= PROBABILITY
            if allowed.sum() < 2 * TRAINED:
                continue
            guided, chance = [], []
            for seed in range(asked.seeds):
                found = guided_search(
                    queries, lambda places: candidates.accuracy[list(places)].tolist(), allowed=allowed,
                    make_ranker=ranker, first=FIRST, rounds=ROUNDS, best=BEST, exploring=EXPLORING, seed=seed,
                )  # fmt: skip
                guided.append(found.values.max())
                drawn = np.random.default_rng([seed, 9]).choice(np.flatnonzero(allowed), TRAINED, replace=False)
                chance.append(candidates.accuracy[drawn].max())
            row = (np.mean(guided), np.mean(chance), candidates.accuracy[allowed].max())
            cells = " | ".join(f"{value:.2f}" for value in row)
            print(f"| {device} | {limit_ms:g} | {allowed.sum()} | {cells} |", flush=True)


if __name__ == "__main__":
    main()

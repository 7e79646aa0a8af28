"""The random sampler draws uniformly and repeats itself for the same seed."""

import numpy as np

from predictors.samplers.random import RandomSampler
from tests.predictors.samplers.cells import cells


def test_the_seed_decides() -> None:
    candidates = cells(30)
    chosen = [RandomSampler().choose(candidates, 10, rng=np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert chosen[0] == chosen[1] != chosen[2]


def test_every_candidate_is_as_likely() -> None:
    candidates, rng = cells(10), np.random.default_rng(0)
    counts = np.zeros(10)
    for _ in range(400):
        counts[RandomSampler().choose(candidates, 2, rng=rng)] += 1
    assert counts.min() > 50
    assert counts.max() < 110

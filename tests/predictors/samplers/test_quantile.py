"""The quantile sampler spreads over sizes."""

import numpy as np

from predictors.base import Query
from predictors.samplers.quantile import QuantileSampler


def test_quantiles_spread_over_all_sizes(candidates: list[Query]) -> None:
    chosen = QuantileSampler().choose(candidates, 10, rng=np.random.default_rng(0))
    ranks = np.argsort(np.argsort([query.graph.flops for query in candidates]))
    assert sorted(ranks[chosen] // 12) == list(range(10))

"""The variance sampler and the greedy design behind it."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from predictors.base import Query
from predictors.kinds.flops import FlopsPredictor
from predictors.samplers.variance import VarianceSampler, greedy_variance


def _total_variance(features: np.ndarray, chosen: list[int], noise: float) -> float:
    kernel = features @ features.T
    trained = kernel[np.ix_(chosen, chosen)] + noise**2 * np.eye(len(chosen))
    return float(np.trace(kernel - kernel[:, chosen] @ np.linalg.solve(trained, kernel[chosen])))


def test_greedy_variance_takes_the_best_next_row() -> None:
    features, noise = np.random.default_rng(3).standard_normal((15, 4)), 0.3
    chosen: list[int] = []
    for result in greedy_variance(features, 6, noise):
        left = [row for row in range(15) if row not in chosen]
        best = min(left, key=lambda row: _total_variance(features, [*chosen, row], noise))
        assert result == best
        chosen.append(best)


def test_greedy_variance_beats_chance() -> None:
    rng = np.random.default_rng(4)
    features = rng.standard_normal((200, 10)) * np.linspace(1, 0.05, 10)
    own = _total_variance(features, greedy_variance(features, 8, 0.1), 0.1)
    others = [_total_variance(features, list(rng.choice(200, 8, replace=False)), 0.1) for _ in range(20)]
    assert own < min(others)


def test_variance_sampler_asks_the_predictor(candidates: list[Query]) -> None:
    class Certain(FlopsPredictor):
        asked: ClassVar[list[int]] = []

        def adaptation_features(self, queries: Sequence[Query]) -> np.ndarray:
            self.asked.append(len(queries))
            return np.eye(len(queries))[:, ::-1] * np.arange(1, len(queries) + 1)

    chosen = VarianceSampler().choose(candidates, 3, predictor=Certain(), rng=np.random.default_rng(0))
    assert Certain.asked == [len(candidates)]
    assert chosen == [0, 1, 2]

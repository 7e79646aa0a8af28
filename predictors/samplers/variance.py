"""The `variance` sampler: networks whose measurement lowers the variance of all forecasts most."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from predictors.base import FloatArray, Predictor, Query
from predictors.samplers.base import HasAdaptationFeatures, eligible, query_features

__all__ = ["VarianceSampler", "greedy_variance"]


class VarianceSampler:
    """Chooses, one after another, the network whose measurement removes most of the variance of all candidates.

    The prior covariance is the predictor's where it has `adaptation_features`, else that of a linear model in the
    networks' features. The choice depends on the candidates and the predictor alone; `rng` is not used.
    """

    name: ClassVar[str] = "variance"
    noise_log: ClassVar[float] = 0.05
    """Standard deviation of a measurement's log latency around the model."""

    def choose(
        self, candidates: Sequence[Query], k: int, *, predictor: Predictor | None = None, rng: np.random.Generator
    ) -> list[int]:
        """See `Sampler.choose`."""
        return self.choose_beside(candidates, k, observed=(), predictor=predictor, rng=rng)

    def choose_beside(
        self,
        candidates: Sequence[Query],
        k: int,
        *,
        observed: Sequence[Query],
        predictor: Predictor | None = None,
        rng: np.random.Generator,
    ) -> list[int]:
        """See `ChoosesBeside.choose_beside`: the prior is conditioned on what was measured."""
        rows = eligible(candidates, k)
        asked = [*(candidates[row] for row in rows), *observed]
        stated = isinstance(predictor, HasAdaptationFeatures)
        features = predictor.adaptation_features(asked) if stated else _with_level(query_features(asked))  # type: ignore[union-attr]
        for place in range(len(rows), len(asked)):
            row = features[place]
            features = _conditioned(features, row, float(row @ row) + self.noise_log**2)
        return [int(rows[index]) for index in greedy_variance(features[: len(rows)], k, self.noise_log)]


def greedy_variance(features: FloatArray, k: int, noise: float) -> list[int]:
    """Rows whose observation lowers the total posterior variance most, one after another.

    For a Gaussian prior with covariance K = features·featuresᵀ, observing row j lowers the total variance by
    Σ_i K_ij² / (K_jj + noise²); the best is taken, K is conditioned on it, and so on (A-optimal design; Seo et al.,
    Gaussian process regression: active data selection, 2000).

    Args:
        features: float64 (n, d), a row for each candidate.
        k: number of rows to choose, at most n.
        noise: standard deviation of an observation.

    Returns:
        The indices of the rows, in the order in which they were chosen.
    """
    left = features.copy()
    free = np.ones(len(left), dtype=bool)
    chosen: list[int] = []
    for _ in range(k):
        gram = left.T @ left
        observed = np.einsum("nd,nd->n", left, left) + noise**2
        gain = np.einsum("nd,nd->n", left @ gram, left) / observed
        best = int(np.argmax(np.where(free, gain, -np.inf)))
        chosen.append(best)
        free[best] = False
        left = _conditioned(left, left[best], observed[best])
    return chosen


def _conditioned(features: FloatArray, row: FloatArray, total: float) -> FloatArray:
    """Features whose inner products are the covariances after observing `row` (total = |row|² + noise²)."""
    length = float(row @ row)
    if length <= 0:
        return features
    shrink = (1 - np.sqrt(max(0.0, 1 - length / total))) / length
    return np.asarray(features - shrink * np.outer(features @ row, row))


def _with_level(features: FloatArray) -> FloatArray:
    """The features with a column for the target's level, whose prior variance is the largest."""
    return np.column_stack([np.full(len(features), 2.0), features])

"""The `kmeans` sampler: networks that represent clusters of the candidates."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from predictors.base import FloatArray, Predictor, Query
from predictors.samplers.base import eligible, query_features

__all__ = ["KMeansSampler", "kmeans"]


class KMeansSampler:
    """The networks nearest to k cluster centres in feature space."""

    name: ClassVar[str] = "kmeans"

    def choose(
        self, candidates: Sequence[Query], k: int, *, predictor: Predictor | None = None, rng: np.random.Generator
    ) -> list[int]:
        """See `Sampler.choose`."""
        rows = eligible(candidates, k)
        features = query_features([candidates[row] for row in rows])
        centres = kmeans(features, k, rng)
        chosen: list[int] = []
        for centre in centres:
            distance = np.square(features - centre).sum(axis=1)
            distance[chosen] = np.inf
            chosen.append(int(np.argmin(distance)))
        return [int(rows[index]) for index in chosen]


def kmeans(points: FloatArray, k: int, rng: np.random.Generator, *, rounds: int = 50) -> FloatArray:
    """Centres of k clusters by Lloyd's algorithm from a k-means++ start (Arthur and Vassilvitskii, 2007).

    Args:
        points: float64 (n, d), n ≥ k.
        k: number of clusters.
        rng: generator of the start.
        rounds: largest number of iterations.

    Returns:
        The centres, float64 (k, d); a cluster that lost its points keeps its centre.
    """
    centres = _spread_start(points, k, rng)
    assigned = np.full(len(points), -1)
    for _ in range(rounds):
        nearest = np.argmin(_squared_distances(points, centres), axis=1)
        if np.array_equal(nearest, assigned):
            break
        assigned = nearest
        for cluster in np.unique(assigned):
            centres[cluster] = points[assigned == cluster].mean(axis=0)
    return centres


def _spread_start(points: FloatArray, k: int, rng: np.random.Generator) -> FloatArray:
    chosen = [int(rng.integers(len(points)))]
    while len(chosen) < k:
        distance = _squared_distances(points, points[chosen]).min(axis=1)
        total = distance.sum()
        chances = distance / total if total > 0 else None
        chosen.append(int(rng.choice(len(points), p=chances)))
    return points[chosen].copy()


def _squared_distances(points: FloatArray, centres: FloatArray) -> FloatArray:
    lengths = np.square(points).sum(axis=1)[:, None] + np.square(centres).sum(axis=1)
    return np.asarray(np.maximum(lengths - 2 * points @ centres.T, 0.0))

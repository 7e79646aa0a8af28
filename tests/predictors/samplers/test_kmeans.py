"""The kmeans sampler, and clusters of points that are hard to tell apart."""

import numpy as np
from numpy.testing import assert_allclose

from predictors.base import Query
from predictors.samplers.kmeans import KMeansSampler, kmeans


def test_kmeans_takes_one_of_each_heap() -> None:
    rng = np.random.default_rng(2)
    heaps = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])
    points = np.repeat(heaps, 25, axis=0) + 0.3 * rng.standard_normal((100, 2))
    centres = kmeans(points, 4, np.random.default_rng(0))
    nearest = np.square(centres[:, None] - heaps).sum(axis=2)
    assert sorted(nearest.argmin(axis=1)) == [0, 1, 2, 3]
    assert nearest.min(axis=1).max() < 0.1


def test_kmeans_survives_equal_points() -> None:
    assert_allclose(kmeans(np.ones((5, 2)), 3, np.random.default_rng(0)), np.ones((3, 2)))


def test_kmeans_sampler_survives_equal_candidates(candidates: list[Query]) -> None:
    chosen = KMeansSampler().choose([candidates[0]] * 6, 4, rng=np.random.default_rng(0))
    assert len(set(chosen)) == 4

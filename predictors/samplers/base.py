"""Which networks to measure next on a target.

A sampler sees queries, a predictor and its uncertainty, and never a latency that has not been paid for. It never picks
a degenerate architecture (one whose input does not reach its output): such networks are a world of their own, and one
among twenty samples spoils an adaptation.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from latcast.schema import InputError
from predictors.base import FloatArray, Predictor, Query
from predictors.data.splits import query_key
from predictors.features.encoding import EncodingTable, common_space
from predictors.features.flat import flat_features
from profilers.plugins import names, plugin
from profilers.search_spaces import get_space

__all__ = [
    "HasAdaptationFeatures",
    "KMeansSampler",
    "QuantileSampler",
    "RandomSampler",
    "ReferenceSampler",
    "Sampler",
    "VarianceSampler",
    "eligible",
    "get_sampler",
    "greedy_variance",
    "kmeans",
    "query_features",
    "sampler_names",
]

Rows = NDArray[np.intp]


class Sampler(Protocol):
    """Chooses what to measure. Stateless; constructed without arguments."""

    name: ClassVar[str]

    def choose(
        self, candidates: Sequence[Query], k: int, *, predictor: Predictor | None = None, rng: np.random.Generator
    ) -> list[int]:
        """Indices of k different candidates, the most wanted first.

        Args:
            candidates: networks that could be measured on the target.
            k: how many to choose.
            predictor: what is to be adapted; samplers do without where they can.
            rng: of everything random.

        Raises:
            InputError: fewer than k candidates are eligible.
        """


@runtime_checkable
class HasAdaptationFeatures(Protocol):
    """A predictor that can say how its doubts about networks hang together before any is measured."""

    def adaptation_features(self, queries: Sequence[Query]) -> FloatArray:
        """Float64 (n, d): inner products of rows are prior covariances of log latency on a new target."""


def sampler_names() -> tuple[str, ...]:
    """Names of all registered samplers."""
    return names("samplers")


def get_sampler(name: str) -> Sampler:
    """The sampler of that name.

    Raises:
        UnknownNameError: no such sampler.
    """
    sampler: Sampler = plugin("samplers", name)()
    return sampler


class RandomSampler:
    """Uniformly at random."""

    name: ClassVar[str] = "random"

    def choose(
        self, candidates: Sequence[Query], k: int, *, predictor: Predictor | None = None, rng: np.random.Generator
    ) -> list[int]:
        """See `Sampler.choose`."""
        return [int(index) for index in rng.choice(eligible(candidates, k), size=k, replace=False)]


class QuantileSampler:
    """One from each of k equally large groups by size: by forecast latency, or by FLOPs where nothing forecasts."""

    name: ClassVar[str] = "quantile"

    def choose(
        self, candidates: Sequence[Query], k: int, *, predictor: Predictor | None = None, rng: np.random.Generator
    ) -> list[int]:
        """See `Sampler.choose`."""
        rows = eligible(candidates, k)
        asked = [candidates[row] for row in rows]
        size = predictor.predict(asked).median_ms if predictor else np.array([query.graph.flops for query in asked])
        groups = np.array_split(rows[np.argsort(size, kind="stable")], k)
        return [int(rng.choice(group)) for group in rng.permutation(np.array(groups, dtype=object), axis=0)]


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


class ReferenceSampler:
    """The same networks on every target, whatever else there is to choose from (HELP, section 3.2).

    First those by which the predictor describes devices, where it does (`references_`), then in an order that follows
    from a network's text or hash alone: devices measured so can be compared measurement by measurement.
    """

    name: ClassVar[str] = "reference"

    def choose(
        self, candidates: Sequence[Query], k: int, *, predictor: Predictor | None = None, rng: np.random.Generator
    ) -> list[int]:
        """See `Sampler.choose`."""
        known = frozenset(getattr(predictor, "references_", ()))
        keys = {int(row): query_key(candidates[row]) for row in eligible(candidates, k)}
        order = sorted(keys, key=lambda row: (keys[row] not in known, sha256(keys[row].encode()).digest(), row))
        return order[:k]


class VarianceSampler:
    """Greedily the networks whose measurement removes most of the doubt about all candidates.

    The doubt is the predictor's own where it has `adaptation_features`, else linear in the networks' features. The
    chosen depend on the candidates and the predictor alone, `rng` is not used.
    """

    name: ClassVar[str] = "variance"
    noise_log: ClassVar[float] = 0.05
    """Standard deviation of a measurement's log latency around what a model can say."""

    def choose(
        self, candidates: Sequence[Query], k: int, *, predictor: Predictor | None = None, rng: np.random.Generator
    ) -> list[int]:
        """See `Sampler.choose`."""
        rows = eligible(candidates, k)
        asked = [candidates[row] for row in rows]
        known = isinstance(predictor, HasAdaptationFeatures)
        features = predictor.adaptation_features(asked) if known else _with_level(query_features(asked))  # type: ignore[union-attr]
        return [int(rows[index]) for index in greedy_variance(features, k, self.noise_log)]


def eligible(candidates: Sequence[Query], k: int) -> Rows:
    """Indices of the candidates that may be chosen: those that are not degenerate.

    Raises:
        InputError: there are fewer than k, or k is not positive.
    """
    if k < 1:
        raise InputError(f"At least one sample has to be chosen, not {k}.")
    rows = [index for index, query in enumerate(candidates) if not _is_degenerate(query)]
    if len(rows) < k:
        left_out = len(candidates) - len(rows)
        raise InputError(f"{k} samples were asked for, but of {len(candidates)} candidates {len(rows)} can be chosen "
                         f"({left_out} are degenerate). Widen the pool or ask for fewer.")  # fmt: skip
    return np.array(rows, dtype=np.intp)


def query_features(queries: Sequence[Query]) -> FloatArray:
    """Standardised features, float64 (n, F): encodings where all are architectures of one space, else flat ones."""
    bare = common_space(queries) is not None and not any(query.has_graph for query in queries)
    raw = EncodingTable.of(queries).features(queries) if bare else flat_features([query.graph for query in queries])
    spread = raw.std(axis=0)
    varying = spread > 1e-9
    return np.asarray(
        (raw[:, varying] - raw[:, varying].mean(axis=0)) / spread[varying] / np.sqrt(max(1, varying.sum()))
    )


def greedy_variance(features: FloatArray, k: int, noise: float) -> list[int]:
    """Rows whose observation lowers the total posterior variance most, one after another.

    For a Gaussian prior with covariance K = features·featuresᵀ, observing row j lowers the total variance by
    Σ_i K_ij² / (K_jj + noise²); the best is taken, K is conditioned on it, and so on (A-optimal design; Seo et al.,
    Gaussian process regression: active data selection, 2000).

    Args:
        features: float64 (n, d).
        k: rows to choose, at most n.
        noise: standard deviation of an observation.
    """
    left = features.copy()
    free = np.ones(len(left), dtype=bool)
    chosen: list[int] = []
    for _ in range(k):
        gram = left.T @ left
        own = np.einsum("nd,nd->n", left, left) + noise**2
        gain = np.einsum("nd,nd->n", left @ gram, left) / own
        best = int(np.argmax(np.where(free, gain, -np.inf)))
        chosen.append(best)
        free[best] = False
        left = _conditioned(left, left[best], own[best])
    return chosen


def kmeans(points: FloatArray, k: int, rng: np.random.Generator, *, rounds: int = 50) -> FloatArray:
    """Centres of k clusters by Lloyd's algorithm from a k-means++ start (Arthur and Vassilvitskii, 2007).

    Args:
        points: float64 (n, d), n ≥ k.
        k: clusters.
        rng: of the start.
        rounds: at most.

    Returns:
        Float64 (k, d); clusters that lost their points keep their centre.
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


def _conditioned(features: FloatArray, row: FloatArray, total: float) -> FloatArray:
    """Features whose inner products are the covariances after observing `row` (total = |row|² + noise²)."""
    length = float(row @ row)
    if length <= 0:
        return features
    shrink = (1 - np.sqrt(max(0.0, 1 - length / total))) / length
    return np.asarray(features - shrink * np.outer(features @ row, row))


def _with_level(features: FloatArray) -> FloatArray:
    """With a column for the target's level, on which doubt is greatest."""
    return np.column_stack([np.full(len(features), 2.0), features])


def _is_degenerate(query: Query) -> bool:
    architecture = query.architecture
    return architecture is not None and get_space(architecture.space).is_degenerate(architecture)

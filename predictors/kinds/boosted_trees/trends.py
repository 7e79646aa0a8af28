"""What a tree cannot do, extrapolate: smooth models of log latency, and how targets differ around them.

A reader turns queries into features, fits a smooth part on them, and offers contrasts: a few columns along which
targets differ from each other, for `predictors.inference.linear_effects`. `GraphReader`
has a roofline in the work of the graph,
`EncodingReader` a ridge regression on the encoding of a search space.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from scipy.optimize import least_squares, nnls

from latcast.schema import ArtifactError
from predictors.artifact import Artifact
from predictors.base import FloatArray, Query
from predictors.features.coverage import OperatorRanges
from predictors.features.encoding import EncodingTable
from predictors.features.flat import FEATURE_NAMES, FEATURE_VERSION, OPERATOR_CLASSES, flat_features

__all__ = ["EncodingReader", "GraphReader", "Reader", "reader_from_artifact"]


class Reader(ABC):
    """Queries → features, smooth part and contrasts. Immutable once made by `fit` or `from_vocabulary`."""

    name: ClassVar[str]
    feature_version: ClassVar[str]
    contrast_scale: ClassVar[float]
    """How much a contrast's weight differs between targets, as guessed before any is seen."""

    @classmethod
    @abstractmethod
    def fit(cls, queries: Sequence[Query]) -> Self:
        """What has to be known of the training queries."""

    @abstractmethod
    def features(self, queries: Sequence[Query]) -> FloatArray:
        """Float64 (n, F)."""

    @abstractmethod
    def coverage(self, queries: Sequence[Query]) -> FloatArray:
        """Float64 (n,), 0–1, see `Predictor.coverage`."""

    @abstractmethod
    def fit_smooth(self, features: FloatArray, y: FloatArray) -> FloatArray:
        """Weights of the smooth part.

        Args:
            features: float64 (n, F).
            y: float64 (n,), log latency without the targets' levels.
        """

    @abstractmethod
    def smooth(self, features: FloatArray, weights: FloatArray) -> FloatArray:
        """Smooth part of log latency, float64 (n,)."""

    @abstractmethod
    def fit_contrasts(
        self, features: FloatArray, y: FloatArray, targets: Sequence[str], weights: FloatArray
    ) -> FloatArray:
        """What `contrasts` needs besides the features, an array."""

    @abstractmethod
    def contrasts(self, features: FloatArray, directions: FloatArray) -> FloatArray:
        """Float64 (n, c)."""

    @abstractmethod
    def to_vocabulary(self) -> dict[str, Any]:
        """JSON values for an artifact."""

    @classmethod
    @abstractmethod
    def from_vocabulary(cls, vocabulary: Mapping[str, Any]) -> Self:
        """What `to_vocabulary` gave."""


_THIN = ("depthwise", "grouped")
_HEAVY = ("pointwise", "convolution", "transposed", "dense", "attention", "recurrent")
_LIGHT = tuple(name for name in OPERATOR_CLASSES if name not in _THIN + _HEAVY)
_TERMS: tuple[tuple[str, ...], ...] = (
    tuple(f"{name}.flops" for name in _HEAVY),
    tuple(f"{name}.flops" for name in _THIN),
    tuple(f"{name}.flops" for name in _LIGHT),
    ("moved_bytes",),
    ("nodes",),
)
"""Features whose amounts make one term of the roofline: three kinds of work, traffic, and the count of nodes."""


class GraphReader(Reader):
    """Flat graph features; latency ≈ Σ θ_k z_k over kinds of work, traffic and node count, θ ≥ 0.

    If a target's θ_k differs by a factor exp(δ_k), its log latency differs by Σ s_k δ_k to first order, where
    s_k = θ_k z_k / Σ θ z is the share of term k: these shares are the contrasts.
    """

    name = "graph"
    feature_version = FEATURE_VERSION
    contrast_scale = 0.5

    def __init__(self, seen: OperatorRanges) -> None:
        self._seen = seen

    @classmethod
    def fit(cls, queries: Sequence[Query]) -> Self:
        """Remembers operators and sizes."""
        return cls(OperatorRanges.of({query.network.hash: query.network for query in queries}.values()))

    def features(self, queries: Sequence[Query]) -> FloatArray:
        """See `predictors.features.flat`."""
        return flat_features([query.network for query in queries])

    def coverage(self, queries: Sequence[Query]) -> FloatArray:
        """Share of cost in known operators and sizes."""
        return self._seen.shares(query.network for query in queries)

    def fit_smooth(self, features: FloatArray, y: FloatArray) -> FloatArray:
        """Log θ, float64 (5,): least squares in log latency with a soft-L1 loss, from a non-negative start."""
        amounts = _amounts(features)
        start, _ = nnls(amounts / np.exp(y)[:, None], np.ones(len(y)))
        even = 1 / np.maximum(amounts.mean(axis=0), 1e-12) * float(np.exp(y).mean())
        log_start = np.log(np.maximum(start, 1e-4 * even))
        logs = np.log(np.maximum(amounts, 1e-12))

        def residuals(log_weights: FloatArray) -> FloatArray:
            return np.asarray(np.logaddexp.reduce(logs + log_weights, axis=1) - y)

        optimum = least_squares(
            residuals, log_start, loss="soft_l1", f_scale=0.2, bounds=(log_start - 12, log_start + 12)
        )
        return np.asarray(optimum.x, dtype=np.float64)

    def smooth(self, features: FloatArray, weights: FloatArray) -> FloatArray:
        """Log of the roofline."""
        return np.asarray(np.logaddexp.reduce(np.log(np.maximum(_amounts(features), 1e-12)) + weights, axis=1))

    def fit_contrasts(
        self, features: FloatArray, y: FloatArray, targets: Sequence[str], weights: FloatArray
    ) -> FloatArray:
        """The roofline's weights."""
        return weights

    def contrasts(self, features: FloatArray, directions: FloatArray) -> FloatArray:
        """Shares of the terms, float64 (n, 5)."""
        logs = np.log(np.maximum(_amounts(features), 1e-12)) + directions
        return np.asarray(np.exp(logs - np.logaddexp.reduce(logs, axis=1)[:, None]))

    def to_vocabulary(self) -> dict[str, Any]:
        """Operators and their ranges."""
        return self._seen.to_vocabulary()

    @classmethod
    def from_vocabulary(cls, vocabulary: Mapping[str, Any]) -> Self:
        """What `to_vocabulary` gave."""
        return cls(OperatorRanges.from_vocabulary(vocabulary))


_RIDGE = 2.0
"""Penalty of the ridge regressions on encodings."""

_DIRECTIONS = 5
"""Contrasts of an encoding at most."""


class EncodingReader(Reader):
    """Encodings of one search space; log latency ≈ linear in them.

    Contrasts are the principal directions along which the training targets' own ridge weights differ, scaled so that
    the targets' coordinates have standard deviation 1.
    """

    name = "architecture"
    feature_version = "encoding-1"
    contrast_scale = 1.0

    def __init__(self, table: EncodingTable) -> None:
        self._table = table

    @classmethod
    def fit(cls, queries: Sequence[Query]) -> Self:
        """Remembers which values occur where."""
        return cls(EncodingTable.of(queries))

    @property
    def space(self) -> str:
        """Name of the search space that it reads."""
        return self._table.space

    def features(self, queries: Sequence[Query]) -> FloatArray:
        """See `predictors.features.encoding`."""
        return self._table.features(queries)

    def coverage(self, queries: Sequence[Query]) -> FloatArray:
        """Share of places with values that training has seen."""
        return self._table.coverage(queries)

    def fit_smooth(self, features: FloatArray, y: FloatArray) -> FloatArray:
        """Intercept and weights, float64 (F + 1,)."""
        centre, level = features.mean(axis=0), y.mean()
        weights = _ridge(features - centre, y - level)
        return np.concatenate([[level - centre @ weights], weights])

    def smooth(self, features: FloatArray, weights: FloatArray) -> FloatArray:
        """The linear part."""
        return np.asarray(weights[0] + features @ weights[1:])

    def fit_contrasts(
        self, features: FloatArray, y: FloatArray, targets: Sequence[str], weights: FloatArray
    ) -> FloatArray:
        """Principal directions of the targets' weights, float64 (F, c)."""
        names = np.asarray(targets)
        by_target = [self.fit_smooth(features[names == name], y[names == name])[1:] for name in sorted(set(targets))]
        spread = np.array(by_target) - np.mean(by_target, axis=0)
        _, size, directions = np.linalg.svd(spread, full_matrices=False)
        count = min(_DIRECTIONS, len(by_target) - 1)
        return np.asarray(directions[:count].T * size[:count] / np.sqrt(max(1, len(by_target) - 1)))

    def contrasts(self, features: FloatArray, directions: FloatArray) -> FloatArray:
        """Coordinates along the directions, float64 (n, c)."""
        return np.asarray(features @ directions)

    def to_vocabulary(self) -> dict[str, Any]:
        """Space, columns and values."""
        return self._table.to_vocabulary()

    @classmethod
    def from_vocabulary(cls, vocabulary: Mapping[str, Any]) -> Self:
        """What `to_vocabulary` gave."""
        return cls(EncodingTable.from_vocabulary(vocabulary))


_READERS: Mapping[str, type[Reader]] = {reader.name: reader for reader in (GraphReader, EncodingReader)}


def reader_from_artifact(artifact: Artifact) -> Reader:
    """The reader that wrote `reads` and `features` into an artifact's vocabulary.

    Raises:
        ArtifactError: none did, or its features have changed since.
    """
    name = artifact.vocabulary_entry("reads")
    if name not in _READERS:
        raise ArtifactError(f"The artifact reads {name!r}, which nothing here does: it is corrupt.")
    artifact.require_features(_READERS[name].feature_version)
    return _READERS[name].from_vocabulary(artifact.vocabulary_entry("features"))


_COLUMNS = [[FEATURE_NAMES.index(name) for name in names] for names in _TERMS]


def _amounts(features: FloatArray) -> FloatArray:
    """The roofline's terms z, float64 (n, 5)."""
    return np.stack([np.expm1(features[:, columns]).sum(axis=1) for columns in _COLUMNS], axis=1)


def _ridge(x: FloatArray, y: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.solve(x.T @ x + _RIDGE * np.eye(x.shape[1]), x.T @ y))

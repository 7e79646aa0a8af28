"""What predictors with a hardware descriptor read of networks: cells one-hot, or embeddings of a graph network."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from predictors.artifact import Artifact
from predictors.base import Capabilities, FloatArray, LatencyDataset, Progress, Query
from predictors.data.splits import row_keys
from predictors.features.cells import (
    FEATURE_VERSION,
    SPACES,
    cell_architectures,
    layer_one_hot,
    space_of,
    trained_share,
)
from profilers.search_spaces import get_space

if TYPE_CHECKING:
    from predictors.kinds.gcn.predictor import GcnPredictor

__all__ = ["CellEncoder", "Encoded", "GraphEncoder", "NetworkEncoder", "are_cells", "stored_encoder"]

COMPONENTS = 16
"""Principal components of the embeddings; the rest of the variance says little with some hundred networks."""
LEAST_SPREAD = 0.1
"""Smallest standard deviation by which a component is divided, as a share of the first one's."""
FOLDS = 2
"""Graph networks, each trained without its part of the graphs."""
MOST_KEPT = 512
"""Encoded networks of training that an artifact keeps, to go on training beside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """What was read of n networks.

    Args:
        features: float64 (n, d).
        start: float64 (n,), what log latency is expected to be but for the target; zeros where nothing is.
    """

    features: FloatArray
    start: FloatArray

    @classmethod
    def nothing(cls, width: int) -> "Encoded":
        """Of no networks."""
        return cls(features=np.empty((0, width)), start=np.empty(0))

    def part(self, rows: NDArray[np.intp]) -> "Encoded":
        """Some of the networks."""
        return Encoded(features=self.features[rows], start=self.start[rows])


class NetworkEncoder(Protocol):
    """Reads networks; what it learned of them does not change any more."""

    name: ClassVar[str]

    @property
    def width(self) -> int:
        """Number of features."""
        ...

    def encode(self, queries: Sequence[Query]) -> Encoded:
        """What it reads of the queries.

        Raises:
            UnsupportedGraphError: a query that it cannot read.
        """
        ...

    def rehearsal(self, rng: np.random.Generator, count: int) -> Encoded:
        """Networks like those of training, at random."""
        ...

    def coverage(self, queries: Sequence[Query]) -> FloatArray:
        """Share of each network that training has seen, float64 (n,)."""
        ...

    def unknown_operators(self, query: Query) -> tuple[str, ...]:
        """Operators that training has not seen."""
        ...

    def narrowed(self, capabilities: Capabilities) -> Capabilities:
        """The capabilities as far as this encoder reads networks."""
        ...

    @property
    def feature_version(self) -> str:
        """Version of the features that are read."""
        ...

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Arrays for an artifact, whose names begin with `encoder.`."""
        ...

    def vocabulary(self) -> dict[str, object]:
        """What the artifact has to say beside them."""
        ...


def are_cells(queries: Sequence[Query]) -> bool:
    """Whether all queries are architectures of one space whose texts are read as they are."""
    spaces = {query.architecture.space if query.architecture else "" for query in queries}
    return len(spaces) == 1 and spaces <= set(SPACES)


@dataclass(frozen=True, slots=True, kw_only=True)
class CellEncoder:
    """Architectures of one search space, one-hot by position.

    Args:
        space: name of the search space.
        seen: bool (d,), what occurs in training.
    """

    name: ClassVar[str] = "cells"
    space: str
    seen: NDArray[np.bool_]

    @classmethod
    def fit(cls, data: LatencyDataset) -> Self:
        """The encoder of the rows' space."""
        space = space_of(data.queries)
        return cls(space=space, seen=np.asarray(layer_one_hot(cell_architectures(data.queries)).any(axis=0)))

    @property
    def width(self) -> int:
        """Number of options at all positions."""
        return len(self.seen)

    @property
    def feature_version(self) -> str:
        """Version of the cells' encoding."""
        return FEATURE_VERSION

    def encode(self, queries: Sequence[Query]) -> Encoded:
        """The operators at each position."""
        return _bare(layer_one_hot(cell_architectures(queries, self.space)))

    def rehearsal(self, rng: np.random.Generator, count: int) -> Encoded:
        """Random architectures of the space."""
        space = get_space(self.space)
        return _bare(layer_one_hot([space.sample(rng) for _ in range(count)]))

    def coverage(self, queries: Sequence[Query]) -> FloatArray:
        """Share of positions whose operator training has seen there."""
        return trained_share(self.seen, cell_architectures(queries, self.space))

    def unknown_operators(self, query: Query) -> tuple[str, ...]:
        """None: a space has its operators."""
        return ()

    def narrowed(self, capabilities: Capabilities) -> Capabilities:
        """Architectures of the space alone."""
        return _reading(capabilities, "architecture", (self.space,))

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """What occurs in training."""
        return {"seen": self.seen}

    def vocabulary(self) -> dict[str, object]:
        """The space."""
        return {"encoder": self.name, "space": self.space}


def _bare(hot: NDArray[np.float32]) -> Encoded:
    return Encoded(features=hot.astype(np.float64), start=np.zeros(len(hot)))


def _reading(capabilities: Capabilities, what: str, spaces: tuple[str, ...]) -> Capabilities:
    return replace(capabilities, inputs=frozenset({what}), spaces=spaces)


class GraphEncoder:
    """Graphs by a graph network (`gcn`) that was trained on the same rows and stays as it is.

    Features are principal components of what its read-out makes of a graph, and its forecast, which is also what log
    latency starts from.

    Args:
        gcn: fitted.
        axes: float64 (c, e), components of its embedding.
        centre: float64 (e,), mean embedding over training.
        scale: float64 (2, c + 1), mean and spread of each feature over training.
        kept: encoded networks of training.
    """

    name: ClassVar[str] = "graphs"

    def __init__(
        self, gcn: "GcnPredictor", *, axes: FloatArray, centre: FloatArray, scale: FloatArray, kept: Encoded
    ) -> None:
        self._gcn, self._axes, self._centre, self._scale, self._kept = gcn, axes, centre, scale, kept

    @classmethod
    def fit(
        cls, data: LatencyDataset, *, epochs: int, width: int, layers: int, seed: int, progress: Progress | None = None
    ) -> Self:
        """Train the graph network on rows of one or many targets.

        Raises:
            InputError: too few different networks.
        """
        from predictors.kinds.gcn.predictor import GcnPredictor

        gcn = GcnPredictor(epochs=epochs, width=width, layers=layers, folds=FOLDS, seed=seed)
        gcn.fit(data, progress=progress)
        first = {key: place for place, key in reversed(list(enumerate(row_keys(data))))}
        networks = [data.queries[place] for place in sorted(first.values())]
        embedding, forecast = gcn.embeddings(networks)
        centre = embedding.mean(axis=0)
        _, _, axes = np.linalg.svd(embedding - centre, full_matrices=False)
        axes = axes[:COMPONENTS]
        raw = np.column_stack([(embedding - centre) @ axes.T, forecast])
        spread = raw.std(axis=0)
        spread[:-1] = np.maximum(spread[:-1], LEAST_SPREAD * spread[0])
        scale = np.stack([raw.mean(axis=0), np.where(spread > 1e-9, spread, 1.0)])
        chosen = np.random.default_rng(seed).permutation(len(networks))[:MOST_KEPT]
        kept = Encoded(features=(raw - scale[0]) / scale[1], start=forecast).part(np.sort(chosen))
        return cls(gcn, axes=axes, centre=centre, scale=scale, kept=kept)

    @property
    def width(self) -> int:
        """Components, and the forecast."""
        return int(self._scale.shape[1])

    @property
    def feature_version(self) -> str:
        """Version of the graph network's features."""
        from predictors.kinds.gcn.arrays import FEATURE_VERSION as GRAPH_VERSION

        return GRAPH_VERSION

    def encode(self, queries: Sequence[Query]) -> Encoded:
        """Components and forecasts, standardised over training."""
        embedding, forecast = self._gcn.embeddings(queries)
        raw = np.column_stack([(embedding - self._centre) @ self._axes.T, forecast])
        return Encoded(features=(raw - self._scale[0]) / self._scale[1], start=forecast)

    def rehearsal(self, rng: np.random.Generator, count: int) -> Encoded:
        """Networks of training."""
        return self._kept.part(rng.integers(len(self._kept.start), size=count))

    def coverage(self, queries: Sequence[Query]) -> FloatArray:
        """Share of each graph's cost in operators and sizes of training."""
        return self._gcn.coverage(queries)

    def unknown_operators(self, query: Query) -> tuple[str, ...]:
        """Those of the graph network."""
        return self._gcn.unknown_operators(query)

    def narrowed(self, capabilities: Capabilities) -> Capabilities:
        """Graphs alone, with what the graph network reads of them."""
        return _reading(capabilities, "graph", ())

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """The graph network's artifact as a file, how features are made of it, and networks of training."""
        return {
            "encoder.file": np.frombuffer(self._gcn.to_artifact().to_bytes(), dtype=np.uint8),
            "encoder.axes": self._axes,
            "encoder.centre": self._centre,
            "encoder.scale": self._scale,
            "encoder.kept": np.column_stack([self._kept.features, self._kept.start]),
        }

    def vocabulary(self) -> dict[str, object]:
        """That it reads graphs."""
        return {"encoder": self.name}


def stored_encoder(artifact: Artifact) -> NetworkEncoder:
    """The encoder whose arrays and vocabulary went into the artifact.

    Raises:
        ArtifactError: something is missing, or of another version.
    """
    if artifact.vocabulary.get("encoder", CellEncoder.name) == CellEncoder.name:
        artifact.require_features(FEATURE_VERSION)
        return CellEncoder(space=artifact.vocabulary_entry("space"), seen=artifact.array("seen", ndim=1))
    from predictors.kinds.gcn.predictor import GcnPredictor

    kept = artifact.array("encoder.kept", ndim=2)
    return GraphEncoder(
        GcnPredictor.from_artifact(Artifact.from_bytes(artifact.array("encoder.file", ndim=1).tobytes())),
        axes=artifact.array("encoder.axes", ndim=2),
        centre=artifact.array("encoder.centre", ndim=1),
        scale=artifact.array("encoder.scale", ndim=2),
        kept=Encoded(features=kept[:, :-1], start=kept[:, -1]),
    )

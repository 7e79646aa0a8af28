"""The contract that every predictor fulfils."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from inspect import signature
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from latcast.schema import (
    Architecture,
    ArtifactError,
    DeviceEvidence,
    Graph,
    InputError,
    KernelTiming,
    NotFittedError,
    Target,
    TargetId,
)
from latcast.schema.counting import counted
from predictors.networks import Network
from profilers.progress import Progress

if TYPE_CHECKING:
    from predictors.artifact import Artifact

__all__ = [
    "Capabilities",
    "FloatArray",
    "LatencyDataset",
    "Prediction",
    "Predictor",
    "Progress",
    "Provenance",
    "Query",
    "normal_quantile",
]

FloatArray = NDArray[np.float64]


class Query:
    """What is asked of a predictor: an architecture, a graph, or both.

    The graph of an architecture is built on first use, so a predictor that reads architectures never builds one.

    Args:
        target: where it would run.
        architecture: a text of a search space.
        graph: static graph; built from the architecture when left out.
        graph_builder: how to build it; by default through the search space and `profilers.onnx_graph.load_graph`.
    """

    def __init__(
        self,
        *,
        target: Target,
        architecture: Architecture | None = None,
        graph: Graph | None = None,
        graph_builder: Callable[[Architecture], Graph] | None = None,
    ) -> None:
        if architecture is None and graph is None:
            raise InputError("A query needs an architecture or a graph.")
        self.target, self.architecture = target, architecture
        self._graph, self._builder = graph, graph_builder

    @cached_property
    def graph(self) -> Graph:
        """The static graph, shape-inferred."""
        return self._build() if self._graph is None else self._graph

    @property
    def network(self) -> Network:
        """What features are read off: the graph, or what was read off it in another process."""
        return self.graph

    @property
    def has_graph(self) -> bool:
        """Whether a graph was given (rather than built from the architecture)."""
        return self._graph is not None

    def on(self, target: Target) -> "Query":
        """The same network on another target; its graph is built once for both."""
        given = self.graph if self.has_graph else None
        return Query(target=target, architecture=self.architecture, graph=given, graph_builder=lambda _: self.graph)

    def __getstate__(self) -> dict[str, Any]:
        """The state for another process: the graph, built, in place of a function that could build it only here."""
        if self.__dict__.get("_builder") is None:
            return self.__dict__
        return {**self.__dict__, "graph": self.graph, "_builder": None}

    def _build(self) -> Graph:
        assert self.architecture is not None  # noqa: S101 - the constructor made sure
        return (self._builder or _build_graph)(self.architecture)


def _build_graph(architecture: Architecture) -> Graph:
    from profilers.onnx_graph import load_graph
    from profilers.search_spaces import get_space

    return load_graph(get_space(architecture.space).to_onnx(architecture))


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyDataset:
    """Latencies to learn from; rows may be of many targets.

    Args:
        queries: n of them.
        latency_ms: float64 (n,), positive, in ms.
        noise_log: float64 (n,), standard error of log latency; None where unknown.
        kernels: per row the kernels' timings, or None; None when no row has any.
        kernel_ms: per row the same by the kernels that are foreseen (`predictors.features.kernels.attribute_timings`),
            float64 (kernels,) in ms, where that was done in another process; else None.
        evidence: what is known of each target besides its rows.
    """

    queries: Sequence[Query]
    latency_ms: FloatArray
    noise_log: FloatArray | None = None
    kernels: Sequence[tuple[KernelTiming, ...] | None] | None = None
    kernel_ms: Sequence[FloatArray | None] | None = None
    evidence: Mapping[TargetId, DeviceEvidence] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.latency_ms.shape != (len(self.queries),):
            raise InputError(f"{counted(len(self.queries), 'query')} but latencies of shape {self.latency_ms.shape}.")
        if not (np.isfinite(self.latency_ms).all() and (self.latency_ms > 0).all()):
            raise InputError("Latencies have to be finite and positive (ms).")

    def __len__(self) -> int:
        return len(self.queries)

    def subset(self, rows: Sequence[int] | NDArray[np.intp]) -> "LatencyDataset":
        """The rows at these indices, in that order."""
        index = [int(row) for row in rows]
        return LatencyDataset(
            queries=[self.queries[i] for i in index],
            latency_ms=self.latency_ms[index],
            noise_log=None if self.noise_log is None else self.noise_log[index],
            kernels=None if self.kernels is None else [self.kernels[i] for i in index],
            kernel_ms=None if self.kernel_ms is None else [self.kernel_ms[i] for i in index],
            evidence=self.evidence,
        )

    def targets(self) -> dict[TargetId, list[int]]:
        """Row indices by target, in order of first appearance."""
        rows: dict[TargetId, list[int]] = {}
        for index, query in enumerate(self.queries):
            rows.setdefault(query.target.id, []).append(index)
        return rows


def normal_quantile(q: float) -> float:
    """Quantile of the standard normal distribution."""
    return NormalDist().inv_cdf(q)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """Forecasts for n queries. Latency is positive and its error multiplicative: log-normal around the median.

    Args:
        median_ms: float64 (n,), positive.
        log_std: float64 (n,), standard deviation of log latency; None means no claim.
        tail_scale: how much wider than normal the tails are, at each quantile: the number by which the normal
            quantile is multiplied (from conformal calibration or a Student-t); 1 is plain log-normal.
        coverage: float64 (n,), what the method `coverage` gives, where it comes with the forecast; else None.
    """

    median_ms: FloatArray
    log_std: FloatArray | None = None
    tail_scale: float = 1.0
    coverage: FloatArray | None = None

    def quantile_ms(self, q: float) -> FloatArray:
        """Latency in ms that is not exceeded with probability q; float64 (n,).

        Raises:
            InputError: the predictor makes no claim about its uncertainty.
        """
        if self.log_std is None:
            raise InputError("This predictor makes no claim about its uncertainty: it has no quantiles.")
        return np.asarray(self.median_ms * np.exp(normal_quantile(q) * self.tail_scale * self.log_std))

    def interval_ms(self, level: float = 0.9) -> tuple[FloatArray, FloatArray]:
        """Central interval that holds the latency with probability `level`: (low, high), each float64 (n,)."""
        return self.quantile_ms((1 - level) / 2), self.quantile_ms((1 + level) / 2)

    def claimed_intervals_ms(self, level: float = 0.9) -> list[tuple[float, float] | None]:
        """The interval of each query as (low, high); None for each where the predictor claims nothing."""
        if self.log_std is None:
            return [None] * len(self.median_ms)
        low, high = self.interval_ms(level)
        return list(zip(low.tolist(), high.tolist(), strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a predictor can do; the suite and the service read it.

    Args:
        inputs: ⊆ {"architecture", "graph"}: what it reads of a query.
        spaces: search spaces it reads architectures of; empty means any.
        uncertainty: `predict` gives `log_std`.
        adaptable: `adapt` changes its forecasts.
        empty_support: `adapt` works without a support set, given evidence.
        evidence: fields of `DeviceEvidence` that it cannot do without.
        any_evidence: fields of `DeviceEvidence` of which it needs one, whichever is there for all targets.
        useful_evidence: fields of `DeviceEvidence` that it can do without, but forecasts better with.
        kernels: learns from per-kernel timings too.
        absolute_prior: knows absolute speeds (hence is not equivariant to a change of unit).
        trains_to_adapt: `adapt` trains a network, which takes tenths of seconds or more.
        features: names of what it reads of `Query.network`, see `predictors.foreign.features`; with `record` it may
            read `Query.graph` itself.
    """

    inputs: frozenset[str]
    spaces: tuple[str, ...] = ()
    uncertainty: bool = False
    adaptable: bool = True
    empty_support: bool = False
    evidence: frozenset[str] = frozenset()
    any_evidence: frozenset[str] = frozenset()
    useful_evidence: frozenset[str] = frozenset()
    kernels: bool = False
    absolute_prior: bool = False
    trains_to_adapt: bool = False
    features: frozenset[str] = frozenset({"record"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a fitted predictor comes from; travels in its artifact.

    Args:
        dataset_digest: of what it was trained on; empty when fitted by hand.
        metrics: what training measured of it, in JSON values.
    """

    dataset_digest: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)


class Predictor(ABC):
    """Forecasts latency.

    Constructors store, `fit` learns, learned names end in `_`. `fit` returns self; `adapt` returns a new predictor
    for one target and leaves self unchanged. A fitted predictor is read-only: `predict`, `coverage` and `adapt` may
    be called from many threads. The same data, seed and hyperparameters give the same forecasts.

    Args:
        seed: of everything random.
        hyperparameters: each named by the class's own constructor.
    """

    kind: ClassVar[str]
    capabilities: ClassVar[Capabilities]

    def __init__(self, *, seed: int = 0) -> None:
        self.seed = seed
        self.provenance_ = Provenance()

    @abstractmethod
    def fit(
        self,
        data: LatencyDataset,
        *,
        validation: LatencyDataset | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Learn from rows of one or many targets.

        Raises:
            InputError: too few rows, or queries that the predictor does not read.
            MissingEvidenceError: needs evidence of a target that the data set does not have.
            BackendUnavailableError: learning takes a library that is not installed.
        """

    @abstractmethod
    def adapt(self, target: Target, support: LatencyDataset, evidence: DeviceEvidence | None = None) -> Self:
        """A new predictor for `target`.

        Args:
            target: what it will forecast for.
            support: the k measured rows of the target; may be empty where the evidence suffices.
            evidence: what else is known of the target.

        Raises:
            NotFittedError: before `fit`.
            MissingEvidenceError: needs a measured row, or evidence, that was not given.
            InputError: needs a measured row, or does not read those of the support.
        """

    @abstractmethod
    def predict(self, queries: Sequence[Query]) -> Prediction:
        """Forecasts, one for each query, in order. A batch equals its singles.

        Raises:
            NotFittedError: before `fit`.
            UnsupportedGraphError: a query that it cannot read.
        """

    @abstractmethod
    def coverage(self, queries: Sequence[Query]) -> FloatArray:
        """Share of each graph's predicted cost in operators and shapes that training has seen: float64 (n,), 0–1."""

    def unknown_operators(self, query: Query) -> tuple[str, ...]:
        """Operators of the query that training has not seen, sorted; empty where the predictor does not read graphs."""
        return ()

    def references(self) -> tuple[str, ...]:
        """Keys (`predictors.features.references`) of the architectures whose latencies `adapt` cannot do without."""
        return ()

    def device_descriptor(self) -> str | None:
        """The field of `DeviceEvidence` that describes a device to this predictor; None where it takes none."""
        return None

    @abstractmethod
    def to_artifact(self) -> "Artifact":
        """All that `from_artifact` needs to rebuild this predictor: no pickle, nothing outside."""

    @classmethod
    @abstractmethod
    def from_artifact(cls, artifact: "Artifact") -> Self:
        """The predictor that the artifact describes.

        Raises:
            ArtifactError: the artifact is of another kind, of a newer format, or corrupt.
        """

    def targets_asked(self, target: Target) -> tuple[Target, ...]:
        """Targets for which a graph's features are read when this one is asked about a target."""
        return (target,)

    def training_capabilities(self) -> Capabilities:
        """The inputs and features of a training with these hyperparameters: who joins kinds reads what any does."""
        return self.capabilities

    def fitted_capabilities(self) -> Capabilities:
        """`capabilities`, narrowed to what this one reads now that it is fitted: a class may know more spaces."""
        return self.capabilities

    def make_artifact(
        self,
        *,
        arrays: Mapping[str, NDArray[Any]],
        vocabulary: Mapping[str, Any] | None = None,
        feature_version: str = "",
        meta: Mapping[str, Any] | None = None,
    ) -> "Artifact":
        """An artifact with the header that all predictors write alike: for `to_artifact`.

        Args:
            arrays: learned arrays by name.
            vocabulary: what the arrays' indices mean.
            feature_version: version of the features that are read.
            meta: anything else in JSON values.
        """
        from predictors.artifact import Artifact, library_versions

        hyperparameters = self.hyperparameters()
        provenance = self.provenance_
        return Artifact(
            kind=self.kind,
            seed=hyperparameters.pop("seed"),
            hyperparameters=hyperparameters,
            arrays=arrays,
            vocabulary=vocabulary or {},
            feature_version=feature_version,
            dataset_digest=provenance.dataset_digest,
            metrics=provenance.metrics,
            library_versions=library_versions(),
            meta=meta or {},
        )

    @classmethod
    def from_header(cls, artifact: "Artifact") -> Self:
        """An unfitted predictor with the artifact's hyperparameters, seed and provenance: for `from_artifact`.

        Raises:
            ArtifactError: another kind, or hyperparameters that the constructor does not take.
        """
        artifact.require_kind(cls.kind)
        try:
            predictor = cls(seed=artifact.seed, **artifact.hyperparameters)
        except TypeError as error:
            raise ArtifactError(f"The hyperparameters of the artifact do not fit {cls.kind!r}: {error}.") from error
        predictor.provenance_ = Provenance(dataset_digest=artifact.dataset_digest, metrics=artifact.metrics)
        return predictor

    def hyperparameters(self) -> dict[str, Any]:
        """The constructor's arguments, as stored."""
        return {name: getattr(self, name) for name in signature(type(self).__init__).parameters if name != "self"}

    def require_fitted(self, attribute: str) -> None:
        """Raise `NotFittedError` unless the learned attribute is there."""
        if getattr(self, attribute, None) is None:
            raise NotFittedError(f"The predictor {self.kind!r} is not fitted: call fit(), or load an artifact.")

"""The house predictor: few-shot, for architectures of a search space or for whole graphs, as it was fitted."""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from inspect import signature
from typing import Any, ClassVar, Self

from latcast.schema import DeviceEvidence, InputError, Target
from predictors.artifact import Artifact
from predictors.base import Capabilities, FloatArray, LatencyDataset, Prediction, Predictor, Progress, Provenance, Query
from predictors.data.splits import dataset_digest
from predictors.explanation import KernelForecasts
from predictors.kinds.universal.cells.predictor import CellPredictor
from predictors.kinds.universal.cells.queries import SPACES, common_space
from predictors.kinds.universal.graphs.predictor import EPOCHS, GRAPHS, TREES, WIDTH, GraphPredictor

__all__ = ["UniversalPredictor"]


class UniversalPredictor(Predictor):
    """Latency as a sum of costs, each device's costs drawn from a prior that source devices teach.

    Architectures of one search space whose features are known are read as text, by `CellPredictor`. Anything else is
    read as graphs, by `GraphPredictor`. What it was fitted on decides, and its artifact is that one's.

    Args:
        members, unlike, scale_spread, unlike_spread, noise, noise_spread, tail, intercept, design_unlike, transfer,
            variance: of `CellPredictor`.
        width, epochs, trees, folds: of `GraphPredictor`.
        seed: of everything random.
    """

    kind: ClassVar[str] = "universal"
    capabilities: ClassVar[Capabilities] = Capabilities(
        inputs=frozenset({"architecture", "graph"}),
        spaces=tuple(SPACES),
        uncertainty=True,
        useful_evidence=frozenset({"microbench"}),
        kernels=True,
        features=frozenset({"kernels"}),
    )

    def __init__(
        self,
        *,
        members: int = 64,
        unlike: float = 0.8,
        scale_spread: float = 1.0,
        unlike_spread: float = 0.7,
        noise: float = 0.04,
        noise_spread: float = 1.1,
        tail: float = 3.0,
        intercept: float = 1.0,
        design_unlike: float = 0.2,
        transfer: bool = True,
        variance: bool = True,
        width: int = WIDTH,
        epochs: int = EPOCHS,
        trees: int = TREES,
        folds: int = 4,
        seed: int = 0,
    ) -> None:
        super().__init__(seed=seed)
        self.members, self.unlike = members, unlike
        self.scale_spread, self.unlike_spread = scale_spread, unlike_spread
        self.noise, self.noise_spread, self.tail = noise, noise_spread, tail
        self.intercept, self.design_unlike = intercept, design_unlike
        self.transfer, self.variance = transfer, variance
        self.width, self.epochs, self.trees, self.folds = width, epochs, trees, folds
        self.fitted_: CellPredictor | GraphPredictor | None = None

    def fit(
        self,
        data: LatencyDataset,
        *,
        validation: LatencyDataset | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Learn from the rows of one or many devices.

        Rows that all are architectures of one known search space are read as such, others as graphs.

        Args:
            data: of architectures at least ten rows of every device; graphs may have their kernels' timings.
            validation: not used; scales are found on left-out sources, networks judged on left-out graphs.
            progress: called after each device, or after each pass over the graphs.

        Raises:
            InputError: no rows, or too few of a device.
            BackendUnavailableError: rows of graphs, and torch is not installed.
        """
        reader = GraphPredictor if common_space(data.queries) is None else CellPredictor
        self.fitted_ = reader(**_arguments_of(reader, vars(self))).fit(data, progress=progress)
        self.provenance_ = Provenance(dataset_digest=dataset_digest(data))
        return self

    def adapt(self, target: Target, support: LatencyDataset, evidence: DeviceEvidence | None = None) -> Self:
        """The posterior of one device given its measurements, of which there has to be one at least."""
        adapted = copy(self)
        adapted.fitted_ = self.fitted.adapt(target, support, evidence)
        return adapted

    def predict(self, queries: Sequence[Query]) -> Prediction:
        """Forecasts; before `adapt`, devices of training by their own costs, others by the average."""
        return self.fitted.predict(queries)

    def coverage(self, queries: Sequence[Query]) -> FloatArray:
        """Share of an architecture's places whose operator training has seen there; of graphs, of the forecast."""
        return self.fitted.coverage(queries)

    def unknown_operators(self, query: Query) -> tuple[str, ...]:
        """Kernels of a graph whose operator training has not seen, sorted; none of an architecture."""
        return self.fitted.unknown_operators(query)

    def explain(self, query: Query) -> KernelForecasts:
        """The kernels of the query's graph, each with its part of the forecast.

        Raises:
            InputError: fitted on a search space, whose architectures are not read as kernels.
        """
        if isinstance(self.fitted, CellPredictor):
            raise InputError(
                f"This universal predictor reads architectures of {self.fitted.prior.space.name!r} as text, not as "
                "kernels: explain with a predictor that was trained on graphs."
            )
        return self.fitted.explain(query)

    def adaptation_features(self, queries: Sequence[Query]) -> FloatArray:
        """Float64 (n, d): inner products of rows are prior covariances of (relative or log) latency on a device."""
        return self.fitted.adaptation_features(queries)

    def fitted_capabilities(self) -> Capabilities:
        """The capabilities of what it was fitted as: for one search space, or for graphs."""
        return self.fitted.fitted_capabilities()

    def to_artifact(self) -> Artifact:
        """The artifact of what it was fitted as, with all hyperparameters."""
        stored = self.fitted.to_artifact()
        return self.make_artifact(
            arrays=stored.arrays, vocabulary=stored.vocabulary, feature_version=stored.feature_version
        )

    @classmethod
    def from_artifact(cls, artifact: Artifact) -> Self:
        """The predictor that `to_artifact` described."""
        predictor = cls.from_header(artifact)
        reader = GraphPredictor if artifact.vocabulary_entry("space") == GRAPHS else CellPredictor
        arguments = _arguments_of(reader, artifact.hyperparameters)
        predictor.fitted_ = reader.from_artifact(replace(artifact, hyperparameters=arguments))
        return predictor

    @property
    def fitted(self) -> CellPredictor | GraphPredictor:
        """What it was fitted as.

        Raises:
            NotFittedError: before `fit`.
        """
        self.require_fitted("fitted_")
        assert self.fitted_ is not None  # noqa: S101 - just checked
        return self.fitted_


def _arguments_of(reader: type[Predictor], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that the reader's constructor takes, in alphabetical order."""
    names = signature(reader.__init__).parameters.keys()
    return {name: values[name] for name in sorted(values.keys() & names)}

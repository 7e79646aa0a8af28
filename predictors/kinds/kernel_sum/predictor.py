"""The predictor of kind `kernel_sum`, and the contract that it shares with others whose model is a sum over kernels."""

from collections.abc import Sequence
from copy import copy
from typing import ClassVar, Self

from latcast.schema import DeviceEvidence, Target
from predictors.artifact import Artifact
from predictors.base import Capabilities, FloatArray, LatencyDataset, Prediction, Predictor, Progress, Query
from predictors.explanation import KernelForecasts
from predictors.features.kernels import FEATURE_VERSION
from predictors.inference.blas_threads import on_one_thread
from predictors.kinds.kernel_sum.correction import TreeCorrection
from predictors.kinds.kernel_sum.model import KernelSum, learn_multipliers
from predictors.kinds.kernel_sum.residual import Growth
from predictors.kinds.kernel_sum.shared_roofline import SharedRoofline
from predictors.kinds.kernel_sum.target_prior import TargetPrior
from profilers.progress import no_progress

__all__ = ["KernelSumPredictor", "SumOverKernels"]


class SumOverKernels(Predictor):
    """A predictor that answers everything out of a fitted `KernelSum`. Subclasses learn, store and load one."""

    def __init__(self, *, seed: int = 0) -> None:
        super().__init__(seed=seed)
        self.model_: KernelSum | None = None

    @property
    def model(self) -> KernelSum:
        """The fitted model.

        Raises:
            NotFittedError: before `fit`.
        """
        self.require_fitted("model_")
        assert self.model_ is not None  # noqa: S101 - require_fitted made sure
        return self.model_

    @on_one_thread
    def adapt(self, target: Target, support: LatencyDataset, evidence: DeviceEvidence | None = None) -> Self:
        """The posterior of the target's multipliers given the support's kernels and latencies."""
        adapted = copy(self)
        adapted.model_ = self.model.adapted(target, support, evidence)
        return adapted

    def predict(self, queries: Sequence[Query]) -> Prediction:
        """Forecasts; a target without measurements gets the average over targets, with their spread."""
        return self.model.predict(queries)

    def coverage(self, queries: Sequence[Query]) -> FloatArray:
        """Share of each graph's forecast in kernels whose operator and size training has seen."""
        return self.model.coverage(queries)

    def unknown_operators(self, query: Query) -> tuple[str, ...]:
        """Kernels of the query's graph whose operator training has not seen, sorted."""
        return self.model.unknown_operators(query)

    def explain(self, query: Query) -> KernelForecasts:
        """The kernels of the query's graph, each with its part of the forecast."""
        return self.model.explain(query)

    def adaptation_features(self, queries: Sequence[Query]) -> FloatArray:
        """Rows whose inner products are prior covariances of log latency: for samplers."""
        return self.model.features(queries)


class KernelSumPredictor(SumOverKernels):
    """Sum over the kernels that a runtime would execute: smooth roofline by class, trees over it, target multipliers.

    Training reads kernel timings where a row has them; where it has none, its latency is spread over its kernels as
    the roofline sees them. Adaptation is the posterior of the multipliers given the support, in closed form.

    Args:
        trees: boosting rounds of each fold.
        learning_rate: shrinkage of each tree.
        leaves: of a tree at most.
        folds: of graphs; each fold's model is judged on the graphs it did not see.
        seed: of folds and of the trees' samples.
    """

    kind: ClassVar[str] = "kernel_sum"
    capabilities: ClassVar[Capabilities] = Capabilities(
        inputs=frozenset({"graph"}), uncertainty=True, kernels=True, features=frozenset({"kernels"})
    )

    def __init__(
        self, *, trees: int = 300, learning_rate: float = 0.06, leaves: int = 24, folds: int = 4, seed: int = 0
    ) -> None:
        super().__init__(seed=seed)
        self.trees, self.learning_rate, self.leaves, self.folds = trees, learning_rate, leaves, folds

    @on_one_thread
    def fit(
        self,
        data: LatencyDataset,
        *,
        validation: LatencyDataset | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Learn from rows of one or many targets; `validation` is not read: folds of the rows judge themselves."""
        report = progress or no_progress
        report(0.0, "kernels")
        shared, training = SharedRoofline.fit(data)
        report(0.2, "what the roofline leaves")
        growth = Growth(trees=self.trees, learning_rate=self.learning_rate, leaves=self.leaves, seed=self.seed)
        correction, held_out = TreeCorrection.fit(
            training,
            shared.operators,
            growth,
            folds=self.folds,
            progress=lambda share, what: report(0.2 + 0.7 * share, what),
        )
        report(0.9, "multipliers")
        _, multipliers = learn_multipliers(shared, training, correction.tilts(training.batch), held_out)
        self.model_ = KernelSum.of(shared, correction, multipliers, TargetPrior.of(training.batch.targets))
        report(1.0, "fitted")
        return self

    def to_artifact(self) -> Artifact:
        """Rooflines, trees, the prior over targets and the posteriors of those seen."""
        return self.make_artifact(
            arrays=self.model.to_arrays(),
            vocabulary=self.model.to_vocabulary(),
            feature_version=str(FEATURE_VERSION),
        )

    @classmethod
    def from_artifact(cls, artifact: Artifact) -> Self:
        """The predictor that `to_artifact` described."""
        predictor = cls.from_header(artifact)
        artifact.require_features(str(FEATURE_VERSION))
        shared = SharedRoofline.from_artifact(artifact)
        correction = TreeCorrection.from_artifact(artifact, shared.operators)
        predictor.model_ = KernelSum.from_artifact(artifact, shared, correction)
        return predictor

"""Whole graphs: latency as a sum over kernels, under networks that kernels and latencies teach together."""

from dataclasses import replace
from typing import ClassVar, Self

import numpy as np

from predictors.artifact import Artifact
from predictors.base import Capabilities, LatencyDataset, Progress
from predictors.features.kernels import FEATURE_VERSION
from predictors.inference.blas_threads import on_one_thread
from predictors.kinds.kernel_sum.model import KernelSum, learn_multipliers
from predictors.kinds.kernel_sum.multipliers import Multipliers
from predictors.kinds.kernel_sum.predictor import SumOverKernels
from predictors.kinds.kernel_sum.residual import Growth
from predictors.kinds.kernel_sum.shared_roofline import SharedRoofline
from predictors.kinds.kernel_sum.target_descriptors import TargetDescriptors
from predictors.kinds.kernel_sum.target_prior import TargetPrior
from predictors.kinds.kernel_sum.training_set import TrainingSet
from predictors.kinds.universal.graphs.network_correction import NetworkCorrection
from predictors.kinds.universal.graphs.whole_graphs import learn_whole_graphs
from profilers.progress import no_progress

__all__ = ["EPOCHS", "GRAPHS", "TREES", "WIDTH", "GraphPredictor"]

GRAPHS = "graphs"
"""What artifacts that read graphs say in place of a search space."""

WIDTH, EPOCHS, TREES = 112, 60, 1500
"""What `GraphPredictor` and `universal` are trained with unless told otherwise."""


class GraphPredictor(SumOverKernels):
    """Latency as a sum over kernels, each a roofline under a network that kernels and latencies teach together.

    What a kernel costs on a target is exp(φ(kernel)·u) times what the shared model says, with φ = (1, its class, its
    tilts: see `predictors.kinds.universal.graphs.tilts`) and u ~ N(μ, Σ) over the targets of training: the
    posterior given k measured graphs *and* their kernels is Gaussian in closed form
    (`predictors.kinds.kernel_sum.multipliers`). It may start from the mean over targets, from the
    factors that its runtime, precision and threads make likely (`kernel_sum.target_prior`), where its microbenchmarks
    are known from those that these do (`kernel_sum.target_descriptors`), and where training has no such runtime from
    the targets that fit best. What the timed kernels of the support leave unexplained then says more of kernels with
    nearly their shapes, as far as latencies bear it out (`predictors.kinds.universal.graphs.kernel_residuals`).

    Each fold of graphs has its network, trained on the other folds; its held-out forecasts of its own fold teach the
    prior, the spreads and the intervals. A forecast is the mean over folds.

    What is left of a graph's latency then, trees learn from the graph as a whole
    (`predictors.kinds.universal.graphs.whole_graphs`), fold by fold as well; those of all folds together are kept.

    Args:
        width: units of the networks' hidden layers.
        epochs: passes over the graphs in training.
        trees: over whole graphs. Their splits are drawn at random, so that many small steps do not overfit.
        folds: of graphs.
        seed: of folds, initial weights, the order of graphs and the trees' samples.
    """

    kind: ClassVar[str] = "universal"
    capabilities: ClassVar[Capabilities] = Capabilities(
        inputs=frozenset({"graph"}),
        uncertainty=True,
        useful_evidence=frozenset({"microbench"}),
        kernels=True,
        features=frozenset({"kernels"}),
    )

    def __init__(
        self, *, width: int = WIDTH, epochs: int = EPOCHS, trees: int = TREES, folds: int = 4, seed: int = 0
    ) -> None:
        super().__init__(seed=seed)
        self.width, self.epochs, self.trees, self.folds = width, epochs, trees, folds

    @on_one_thread
    def fit(
        self,
        data: LatencyDataset,
        *,
        validation: LatencyDataset | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Learn from rows of one or many targets; `validation` is not read: folds of the rows judge themselves.

        Raises:
            InputError: no rows.
            BackendUnavailableError: torch is not installed.
        """
        report = progress or no_progress
        report(0.0, "kernels")
        shared, training = SharedRoofline.fit(data)
        report(0.2, "what the roofline leaves")
        correction, held_out = NetworkCorrection.fit(
            training,
            width=self.width,
            epochs=self.epochs,
            folds=self.folds,
            seed=self.seed,
            progress=lambda share, what: report(0.2 + 0.7 * share, what),
        )
        report(0.9, "multipliers")
        correction, multipliers = self._learn_targets(
            shared, training, correction, held_out, lambda share, what: report(0.9 + 0.1 * share, what)
        )
        means = {name: state.mean for name, state in multipliers.effects.targets.items()}
        descriptors = TargetDescriptors.fit(training.evidence, means)
        prior = TargetPrior.of(training.batch.targets)
        self.model_ = KernelSum.of(shared, correction, multipliers, prior, descriptors)
        report(1.0, "fitted")
        return self

    def to_artifact(self) -> Artifact:
        """Roofline, networks, trees, the prior over targets and the posteriors of those seen."""
        model = self.model
        microbenchmarks = [] if model.descriptors is None else list(model.descriptors.names)
        return self.make_artifact(
            arrays=model.to_arrays(),
            vocabulary={**model.to_vocabulary(), "space": GRAPHS, "microbench": microbenchmarks},
            feature_version=str(FEATURE_VERSION),
        )

    @classmethod
    def from_artifact(cls, artifact: Artifact) -> Self:
        """The predictor that `to_artifact` described."""
        predictor = cls.from_header(artifact)
        artifact.require_features(str(FEATURE_VERSION))
        shared = SharedRoofline.from_artifact(artifact)
        correction = NetworkCorrection.from_artifact(artifact, shared.operators)
        names = tuple(str(name) for name in artifact.vocabulary.get("microbench", ()))
        descriptors = TargetDescriptors.from_artifact(artifact, names) if names else None
        predictor.model_ = KernelSum.from_artifact(artifact, shared, correction, descriptors)
        return predictor

    def _learn_targets(
        self,
        shared: SharedRoofline,
        training: TrainingSet,
        correction: NetworkCorrection,
        held_out: np.ndarray[tuple[int], np.dtype[np.float64]],
        report: Progress,
    ) -> tuple[NetworkCorrection, Multipliers]:
        """Multipliers twice: what the first leave of whole graphs, trees learn, and the second are of both together."""
        tilts = correction.tilts(training.batch)
        kernels, multipliers = learn_multipliers(shared, training, tilts, held_out)
        growth = Growth(trees=self.trees, learning_rate=0.03, leaves=63, seed=self.seed, random_splits=True)
        trees, factor = learn_whole_graphs(
            training, kernels, multipliers, correction.encoding, growth, folds=self.folds, progress=report
        )
        if not trees.boosters:
            return correction, multipliers
        _, multipliers = learn_multipliers(shared, training, tilts, held_out + factor[kernels.rows])
        return replace(correction, whole_graphs=trees), multipliers

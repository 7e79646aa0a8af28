"""Whole graphs: the feature map that reads kernels, and the posterior over a target's factors behind it."""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import Any, Self

import numpy as np

from latcast.schema import DeviceEvidence, MissingEvidenceError, Target, TargetId
from predictors.artifact import Artifact
from predictors.base import FloatArray, LatencyDataset, Progress, Query
from predictors.data.splits import rows_by_target
from predictors.features.kernels import KernelTable
from predictors.inference.random_effects import TargetEffects
from predictors.kinds.kernel_sum.observations import tabulate
from predictors.kinds.kernel_sum.predictor import MIN_KERNELS, KernelSumPredictor, TrainingSet
from predictors.kinds.kernel_sum.residual import Growth, ResidualTrees
from predictors.kinds.kernel_sum.roofline import Costs
from predictors.kinds.kernel_sum.sums import Kernels, Labels
from predictors.kinds.universal.graphs.descriptors import TargetDescriptors
from predictors.kinds.universal.graphs.kernel_network import KernelEncoding, KernelEnsemble, KernelInputs, KernelNetwork
from predictors.kinds.universal.graphs.kernel_residuals import KernelResiduals
from predictors.kinds.universal.graphs.tilts import kernel_tilts
from predictors.kinds.universal.graphs.whole_graphs import graph_features

__all__ = ["EPOCHS", "GRAPHS", "TREES", "WIDTH", "GraphPredictor"]

GRAPHS = "graphs"
"""What artifacts that read graphs say in place of a search space."""

WIDTH, EPOCHS, TREES = 112, 60, 1500
"""What `GraphPredictor` and `universal` are trained with unless told otherwise."""

_SAME_SPEED = float(np.log(1.2))
"""Further than this from the speed of training, a target of training's name is another machine."""

_FEWEST_GRAPHS = 100
"""Of some kernels each, from which trees can learn what graphs have in common."""


class GraphPredictor(KernelSumPredictor):
    """Latency as a sum over kernels, each a roofline under a network that kernels and latencies teach together.

    What a kernel costs on a target is exp(φ(kernel)·u) times what the shared model says, with φ = (1, its class, its
    tilts: see `predictors.kinds.universal.graphs.tilts`) and u ~ N(μ, Σ) over the targets of training: the
    posterior given k measured graphs *and* their kernels is Gaussian in closed form
    (`predictors.kinds.kernel_sum.multipliers`). It may start from the mean over targets, from those that fit best, from
    the factors that its runtime, precision and threads make likely (`kernel_sum.target_prior`) and, where its
    microbenchmarks are known, from those that these do. What the timed kernels of the support leave unexplained then
    says more of kernels with nearly their shapes (`predictors.kinds.universal.graphs.kernel_residuals`).

    Each fold of graphs has its network, trained on the other folds; what it says of its own fold is honest and teaches
    the prior, the spreads and the intervals. A forecast is the mean over folds.

    What is left of a graph's latency then, trees learn from the graph as a whole
    (`predictors.kinds.universal.graphs.whole_graphs`), fold by fold as well; those of all folds together are kept.

    Args:
        width: units of the networks' hidden layers.
        epochs: passes over the graphs in training.
        trees: over whole graphs. Their splits are drawn at random, so that many small steps do not overfit.
        folds: of graphs.
        seed: of folds, initial weights, the order of graphs and the trees' samples.
    """

    kind = "universal"

    def __init__(
        self, *, width: int = WIDTH, epochs: int = EPOCHS, trees: int = TREES, folds: int = 4, seed: int = 0
    ) -> None:
        super().__init__(trees=trees, learning_rate=0.03, leaves=63, folds=folds, seed=seed)
        self.width, self.epochs = width, epochs
        self.descriptors_: TargetDescriptors | None = None
        self.residuals_: Mapping[TargetId, KernelResiduals] = {}
        self.trained_: Mapping[TargetId, TargetEffects] = {}

    def adapt(self, target: Target, support: LatencyDataset, evidence: DeviceEvidence | None = None) -> Self:
        """The posterior of the target's multipliers given the support, and what its kernels say beyond them."""
        fresh = copy(self)
        fresh.trained_ = self.trained_ or {
            name: own for name, own in self._learned().effects.targets.items() if name in self.target_prior_.names
        }
        fresh.residuals_ = {name: known for name, known in self.residuals_.items() if name != target.id}
        return super(GraphPredictor, fresh).adapt(target, support, evidence)

    def _learn_own_kernels(
        self, target: Target, support: LatencyDataset, table: KernelTable, kernels: Kernels, labels: Labels
    ) -> None:
        if self._is_as_trained(target, kernels, labels):
            # Many of its kernels taught the networks: what ten graphs' differ by from these is mostly noise.
            return
        inputs = self.encoding_.encode(table, [query.target for query in support.queries], self.roofline_.costs(table))
        own = KernelResiduals.fit(inputs, kernels, labels, self._learned().effects.of(target.id).mean)
        if own is not None:
            self.residuals_ = {**self.residuals_, target.id: own}

    def _is_as_trained(self, target: Target, kernels: Kernels, labels: Labels) -> bool:
        """Whether training has seen the target at about this speed: images started on other hosts keep its id."""
        if target.id not in self.trained_:
            return False
        expected = kernels.totals(kernels.times(self.trained_[target.id].mean))
        return abs(float(np.median(np.log(labels.latency) - np.log(expected)))) < _SAME_SPEED

    def _own_kernels(self, queries: Sequence[Query], inputs: KernelInputs) -> FloatArray:
        """What targets' own kernels say beyond multipliers, float64 (K,)."""
        found = np.zeros(len(inputs))
        if self.residuals_:
            for name, rows in rows_by_target(queries).items():
                if name in self.residuals_:
                    mine = np.flatnonzero(np.isin(inputs.rows, rows))
                    found[mine] = self.residuals_[name].correction(_pick(inputs, mine))
        return found

    def _expected(self, target: Target, evidence: DeviceEvidence | None) -> list[FloatArray]:
        told = None if self.descriptors_ is None else self.descriptors_.expected(evidence)
        return super()._expected(target, evidence) + ([] if told is None else [told])

    def _fit_correction(self, lesson: TrainingSet, report: Progress) -> FloatArray:
        try:
            from predictors.kinds.universal.graphs.kernel_training import KernelTrainingSet, train_network
        except ImportError as error:
            raise MissingEvidenceError(
                "Training universal on graphs needs torch: pip install 'latcast[torch]'. Forecasting does not."
            ) from error
        table = lesson.seen.table
        costs = self.roofline_.costs(table)
        self.typical_kernel_ = float(np.median(costs.log_time))
        running_on = [query.target for query in lesson.queries]
        self.encoding_ = KernelEncoding.fit(table, running_on, costs)
        inputs = self.encoding_.encode(table, running_on, costs)
        kernels = KernelTrainingSet(
            inputs=inputs,
            labels=lesson.labels - lesson.effects - costs.log_time,
            weights=lesson.weights,
            base=costs.log_time + lesson.effects + np.log(table.repeats),
            log_latency=np.log(lesson.seen.latency),
            rows=lesson.seen.rows,
            targets=np.unique(lesson.targets, return_inverse=True)[1].astype(np.int64),
            tilts=self._tilts(table, costs),
        )
        self.residuals_, self.trained_ = {}, {}
        held_out, networks = np.zeros(len(table)), []
        for index, (inner, outer) in enumerate(lesson.folds(self.folds, seed=self.seed)):
            network = train_network(
                kernels,
                np.unique(lesson.seen.rows[inner]),
                width=self.width,
                epochs=self.epochs,
                operators=len(self.encoding_.operators),
                seed=self.seed + index,
                progress=_part(report, index, self.folds),
            )
            held_out[outer] = network.predict(_pick(inputs, outer))
            networks.append(network)
        self._install(networks)
        return held_out

    def _install(self, networks: Sequence[KernelNetwork]) -> None:
        self.networks_ = tuple(networks)
        self.ensemble_ = KernelEnsemble.of(networks)

    def _learn_multipliers(self, lesson: TrainingSet, held_out: FloatArray, report: Progress) -> Kernels:
        """Twice: what the first leave of whole graphs, trees learn, and the second are of both together."""
        kernels = self._with_trees(lesson, held_out, report)
        means = {name: known.mean for name, known in self._learned().effects.targets.items()}
        self.descriptors_ = TargetDescriptors.fit(lesson.evidence, means)
        return kernels

    def _with_trees(self, lesson: TrainingSet, held_out: FloatArray, report: Progress) -> Kernels:
        kernels = super()._learn_multipliers(lesson, held_out, report)
        table, multipliers = lesson.seen.table, self._learned()
        residual = np.log(lesson.seen.latency)
        for name in lesson.target_names:
            rows = lesson.rows_of(name)
            residual[rows] -= multipliers.forecast(kernels.pick(rows), multipliers.effects.of(name))[0]
        whole = _is_whole(kernels)
        if whole.sum() < _FEWEST_GRAPHS:
            self.trees_ = ResidualTrees(boosters=())
            return kernels
        features = graph_features(kernels, table, self.encoding_.multi_hot([query.target for query in lesson.queries]))
        residual, weights = np.where(whole, residual, np.nan), np.ones(kernels.count)
        folds = lesson.row_folds(self.folds, seed=self.seed)
        _, factor = ResidualTrees.fit(
            features,
            residual,
            weights,
            folds,
            self._growth(),
            progress=lambda share: report(share, "trees over whole graphs"),
        )
        # What forecasts are made with has seen all rows: as good as the mean over folds, in a quarter of the time.
        self.trees_ = ResidualTrees.grow(features, residual, weights, self._growth())
        return super()._learn_multipliers(lesson, held_out + np.where(whole, factor, 0.0)[kernels.rows], report)

    def _forecast_kernels(self, queries: Sequence[Query]) -> Kernels:
        table = tabulate(queries)
        costs = self.roofline_.costs(table)
        inputs = self.encoding_.encode(table, [query.target for query in queries], costs)
        kernels = self._kernels(table, costs, self.ensemble_.predict(inputs))
        factor = self.trees_.predict(graph_features(kernels, table, inputs.traits))
        common = np.where(_is_whole(kernels), factor, 0.0)[kernels.rows]
        return replace(kernels, log_time=kernels.log_time + common + self._own_kernels(queries, inputs))

    def _growth(self) -> Growth:
        return replace(super()._growth(), random_splits=True)

    def _tilts(self, table: KernelTable, costs: Costs) -> FloatArray:
        return kernel_tilts(table, costs, self.typical_kernel_)

    def _correction_arrays(self) -> dict[str, Any]:
        arrays = {f"encoding.{name}": getattr(self.encoding_, name) for name in ("centre", "scale")}
        arrays["encoding.typical"] = np.array(self.typical_kernel_)
        arrays |= self.trees_.to_arrays()
        for index, network in enumerate(self.networks_):
            arrays |= network.to_arrays(f"network.{index}.")
        for index, name in enumerate(sorted(self.residuals_)):
            arrays |= self.residuals_[name].to_arrays(f"own.{index}.")
        return arrays | ({} if self.descriptors_ is None else self.descriptors_.to_arrays())

    def _correction_words(self) -> dict[str, Any]:
        names = [] if self.descriptors_ is None else list(self.descriptors_.names)
        return {
            "members": len(self.networks_), "space": GRAPHS, "microbench": names,
            "habits": list(self.encoding_.traits), "trees": len(self.trees_.boosters),
            "own_kernels": sorted(self.residuals_),
        }  # fmt: skip

    def _load_correction(self, artifact: Artifact) -> None:
        self.typical_kernel_ = float(artifact.array("encoding.typical", ndim=0))
        self.encoding_ = KernelEncoding(
            centre=artifact.array("encoding.centre", ndim=1),
            scale=artifact.array("encoding.scale", ndim=1),
            operators=tuple(self.operators_),
            traits=tuple(str(name) for name in artifact.vocabulary_entry("habits")),
        )
        names = tuple(str(name) for name in artifact.vocabulary.get("microbench", ()))
        self.descriptors_ = TargetDescriptors.from_artifact(artifact, names) if names else None
        self.trees_ = ResidualTrees.from_artifact(artifact, int(artifact.vocabulary_entry("trees")))
        self.residuals_ = {
            str(name): KernelResiduals.from_artifact(artifact, f"own.{index}.", len(self.encoding_.centre))
            for index, name in enumerate(artifact.vocabulary.get("own_kernels", ()))
        }
        self._install([
            KernelNetwork.from_artifact(artifact, f"network.{index}.", self.encoding_)
            for index in range(int(artifact.vocabulary_entry("members")))
        ])  # fmt: skip


def _is_whole(kernels: Kernels) -> np.ndarray:
    """Graphs with enough kernels to have something in common, bool (n,)."""
    return np.asarray(np.bincount(kernels.rows, minlength=kernels.count) >= MIN_KERNELS)


def _pick(inputs: KernelInputs, kernels: np.ndarray) -> KernelInputs:
    return KernelInputs(
        numbers=inputs.numbers[kernels],
        classes=inputs.classes[kernels],
        operators=inputs.operators[kernels],
        traits=inputs.traits,
        rows=inputs.rows[kernels],
    )


def _part(report: Progress, index: int, count: int) -> Progress:
    return lambda share, what: report((index + share) / count, f"network {index + 1} of {count}, {what}")

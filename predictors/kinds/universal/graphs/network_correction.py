"""Networks over kernels, trees over whole graphs, and what a target's own kernels say: the correction for graphs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from latcast.schema import BackendUnavailableError, TargetId
from predictors.artifact import Artifact
from predictors.base import FloatArray, Progress
from predictors.data.splits import target_ids
from predictors.features.kernels import KernelTable
from predictors.kinds.kernel_sum.correction import Graphs
from predictors.kinds.kernel_sum.residual import ResidualTrees
from predictors.kinds.kernel_sum.sums import Kernels, Labels
from predictors.kinds.kernel_sum.training_set import KernelBatch, TrainingSet
from predictors.kinds.universal.graphs.kernel_network import KernelEncoding, KernelEnsemble, KernelInputs, KernelNetwork
from predictors.kinds.universal.graphs.kernel_residuals import KernelResiduals
from predictors.kinds.universal.graphs.tilts import joined_tilts, kernel_tilts, shape_tilts, sized_tilts
from predictors.kinds.universal.graphs.whole_graphs import as_wholes, graph_features, is_whole, typical_shapes
from profilers.progress import part_of_progress

__all__ = ["NetworkCorrection"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkCorrection:
    """A network of each fold, a factor of each graph as a whole, and a Gaussian process over some targets' kernels.

    Args:
        typical: log time of a typical kernel, by the roofline.
        encoding: what the networks read of a kernel.
        networks: one of each fold; the correction is their mean.
        whole_graphs: trees over graphs as a whole.
        own_kernels: by target, what its timed kernels say beyond its multipliers.
    """

    typical: float
    encoding: KernelEncoding
    networks: tuple[KernelNetwork, ...]
    whole_graphs: ResidualTrees = field(default_factory=lambda: ResidualTrees(boosters=()))
    own_kernels: Mapping[TargetId, KernelResiduals] = field(default_factory=dict)
    _ensemble: KernelEnsemble = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_ensemble", KernelEnsemble.of(self.networks))

    @classmethod
    def fit(
        cls, training: TrainingSet, *, width: int, epochs: int, folds: int, seed: int, progress: Progress
    ) -> tuple[Self, FloatArray]:
        """(the correction without trees, what networks say of each kernel that did not see its graph, float64 (K,)).

        Args:
            training: rows of one or many targets.
            width: units of the networks' hidden layers.
            epochs: passes over the graphs.
            folds: of graphs, each with a network that is trained on the others.
            seed: of folds, initial weights and the order of graphs.
            progress: called after each epoch.

        Raises:
            BackendUnavailableError: torch is not installed.
        """
        try:
            from predictors.kinds.universal.graphs.kernel_training import KernelTrainingSet, train_network
        except ImportError as error:
            raise BackendUnavailableError(
                "Training universal on graphs needs torch: pip install 'latcast[torch]'. Forecasting does not."
            ) from error
        batch, typical = training.batch, float(np.median(training.batch.costs.log_time))
        encoding = KernelEncoding.fit(batch.table, batch.targets, batch.costs)
        inputs = encoding.encode(batch.table, batch.targets, batch.costs)
        kernels = KernelTrainingSet(
            inputs=inputs,
            labels=training.residual,
            weights=training.weights,
            base=batch.log_time + training.effects + np.log(batch.table.repeats),
            log_latency=np.log(training.seen.latency),
            rows=training.seen.rows,
            targets=np.unique(training.owners, return_inverse=True)[1].astype(np.int64),
            tilts=kernel_tilts(batch.table, batch.costs, typical),
        )
        held_out, networks = np.zeros(len(batch.table)), []
        for index, (inner, outer) in enumerate(training.folds(folds, seed=seed)):
            network = train_network(
                kernels,
                np.unique(training.seen.rows[inner]),
                width=width,
                epochs=epochs,
                operators=len(encoding.operators),
                seed=seed + index,
                progress=_of_network(progress, index, folds),
            )
            held_out[outer] = network.predict(_pick(inputs, outer))
            networks.append(network)
        return cls(typical=typical, encoding=encoding, networks=tuple(networks)), held_out

    def tilts(self, batch: KernelBatch) -> FloatArray:
        """Sizes and shapes that targets weigh differently, float64 (K, T)."""
        return kernel_tilts(batch.table, batch.costs, self.typical)

    def log_factor(self, batch: KernelBatch, tilts: FloatArray) -> FloatArray:
        """The networks' mean, the factor of each kernel's graph, and what is particular to its target, float64 (K,)."""
        by_network, by_target = self.of_kernels(batch).T
        kernels = batch.kernels(by_network, tilts)
        by_graph = self.of_graphs(kernels, as_wholes(batch.table, batch.targets))
        return np.asarray(by_network + by_graph[kernels.rows] + by_target)

    def of_kernels(self, batch: KernelBatch) -> FloatArray:
        """(the networks' mean, what is particular to the target), float64 (K, 2)."""
        inputs = self.encoding.encode(batch.table, batch.targets, batch.costs)
        return np.stack([self._ensemble.predict(inputs), self._by_target(batch, inputs)], axis=1)

    def shapes(self, table: KernelTable) -> FloatArray:
        """Shapes of which trees see the mean, float64 (K, 10)."""
        return typical_shapes(table)

    def sized_tilts(self, batch: KernelBatch) -> FloatArray:
        """The part of `tilts` that depends on the network around a kernel, float64 (K, 4)."""
        return sized_tilts(batch.costs, self.typical)

    def shape_tilts(self, table: KernelTable) -> FloatArray:
        """The part of `tilts` that kernels have by themselves, float64 (K, 11)."""
        return shape_tilts(table)

    def joined_tilts(self, kinds: NDArray[np.int64], sized: FloatArray, shapes: FloatArray) -> FloatArray:
        """`tilts` of kernels of these classes, float64 (K, T)."""
        return joined_tilts(kinds, sized, shapes)

    def of_graphs(self, kernels: Kernels, graphs: Graphs) -> FloatArray:
        """The trees' factor, float64 (n,); zero of graphs that are too small."""
        factor = self.whole_graphs.predict(graph_features(kernels, graphs, self.encoding.multi_hot(graphs.targets)))
        return np.where(is_whole(kernels), factor, 0.0)

    def without_target(self, target: TargetId) -> Self:
        """The correction without what a target's own kernels say."""
        return replace(
            self, own_kernels={name: residuals for name, residuals in self.own_kernels.items() if name != target}
        )

    def with_target(
        self, target: TargetId, batch: KernelBatch, kernels: Kernels, labels: Labels, u: FloatArray
    ) -> Self:
        """The correction with what a target's timed kernels say, as far as its latencies bear it out."""
        inputs = self.encoding.encode(batch.table, batch.targets, batch.costs)
        residuals = KernelResiduals.believed(inputs, kernels, labels, u)
        return self if residuals is None else replace(self, own_kernels={**self.own_kernels, target: residuals})

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Arrays for an artifact."""
        arrays: dict[str, NDArray[Any]] = {
            "encoding.centre": self.encoding.centre,
            "encoding.scale": self.encoding.scale,
            "encoding.typical": np.array(self.typical),
        }
        arrays |= self.whole_graphs.to_arrays()
        for index, network in enumerate(self.networks):
            arrays |= network.to_arrays(f"network.{index}.")
        for index, name in enumerate(sorted(self.own_kernels)):
            arrays |= self.own_kernels[name].to_arrays(f"own.{index}.")
        return arrays

    def to_vocabulary(self) -> dict[str, Any]:
        """How many networks and trees there are, the traits that they know, and the targets with own kernels."""
        return {
            "members": len(self.networks),
            "habits": list(self.encoding.traits),
            "trees": len(self.whole_graphs.boosters),
            "own_kernels": sorted(self.own_kernels),
        }

    @classmethod
    def from_artifact(cls, artifact: Artifact, operators: Sequence[str]) -> Self:
        """The correction whose `to_arrays` and `to_vocabulary` went into the artifact.

        Raises:
            ArtifactError: arrays are missing or do not fit each other.
        """
        encoding = KernelEncoding(
            centre=artifact.array("encoding.centre", ndim=1),
            scale=artifact.array("encoding.scale", ndim=1),
            operators=tuple(operators),
            traits=tuple(str(name) for name in artifact.vocabulary_entry("habits")),
        )
        width, own_kernels = len(encoding.centre), artifact.vocabulary.get("own_kernels", ())
        members = range(int(artifact.vocabulary_entry("members")))
        return cls(
            typical=float(artifact.array("encoding.typical", ndim=0)),
            encoding=encoding,
            networks=tuple(KernelNetwork.from_artifact(artifact, f"network.{i}.", encoding) for i in members),
            whole_graphs=ResidualTrees.from_artifact(artifact, int(artifact.vocabulary_entry("trees"))),
            own_kernels={
                str(name): KernelResiduals.from_artifact(artifact, f"own.{i}.", width)
                for i, name in enumerate(own_kernels)
            },
        )

    def _by_target(self, batch: KernelBatch, inputs: KernelInputs) -> FloatArray:
        correction = np.zeros(len(inputs))
        if self.own_kernels:
            owners = np.array(target_ids(batch.targets))
            for name in self.own_kernels.keys() & set(owners):
                kernels = np.flatnonzero((owners == name)[inputs.rows])
                correction[kernels] = self.own_kernels[name].correction(_pick(inputs, kernels))
        return correction


def _pick(inputs: KernelInputs, kernels: NDArray[np.intp]) -> KernelInputs:
    return KernelInputs(
        numbers=inputs.numbers[kernels],
        classes=inputs.classes[kernels],
        operators=inputs.operators[kernels],
        traits=inputs.traits,
        rows=inputs.rows[kernels],
    )


def _of_network(progress: Progress, index: int, count: int) -> Progress:
    part = part_of_progress(progress, index / count, (index + 1) / count)
    return lambda share, what: part(share, f"network {index + 1} of {count}, {what}")

"""What is learned of kernels over the roofline: the protocol, and boosted trees as its plain implementation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from latcast.schema import Target, TargetId
from predictors.artifact import Artifact
from predictors.base import FloatArray, Progress
from predictors.features.kernels import KernelTable
from predictors.kinds.kernel_sum.residual import CATEGORIES, Growth, ResidualTrees, tree_features
from predictors.kinds.kernel_sum.roofline import WORK_TERMS
from predictors.kinds.kernel_sum.sums import Kernels, Labels
from predictors.kinds.kernel_sum.training_set import KernelBatch, TrainingSet

__all__ = ["Correction", "Graphs", "SmoothCorrection", "TreeCorrection"]

_MEMORY_TERMS = [WORK_TERMS.index(name) for name in WORK_TERMS if name.endswith("_bytes")]
_LAUNCH = WORK_TERMS.index("launch")


class Correction(Protocol):
    """A learned correction of the roofline. It is immutable: what a target's support teaches makes another one."""

    def tilts(self, batch: KernelBatch) -> FloatArray:
        """What a target may weigh differently besides classes, float64 (K, T)."""
        ...

    def log_factor(self, batch: KernelBatch, tilts: FloatArray) -> FloatArray:
        """Log time of each kernel over the roofline's, float64 (K,), given its tilts."""
        ...

    def without_target(self, target: TargetId) -> Self:
        """The correction without what the support of a target taught."""
        ...

    def with_target(
        self, target: TargetId, batch: KernelBatch, kernels: Kernels, labels: Labels, u: FloatArray
    ) -> Self:
        """The correction with what a target's own kernels say beyond its multipliers.

        Args:
            target: whose support it is.
            batch: the support's kernels.
            kernels: the same, as `without_target` forecasts them.
            labels: what was measured of them.
            u: float64 (d,), the target's multipliers given the support.
        """
        ...

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Arrays for an artifact."""
        ...

    def to_vocabulary(self) -> dict[str, Any]:
        """What the arrays' indices mean, in JSON values."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Graphs:
    """What is seen of n graphs with K kernels as wholes.

    Args:
        parameter_bytes: float64 (n,).
        largest_bytes: float64 (n,), of the largest result of each.
        shapes: float64 (K, s), see `SmoothCorrection.shapes`.
        targets: n, that they run on.
    """

    parameter_bytes: FloatArray
    largest_bytes: FloatArray
    shapes: FloatArray
    targets: Sequence[Target]


@runtime_checkable
class SmoothCorrection(Protocol):
    """A correction in parts, of which those of kernels are smooth in the sizes of the network around them."""

    def of_kernels(self, batch: KernelBatch) -> FloatArray:
        """(what graphs' factors are read off, what comes on top), log time over the roofline's, float64 (K, 2)."""
        ...

    def shapes(self, table: KernelTable) -> FloatArray:
        """What graphs' factors are read off besides, float64 (K, s); not dependent on the network around a kernel."""
        ...

    def sized_tilts(self, batch: KernelBatch) -> FloatArray:
        """The part of `tilts` that depends on the network around a kernel, float64 (K, a)."""
        ...

    def shape_tilts(self, table: KernelTable) -> FloatArray:
        """The part of `tilts` that kernels have by themselves, float64 (K, b)."""
        ...

    def joined_tilts(self, kinds: NDArray[np.int64], sized: FloatArray, shapes: FloatArray) -> FloatArray:
        """`Correction.tilts` of kernels of these classes, float64 (K, T); linear in both."""
        ...

    def of_graphs(self, kernels: Kernels, graphs: Graphs) -> FloatArray:
        """Log factor of each graph, float64 (n,), given its kernels with the first of `of_kernels`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeCorrection:
    """Boosted trees over kernels; targets may weigh memory and launch differently.

    Args:
        trees: of all folds.
        operators: names that the trees know.
    """

    trees: ResidualTrees
    operators: Sequence[str]

    @classmethod
    def fit(
        cls,
        training: TrainingSet,
        operators: Sequence[str],
        growth: Growth,
        *,
        folds: int,
        progress: Progress,
    ) -> tuple[Self, FloatArray]:
        """(the correction, what models say of each kernel that did not see its graph, float64 (K,))."""
        trees, held_out = ResidualTrees.fit(
            tree_features(training.batch.table, operators, training.batch.costs),
            training.residual,
            training.weights,
            training.folds(folds, seed=growth.seed),
            growth,
            progress=lambda share: progress(share, "trees"),
            categories=CATEGORIES,
        )
        return cls(trees=trees, operators=operators), held_out

    def tilts(self, batch: KernelBatch) -> FloatArray:
        """Shares of memory and of launch in each kernel's time, float64 (K, 2)."""
        shares = batch.costs.shares
        return np.stack([shares[:, _MEMORY_TERMS].sum(axis=1), shares[:, _LAUNCH]], axis=1)

    def log_factor(self, batch: KernelBatch, tilts: FloatArray) -> FloatArray:
        """Mean of the folds' trees, float64 (K,)."""
        return self.trees.predict(tree_features(batch.table, self.operators, batch.costs))

    def without_target(self, target: TargetId) -> Self:
        """The same: multipliers are all that a support teaches."""
        return self

    def with_target(
        self, target: TargetId, batch: KernelBatch, kernels: Kernels, labels: Labels, u: FloatArray
    ) -> Self:
        """The same: multipliers are all that a support teaches."""
        return self

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The trees, as compressed texts."""
        return self.trees.to_arrays()

    def to_vocabulary(self) -> dict[str, Any]:
        """The number of ensembles."""
        return {"members": len(self.trees.boosters)}

    @classmethod
    def from_artifact(cls, artifact: Artifact, operators: Sequence[str]) -> Self:
        """The correction whose `to_arrays` and `to_vocabulary` went into the artifact.

        Raises:
            ArtifactError: trees are missing or corrupt.
        """
        members = int(artifact.vocabulary_entry("members"))
        return cls(trees=ResidualTrees.from_artifact(artifact, members), operators=operators)

"""Kernels of graphs with what the roofline says of them: what corrections of it read, and what they learn from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from latcast.schema import DeviceEvidence, Target, TargetId
from predictors.base import FloatArray
from predictors.data.splits import group_folds
from predictors.features.kernels import KernelTable
from predictors.kinds.kernel_sum.observations import Observations
from predictors.kinds.kernel_sum.roofline import Costs, Roofline
from predictors.kinds.kernel_sum.sums import Kernels, Labels
from predictors.kinds.kernel_sum.unsigned import log_slower
from predictors.kinds.kernel_sum.warm import log_saved

__all__ = ["KernelBatch", "TrainingSet"]

Folds = list[tuple[NDArray[np.intp], NDArray[np.intp]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelBatch:
    """K kernels of n graphs.

    Args:
        table: the kernels; `table.graph` is the graph.
        targets: n, that the graphs run on.
        costs: of the kernels, by the roofline.
    """

    table: KernelTable
    targets: Sequence[Target]
    costs: Costs

    @classmethod
    def of(cls, table: KernelTable, targets: Sequence[Target], roofline: Roofline) -> Self:
        """The kernels of a table, as the roofline sees them."""
        return cls(table=table, targets=targets, costs=roofline.costs(table))

    @property
    def log_time(self) -> FloatArray:
        """Log time of one run of each kernel by the roofline, and where it stands, float64 (K,)."""
        return self.costs.log_time + log_saved(self.table) + log_slower(self.table)

    def kernels(self, log_factor: FloatArray, tilts: FloatArray) -> Kernels:
        """The kernels as forecast.

        Args:
            log_factor: float64 (K,), log time over the roofline's.
            tilts: float64 (K, T), what a target may weigh differently besides classes.
        """
        table = self.table
        return Kernels(
            log_time=self.log_time + log_factor + np.log(table.repeats),
            kinds=table.kinds,
            tilt=tilts,
            rows=table.graph,
            count=int(table.graph[-1]) + 1 if len(table) else 0,
            unknown_variance=np.zeros(len(table)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSet:
    """What corrections of the roofline are learned from: K kernels of n rows.

    Args:
        batch: the kernels.
        seen: their times, and the rows' latencies.
        owners: n ids of targets.
        labels: float64 (K,), log time of one run of each kernel; NaN where there is none.
        effects: float64 (K,), the targets' part in it.
        weights: float64 (K,).
        keys: n names of graphs; folds keep rows of one graph together.
        evidence: what else is known of targets, by id.
    """

    batch: KernelBatch
    seen: Observations
    owners: NDArray[np.str_]
    labels: FloatArray
    effects: FloatArray
    weights: FloatArray
    keys: list[str]
    evidence: Mapping[TargetId, DeviceEvidence]

    @property
    def residual(self) -> FloatArray:
        """Log time of one run of each kernel over the roofline's and the target's, float64 (K,)."""
        return self.labels - self.effects - self.batch.log_time

    @property
    def target_names(self) -> list[TargetId]:
        """Ids of the targets, sorted."""
        return sorted(set(self.owners))

    def rows_of(self, target: TargetId) -> NDArray[np.intp]:
        """The rows of one target."""
        return np.flatnonzero(self.owners == target)

    def part(self, kernels: Kernels, target: TargetId) -> tuple[Kernels, Labels]:
        """The kernels of one target out of those of all rows, and what was measured of them."""
        rows = self.rows_of(target)
        mask = np.isin(self.seen.rows, rows)
        return kernels.pick(rows), Labels(latency=self.seen.latency[rows], kernel_time=self.seen.kernel_time[mask])

    def row_folds(self, count: int, *, seed: int) -> Folds:
        """(training rows, held-out rows) of each fold."""
        return list(group_folds(self.keys, count, seed=seed))

    def folds(self, count: int, *, seed: int) -> Folds:
        """(training kernels, held-out kernels) of each fold."""
        rows = self.seen.rows
        return [
            (np.flatnonzero(np.isin(rows, inner)), np.flatnonzero(np.isin(rows, outer)))
            for inner, outer in self.row_folds(count, seed=seed)
        ]

"""What all targets share before any correction: a roofline, the time of a call, and what training has seen.

Target effects and roofline are taken out of each other in a few rounds. Rows without kernel timings are spread over
their kernels as the roofline sees them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from latcast.schema import InputError
from predictors.artifact import Artifact
from predictors.base import FloatArray, LatencyDataset
from predictors.data.splits import row_keys
from predictors.features.kernels import KernelTable
from predictors.kinds.kernel_sum.observations import Observations, call_time, observe, without_call
from predictors.kinds.kernel_sum.roofline import Roofline, work_matrix
from predictors.kinds.kernel_sum.training_set import KernelBatch, TrainingSet

__all__ = ["SharedRoofline"]

_ROUNDS = 3
"""Rounds of taking target effects and roofline out of each other."""
_RANGE_SLACK = np.log(3.0)
_NEVER = (np.inf, -np.inf)
_LEAST_WEIGHT = 0.05
_SHRUNK = 10
"""Kernels of a class in a target that its effect is shrunk by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedRoofline:
    """The part of the model that extrapolates.

    Args:
        roofline: costs of kernels.
        unit_ms: time that counts as one.
        call: what a run takes besides its kernels, in that unit.
        operators: names that training has seen, sorted.
        ranges: float64 (operators, 2), smallest and largest forecast of each operator's kernels by the roofline.
    """

    roofline: Roofline
    unit_ms: float
    call: float
    operators: list[str]
    ranges: FloatArray

    @classmethod
    def fit(cls, data: LatencyDataset) -> tuple[Self, TrainingSet]:
        """Learn from rows of one or many targets; the second is what corrections are learned from.

        Raises:
            InputError: no rows.
        """
        if len(data) == 0:
            raise InputError("There are no rows to learn from.")
        unit_ms = float(np.exp(np.median(np.log(data.latency_ms))))
        seen, owners = observe(data, unit_ms), np.array([query.target.id for query in data.queries])
        calls = {name: call_time(seen, owners == name) for name in sorted(set(owners))}
        seen = replace(seen, kernel_time=without_call(seen, np.array([calls[name] for name in owners])))
        call, table = float(np.median(list(calls.values()))), seen.table
        roofline, labels, effects, weights = _fit_roofline(seen, owners)
        batch = KernelBatch.of(table, [query.target for query in data.queries], roofline.with_call(call))
        operators = sorted(set(table.operators))
        ranges = _ranges(table, batch.costs.log_time, operators)
        shared = cls(roofline=roofline.with_call(call), unit_ms=unit_ms, call=call, operators=operators, ranges=ranges)
        return shared, TrainingSet(
            batch=batch,
            seen=seen,
            owners=owners,
            labels=labels,
            effects=effects,
            weights=weights,
            keys=row_keys(data),
            evidence=data.evidence,
        )

    def is_known(self, batch: KernelBatch) -> NDArray[np.bool_]:
        """Whether training has seen each kernel's operator in about this size, bool (K,)."""
        return within(self.known_range(batch.table), batch.costs.log_time)

    def known_range(self, table: KernelTable) -> FloatArray:
        """Log time between which training has seen each kernel's operator, float64 (K, 2); none lies in (inf, -inf)."""
        index = {name: i for i, name in enumerate(self.operators)}
        places = np.array([index.get(name, len(index)) for name in table.operators], dtype=np.int64)
        ranges = np.append(np.add(self.ranges, (-_RANGE_SLACK, _RANGE_SLACK)), [_NEVER], axis=0)[places]
        return np.where(table.known[:, None], ranges, _NEVER)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Arrays for an artifact; `operators` are part of its vocabulary."""
        return {
            "roofline.log_cost": self.roofline.log_cost,
            "operators.ranges": self.ranges,
            "unit_ms": np.array(self.unit_ms),
            "call": np.array(self.call),
        }

    @classmethod
    def from_artifact(cls, artifact: Artifact) -> Self:
        """The roofline whose `to_arrays` went into the artifact.

        Raises:
            ArtifactError: arrays or operators are missing.
        """
        return cls(
            roofline=Roofline(log_cost=artifact.array("roofline.log_cost", ndim=2)),
            unit_ms=float(artifact.array("unit_ms", ndim=0)),
            call=float(artifact.array("call", ndim=0)),
            operators=[str(name) for name in artifact.vocabulary_entry("operators")],
            ranges=artifact.array("operators.ranges", ndim=2),
        )


def within(ranges: FloatArray, log_time: FloatArray) -> NDArray[np.bool_]:
    """Whether each log time, float64 (K,), lies in its range, float64 (K, 2); bool (K,)."""
    low, high = ranges.T
    return np.asarray((log_time >= low) & (log_time <= high))


def _fit_roofline(seen: Observations, owners: NDArray[np.str_]) -> tuple[Roofline, FloatArray, FloatArray, FloatArray]:
    """(roofline, log time of one run of each kernel, target effect in it, weight), float64 (K,) each."""
    work, table = work_matrix(seen.table), seen.table
    names, owner = np.unique(owners, return_inverse=True)
    measured = np.log(seen.kernel_time / table.repeats)
    effects = np.zeros(len(table))
    roofline = Roofline.fit(work[:0], table.kinds[:0], measured[:0], measured[:0])
    labels, weights = _spread(seen, measured, roofline.log_time(work, table.kinds))
    for _ in range(_ROUNDS if len(names) > 1 or np.isnan(measured).any() else 1):
        used = np.isfinite(labels)
        roofline = Roofline.fit(work[used], table.kinds[used], (labels - effects)[used], weights[used])
        forecast = roofline.log_time(work, table.kinds)
        effects = _target_effects(labels - forecast, owner[table.graph], table.kinds) if len(names) > 1 else effects
        labels, weights = _spread(seen, measured, forecast + effects)
    return roofline, labels, effects, weights


def _spread(seen: Observations, measured: FloatArray, forecast: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(log time of one run of each kernel, weight); rows without kernel timings are spread as forecast.

    A kernel weighs by the root of its share of its graph's latency: large ones matter to the sum, small ones are many.
    """
    table = seen.table
    totals = np.bincount(seen.rows, weights=np.exp(forecast) * table.repeats, minlength=len(seen.latency))
    timed = np.bincount(seen.rows, weights=np.isfinite(measured), minlength=len(seen.latency)) > 0
    implied = forecast + (np.log(seen.latency) - np.log(totals))[seen.rows]
    labels = np.where(timed[seen.rows], measured, implied)
    share = np.exp(labels) * table.repeats / seen.latency[seen.rows]
    return labels, np.sqrt(np.clip(np.nan_to_num(share), _LEAST_WEIGHT, 1.0))


def _target_effects(residual: FloatArray, owner: NDArray[np.intp], kinds: NDArray[np.int64]) -> FloatArray:
    """Median residual of each target, and of each class in it, shrunk where a class has few kernels."""
    effects = np.zeros(len(residual))
    for target in np.unique(owner):
        labelled = (owner == target) & np.isfinite(residual)
        level = float(np.median(residual[labelled]))
        effects[owner == target] = level
        for kind in np.unique(kinds[labelled]):
            part = labelled & (kinds == kind)
            count = part.sum()
            shrunk = np.median(residual[part] - level) * count / (count + _SHRUNK)
            effects[(owner == target) & (kinds == kind)] += shrunk
    return effects


def _ranges(table: KernelTable, forecast: FloatArray, operators: Sequence[str]) -> FloatArray:
    names = np.array(table.operators)
    return np.array([[forecast[names == name].min(), forecast[names == name].max()] for name in operators])

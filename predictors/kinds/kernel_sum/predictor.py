"""The predictor; see the package."""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from latcast.schema import DeviceEvidence, InputError, MissingEvidenceError, Target
from predictors.artifact import Artifact
from predictors.base import Capabilities, FloatArray, LatencyDataset, Prediction, Predictor, Progress, Query
from predictors.data.splits import group_folds, row_keys, rows_by_target
from predictors.explanation import KernelForecasts
from predictors.features.kernels import FEATURE_VERSION, ExecutionTraits, KernelTable, predict_kernels
from predictors.inference.blas_threads import on_one_thread
from predictors.kinds.kernel_sum.multipliers import Multipliers
from predictors.kinds.kernel_sum.observations import Observations, call_time, observe, tabulate, without_call
from predictors.kinds.kernel_sum.residual import CATEGORIES, Growth, ResidualTrees, tree_features
from predictors.kinds.kernel_sum.roofline import WORK_TERMS, Costs, Roofline, work_matrix
from predictors.kinds.kernel_sum.sums import Kernels, Labels
from predictors.kinds.kernel_sum.target_prior import TargetPrior
from profilers.progress import no_progress

__all__ = ["MIN_KERNELS", "KernelSumPredictor", "TrainingSet"]

_ROUNDS = 3
"""Of taking target effects and roofline out of each other."""
MIN_KERNELS = 5
"""Graphs with fewer calibrate no interval: a single kernel's error averages with nothing."""
_UNKNOWN_VARIANCE = 0.5
"""Of log time of a kernel whose operator or size training never saw."""
_RANGE_SLACK = np.log(3.0)
_LEAST_WEIGHT = 0.05
_MEMORY_TERMS = [WORK_TERMS.index(name) for name in WORK_TERMS if name.endswith("_bytes")]


class KernelSumPredictor(Predictor):
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
    capabilities: ClassVar[Capabilities] = Capabilities(inputs=frozenset({"graph"}), uncertainty=True, kernels=True)

    def __init__(
        self, *, trees: int = 300, learning_rate: float = 0.06, leaves: int = 24, folds: int = 4, seed: int = 0
    ) -> None:
        super().__init__(seed=seed)
        self.trees, self.learning_rate, self.leaves, self.folds = trees, learning_rate, leaves, folds
        self.multipliers_: Multipliers | None = None

    @on_one_thread
    def fit(
        self,
        data: LatencyDataset,
        *,
        validation: LatencyDataset | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Learn from rows of one or many targets; `validation` is not read: folds of the rows judge themselves."""
        if len(data) == 0:
            raise InputError("There are no rows to learn from.")
        report = progress or no_progress
        report(0.0, "kernels")
        self.unit_ms_ = float(np.exp(np.median(np.log(data.latency_ms))))
        self.target_prior_ = TargetPrior.of([query.target for query in data.queries])
        seen = observe(data, self.unit_ms_)
        targets = np.array([query.target.id for query in data.queries])
        calls = {name: call_time(seen, targets == name) for name in sorted(set(targets))}
        self.call_ = float(np.median(list(calls.values())))
        seen = replace(seen, kernel_time=without_call(seen, np.array([calls[name] for name in targets])))
        labels, effects, weights = self._fit_roofline(seen, targets)
        report(0.2, "what the roofline leaves")
        lesson = TrainingSet(
            seen=seen,
            queries=data.queries,
            targets=targets,
            labels=labels,
            effects=effects,
            weights=weights,
            keys=row_keys(data),
            evidence=data.evidence,
        )
        held_out = self._fit_correction(lesson, lambda share, what: report(0.2 + 0.7 * share, what))
        report(0.9, "multipliers")
        self._learn_multipliers(lesson, held_out, lambda share, what: report(0.9 + 0.1 * share, what))
        report(1.0, "fitted")
        return self

    def _learn_multipliers(self, lesson: "TrainingSet", held_out: FloatArray, report: Progress) -> Kernels:
        """From forecasts by models that did not see the graph, float64 (K,); returns them with the shared model's."""
        table = lesson.seen.table
        kernels = self._kernels(table, self.roofline_.costs(table), held_out)
        parts = {name: _part(kernels, lesson.seen, lesson.rows_of(name)) for name in lesson.target_names}
        self.multipliers_ = Multipliers.guessed(kernels.tilt.shape[1]).learned(parts, min_kernels=MIN_KERNELS)
        return kernels

    def _fit_roofline(self, seen: Observations, targets: np.ndarray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """(log time of one run of each kernel, target effect in it, weight), float64 (K,) each."""
        work, table = work_matrix(seen.table), seen.table
        names, owner = np.unique(targets, return_inverse=True)
        measured = np.log(seen.kernel_time / table.repeats)
        effects = np.zeros(len(table))
        self.roofline_ = Roofline.fit(work[:0], table.kinds[:0], measured[:0], measured[:0])
        labels, weights = _spread(seen, measured, self.roofline_.log_time(work, table.kinds))
        for _ in range(_ROUNDS if len(names) > 1 or np.isnan(measured).any() else 1):
            used = np.isfinite(labels)
            self.roofline_ = Roofline.fit(work[used], table.kinds[used], (labels - effects)[used], weights[used])
            forecast = self.roofline_.log_time(work, table.kinds)
            effects = _target_effects(labels - forecast, owner[table.graph], table.kinds) if len(names) > 1 else effects
            labels, weights = _spread(seen, measured, forecast + effects)
        self.roofline_ = self.roofline_.with_call(self.call_)
        self.operators_ = sorted(set(table.operators))
        self.ranges_ = _ranges(table, self.roofline_.log_time(work, table.kinds), self.operators_)
        return labels, effects, weights

    def _fit_correction(self, lesson: "TrainingSet", report: Progress) -> FloatArray:
        """Learn what the roofline leaves; what models say of it that did not see the graph, float64 (K,)."""
        table = lesson.seen.table
        costs = self.roofline_.costs(table)
        self.trees_, held_out = ResidualTrees.fit(
            tree_features(table, self.operators_, costs),
            lesson.labels - lesson.effects - costs.log_time,
            lesson.weights,
            lesson.folds(self.folds, seed=self.seed),
            self._growth(),
            progress=lambda share: report(share, "trees"),
            categories=CATEGORIES,
        )
        return held_out

    def _correct(self, table: KernelTable, costs: Costs, queries: Sequence[Query]) -> FloatArray:
        """What was learned over the roofline, float64 (K,)."""
        return self.trees_.predict(tree_features(table, self.operators_, costs))

    def _tilts(self, table: KernelTable, costs: Costs) -> FloatArray:
        """What a target may weigh differently besides classes, float64 (K, T): shares of memory and of launch."""
        return np.stack([costs.shares[:, _MEMORY_TERMS].sum(axis=1), costs.shares[:, 0]], axis=1)

    def _growth(self) -> Growth:
        return Growth(trees=self.trees, learning_rate=self.learning_rate, leaves=self.leaves, seed=self.seed)

    def _kernels(self, table: KernelTable, costs: Costs, correction: FloatArray) -> Kernels:
        """The shared model's forecasts, with what was learned over the roofline given."""
        return Kernels(
            log_time=costs.log_time + correction + np.log(table.repeats),
            kinds=table.kinds,
            tilt=self._tilts(table, costs),
            rows=table.graph,
            count=int(table.graph[-1]) + 1 if len(table) else 0,
            doubt=_UNKNOWN_VARIANCE * ~self._is_known(table, costs.log_time),
        )

    def _is_known(self, table: KernelTable, forecast: FloatArray) -> np.ndarray:
        """Whether training has seen each kernel's operator in about this size, bool (K,)."""
        index = {name: place for place, name in enumerate(self.operators_)}
        places = np.array([index.get(name, len(index)) for name in table.operators], dtype=np.int64)
        low, high = np.append(self.ranges_, [[np.inf, -np.inf]], axis=0)[places].T
        return np.asarray(table.known & (forecast >= low - _RANGE_SLACK) & (forecast <= high + _RANGE_SLACK))

    def _forecast_kernels(self, queries: Sequence[Query]) -> Kernels:
        table = tabulate(queries)
        costs = self.roofline_.costs(table)
        return self._kernels(table, costs, self._correct(table, costs, queries))

    @on_one_thread
    def adapt(self, target: Target, support: LatencyDataset, evidence: DeviceEvidence | None = None) -> Self:
        """The posterior of the target's multipliers given the support's kernels and latencies."""
        multipliers = self._learned()
        if len(support) == 0:
            raise MissingEvidenceError("Adapting takes at least one measured row of the target; measure one.")
        seen = observe(support, self.unit_ms_)
        kernels = self._forecast_kernels(support.queries)
        slower = np.median(seen.latency / kernels.totals(kernels.times(multipliers.effects.mean)))
        kernel_time = without_call(seen, np.full(len(support), self.call_ * slower))
        labels = Labels(latency=seen.latency, kernel_time=kernel_time)
        adapted = copy(self)
        adapted.multipliers_ = multipliers.adapted(
            kernels, labels, target.id, expected=self._expected(target, evidence)
        )
        adapted._learn_own_kernels(target, support, seen.table, kernels, labels)
        return adapted

    def _learn_own_kernels(
        self, target: Target, support: LatencyDataset, table: KernelTable, kernels: Kernels, labels: Labels
    ) -> None:
        """What the target's own kernels say beyond its multipliers; nothing here, for others to learn."""

    def _expected(self, target: Target, evidence: DeviceEvidence | None) -> list[FloatArray]:
        """The multipliers that are likely before anything was measured, float64 (d,) each."""
        known = self._learned().effects.targets
        return [self.target_prior_.expected(target, {name: known[name].mean for name in self.target_prior_.names})]

    def predict(self, queries: Sequence[Query]) -> Prediction:
        """Forecasts; a target that was never seen gets the average over those seen, with their spread as doubt."""
        multipliers = self._learned()
        log_time, log_std = np.zeros(len(queries)), np.zeros(len(queries))
        if queries:
            kernels = self._forecast_kernels(queries)
            for name, rows in rows_by_target(queries).items():
                state = multipliers.effects.of(name)
                log_time[rows], variance = multipliers.forecast(kernels.pick(rows), state)
                log_std[rows] = np.sqrt(variance) * state.tail_scale
        return Prediction(median_ms=np.exp(log_time) * self.unit_ms_, log_std=log_std)

    def coverage(self, queries: Sequence[Query]) -> FloatArray:
        """Share of each graph's forecast in kernels whose operator and size training has seen."""
        multipliers = self._learned()
        if not queries:
            return np.empty(0)
        kernels = self._forecast_kernels(queries)
        times = kernels.times(multipliers.effects.mean)
        return np.asarray(kernels.totals(times * (kernels.doubt == 0)) / kernels.totals(times))

    def unknown_operators(self, query: Query) -> tuple[str, ...]:
        """Kernels of the query's graph whose operator training has not seen, sorted."""
        self._learned()
        return tuple(sorted(set(tabulate([query]).operators) - set(self.operators_)))

    def explain(self, query: Query) -> KernelForecasts:
        """The kernels of the query's graph, each with its part of the forecast."""
        state = self._learned().effects.of(query.target.id)
        kernels = self._forecast_kernels([query])
        return KernelForecasts(
            kernels=predict_kernels(query.graph, ExecutionTraits.of(query.target)),
            latency_ms=kernels.times(state.mean) * self.unit_ms_,
            known=kernels.doubt == 0,
        )

    def adaptation_features(self, queries: Sequence[Query]) -> FloatArray:
        """Rows whose inner products are prior covariances of log latency: for samplers."""
        return self._learned().features(self._forecast_kernels(queries))

    def to_artifact(self) -> Artifact:
        """Rooflines, trees, the prior over targets and the posteriors of those seen."""
        multipliers = self._learned()
        arrays: dict[str, Any] = {"roofline.log_cost": self.roofline_.log_cost, "operators.ranges": self.ranges_}
        arrays |= (
            {"unit_ms": np.array(self.unit_ms_), "call": np.array(self.call_)}
            | self._correction_arrays()
            | multipliers.to_arrays()
        )
        return self.make_artifact(
            arrays=arrays,
            vocabulary={
                "operators": self.operators_,
                "targets": multipliers.effects.names(),
                "trained_on": list(self.target_prior_.names),
                "manners": self.target_prior_.to_vocabulary(),
                **self._correction_words(),
            },
            feature_version=str(FEATURE_VERSION),
        )

    @classmethod
    def from_artifact(cls, artifact: Artifact) -> Self:
        """The predictor that `to_artifact` described."""
        predictor = cls.from_header(artifact)
        artifact.require_features(str(FEATURE_VERSION))
        predictor.roofline_ = Roofline(log_cost=artifact.array("roofline.log_cost", ndim=2))
        predictor.operators_ = [str(name) for name in artifact.vocabulary_entry("operators")]
        predictor.ranges_ = artifact.array("operators.ranges", ndim=2)
        predictor.unit_ms_ = float(artifact.array("unit_ms", ndim=0))
        predictor.call_ = float(artifact.array("call", ndim=0))
        predictor._load_correction(artifact)
        predictor.multipliers_ = Multipliers.from_artifact(
            artifact, [str(name) for name in artifact.vocabulary_entry("targets")]
        )
        predictor.target_prior_ = TargetPrior.from_artifact(
            artifact, [str(name) for name in artifact.vocabulary_entry("trained_on")]
        )
        return predictor

    def _correction_arrays(self) -> dict[str, Any]:
        return self.trees_.to_arrays()

    def _correction_words(self) -> dict[str, Any]:
        return {"members": len(self.trees_.boosters)}

    def _load_correction(self, artifact: Artifact) -> None:
        self.trees_ = ResidualTrees.from_artifact(artifact, int(artifact.vocabulary_entry("members")))

    def _learned(self) -> Multipliers:
        self.require_fitted("multipliers_")
        assert self.multipliers_ is not None  # noqa: S101 - require_fitted made sure
        return self.multipliers_


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSet:
    """What corrections of the roofline are learned from: K kernels of n rows.

    Args:
        seen: kernels and latencies.
        queries: n of them.
        targets: of each row, n ids.
        labels: float64 (K,), log time of one run of each kernel; NaN where there is none.
        effects: float64 (K,), the targets' part in it.
        weights: float64 (K,).
        keys: n names of graphs; folds keep rows of one graph together.
        evidence: what else is known of targets, by id.
    """

    seen: Observations
    queries: Sequence[Query]
    targets: np.ndarray
    labels: FloatArray
    effects: FloatArray
    weights: FloatArray
    keys: list[str]
    evidence: Mapping[str, DeviceEvidence]

    @property
    def target_names(self) -> list[str]:
        """Ids of the targets, sorted."""
        return sorted(set(self.targets))

    def rows_of(self, target: str) -> np.ndarray:
        """The rows of one target."""
        return np.flatnonzero(self.targets == target)

    def row_folds(self, count: int, *, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """(training rows, held-out rows) of each fold."""
        return list(group_folds(self.keys, count, seed=seed))

    def folds(self, count: int, *, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """(training kernels, held-out kernels) of each fold."""
        rows = self.seen.rows
        return [
            (np.flatnonzero(np.isin(rows, inner)), np.flatnonzero(np.isin(rows, outer)))
            for inner, outer in self.row_folds(count, seed=seed)
        ]


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


def _target_effects(residual: FloatArray, owner: np.ndarray, kinds: np.ndarray) -> FloatArray:
    """Median residual of each target, and of each class in it, shrunk where a class has few kernels."""
    effects = np.zeros(len(residual))
    for target in np.unique(owner):
        mine = (owner == target) & np.isfinite(residual)
        level = float(np.median(residual[mine]))
        effects[owner == target] = level
        for kind in np.unique(kinds[mine]):
            part = mine & (kinds == kind)
            count = part.sum()
            effects[(owner == target) & (kinds == kind)] += np.median(residual[part] - level) * count / (count + 10)
    return effects


def _ranges(table: KernelTable, forecast: FloatArray, operators: Sequence[str]) -> FloatArray:
    """Smallest and largest roofline forecast of each operator's kernels, float64 (operators, 2)."""
    names = np.array(table.operators)
    return np.array([[forecast[names == name].min(), forecast[names == name].max()] for name in operators])


def _part(kernels: Kernels, seen: Observations, rows: np.ndarray) -> tuple[Kernels, Labels]:
    mask = np.isin(seen.rows, rows)
    return kernels.pick(rows), Labels(latency=seen.latency[rows], kernel_time=seen.kernel_time[mask])

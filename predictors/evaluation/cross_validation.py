"""Training a predictor of any kind, with figures of rows that were held out of training.

Two kinds of folds: by networks (the targets are known, the networks are new), and by targets (the target is new, and
the predictor is adapted to a few of its rows).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from predictors.base import FloatArray, LatencyDataset, Prediction, Predictor, Progress, Provenance
from predictors.data.splits import dataset_digest, group_folds, row_keys
from predictors.evaluation.checkpoints import Arrays, Checkpoints, NoCheckpoints
from predictors.evaluation.fits import ALL_ROWS, NETWORKS, SAMPLES, TARGETS, Fit, Rows, carry_out, fitted_predictor
from predictors.evaluation.metrics import report
from predictors.evaluation.plan import Plan
from predictors.execution import Executor

__all__ = ["SAMPLES", "HeldOut", "Plan", "Trained", "cross_validate", "train"]

FEWEST_TARGETS = 3
"""Targets from which on some are held out: with two, one would stand for all others."""
RANKS = ("spearman", "kendall")
"""Figures of the order of networks. One order over several targets would tell fast machines from slow ones, which
takes no predictor; so these are means of each target's own."""
SPREAD_OF = ("spearman", "median_ape", "within_10", "within_20")
"""Figures of which the standard deviation over the folds is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """Forecasts of rows that were held out.

    Args:
        median_ms: float64 (n,); NaN for rows without a forecast.
        log_std: float64 (n,), width of the forecasts with their tails; NaN where the predictor claims none.
        fold: intp (n,), the fold in which the row was held out.
    """

    median_ms: FloatArray
    log_std: FloatArray
    fold: Rows

    @property
    def rows(self) -> Rows:
        """Indices of the rows that have a forecast."""
        return np.flatnonzero(np.isfinite(self.median_ms))

    def prediction(self, rows: Rows) -> Prediction:
        """The forecasts of these rows."""
        spread = self.log_std[rows]
        return Prediction(median_ms=self.median_ms[rows], log_std=None if np.isnan(spread).any() else spread)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A predictor that was fitted on all rows, and the forecasts of held-out rows that its figures are of.

    Args:
        predictor: fitted; `provenance_` has the figures.
        networks: forecasts of held-out networks; None where none were held out.
        targets: forecasts of held-out targets; None where none were held out.
    """

    predictor: Predictor
    networks: HeldOut | None
    targets: HeldOut | None


def train(
    plan: Plan,
    dataset: LatencyDataset,
    *,
    progress: Progress | None = None,
    checkpoints: Checkpoints | None = None,
    executor: Executor | None = None,
) -> Trained:
    """Fit a predictor on all rows, after judging its kind on held-out ones.

    The figures are those of `cross_validate`, with `fit_s`, `rows`, and the number of networks. They travel in the
    artifact.

    Args:
        plan: what is trained, and how it is judged.
        dataset: rows of the training set.
        progress: called with the share that is done.
        checkpoints: keeps what is done; by default nothing.
        executor: does the fits, each with one thread where it has several processes; by default this process, one after
            the other. What comes of them is the same.

    Raises:
        UnknownNameError: the kind is not registered.
        ImportError: a library that the kind needs is not installed.
        InputError: the kind lacks one of the hyperparameters, or cannot learn from the rows.
        MissingEvidenceError: the kind needs evidence that the data set lacks for one of its targets.
        LatcastError: a process or a cluster that did a part of it was lost.
    """
    plan.construct()  # what is wrong with the plan is said before anything is done
    folds = _folds(plan, dataset)
    arrays = carry_out(
        [*folds, ALL_ROWS], plan, dataset, progress=progress,
        checkpoints=NoCheckpoints() if checkpoints is None else checkpoints, executor=executor,
    )  # fmt: skip
    networks, targets, figures = _judged(plan, dataset, folds, arrays)
    predictor, fit_s = fitted_predictor(arrays[ALL_ROWS.name])
    metrics: dict[str, Any] = {"rows": len(dataset), "networks": len(set(_groups(plan, dataset))), **figures}
    metrics["fit_s"] = round(fit_s, 3)
    predictor.provenance_ = Provenance(dataset_digest=dataset_digest(dataset), metrics=metrics)
    return Trained(predictor=predictor, networks=networks, targets=targets)


def cross_validate(
    plan: Plan,
    dataset: LatencyDataset,
    *,
    progress: Progress | None = None,
    checkpoints: Checkpoints | None = None,
    executor: Executor | None = None,
) -> tuple[HeldOut | None, HeldOut | None, dict[str, Any]]:
    """Forecasts of held-out networks and of held-out targets, and their figures.

    The figures (see `predictors.evaluation.metrics.report`) of held-out networks are `cross_validation` over all
    targets, with their standard deviation over the folds as `spread`, `targets` by target id, and `families`; those of
    held-out targets are `held_out_targets`, the same with its own `targets`. Rank correlations of several targets are
    the mean of those of each. Data of a single network yield none.

    The arguments and the errors are those of `train`.
    """
    folds = _folds(plan, dataset)
    arrays = carry_out(
        folds,
        plan,
        dataset,
        progress=progress,
        checkpoints=NoCheckpoints() if checkpoints is None else checkpoints,
        executor=executor,
    )
    return _judged(plan, dataset, folds, arrays)


def _folds(plan: Plan, dataset: LatencyDataset) -> list[Fit]:
    networks = list(group_folds(_groups(plan, dataset), plan.folds, seed=plan.seed))
    targets = list(group_folds(_target_names(dataset), _target_folds(plan, dataset), seed=plan.seed))
    return [
        Fit.fold(by, number, len(splits), split)
        for by, splits in ((NETWORKS, networks), (TARGETS, targets))
        for number, split in enumerate(splits)
    ]


def _judged(
    plan: Plan, dataset: LatencyDataset, folds: Sequence[Fit], arrays: Mapping[str, Arrays]
) -> tuple[HeldOut | None, HeldOut | None, dict[str, Any]]:
    """What `cross_validate` returns, out of what came of the folds."""
    figures: dict[str, Any] = {}
    if (networks := _held_out(NETWORKS, len(dataset), folds, arrays)) is not None:
        figures |= _figures(dataset, networks, plan.families)
    targets = _held_out(TARGETS, len(dataset), folds, arrays)
    if targets is not None and len(targets.rows):
        found = _figures(dataset, targets, plan.families)
        others = {name: value for name, value in found.items() if name != "cross_validation"}
        figures["held_out_targets"] = {**found["cross_validation"], **others, "samples": SAMPLES}
    return networks, targets, figures


def _held_out(by: str, rows: int, folds: Sequence[Fit], arrays: Mapping[str, Arrays]) -> HeldOut | None:
    """Forecasts of the rows that were held out so; None where none were."""
    median, spread = np.full(rows, np.nan), np.full(rows, np.nan)
    place = np.zeros(rows, dtype=np.intp)
    fitting = [fold for fold in folds if fold.by == by]
    for number, fold in enumerate(fitting):
        found = arrays[fold.name]
        median[fold.outer], spread[fold.outer], place[fold.outer] = found["median"], found["spread"], number
    return HeldOut(median_ms=median, log_std=spread, fold=place) if fitting else None


def _figures(dataset: LatencyDataset, held_out: HeldOut, families: Sequence[str] | None) -> dict[str, Any]:
    judged, targets = held_out.rows, np.array(_target_names(dataset))

    def figures(rows: Rows) -> dict[str, Any]:
        found = report(dataset.latency_ms[rows], held_out.prediction(rows))
        names = dict.fromkeys(targets[rows].tolist())
        if len(names) > 1:
            each = [figures(rows[targets[rows] == name]) for name in names]
            found |= {name: _mean([one[name] for one in each]) for name in RANKS}
        return found

    def by(names: Sequence[str]) -> dict[str, Any]:
        labels = np.array(names)[judged]
        return {name: figures(judged[labels == name]) for name in dict.fromkeys(labels.tolist())}

    folds = [figures(judged[held_out.fold[judged] == number]) for number in np.unique(held_out.fold[judged])]
    found: dict[str, Any] = {"cross_validation": {**figures(judged), "folds": len(folds), "spread": _spread(folds)}}
    found["targets"] = by(_target_names(dataset))
    if families is not None:
        found["families"] = by(families)
    return found


def _mean(values: Sequence[float | None]) -> float | None:
    """The mean of the figures that there are."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _spread(folds: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Standard deviation over the folds of those figures that every fold has; nothing for a single fold."""
    values = {name: [fold[name] for fold in folds] for name in SPREAD_OF}
    return {name: float(np.std(each, ddof=1)) for name, each in values.items() if len(each) > 1 and None not in each}


def _groups(plan: Plan, dataset: LatencyDataset) -> list[str]:
    return row_keys(dataset) if plan.groups is None else list(plan.groups)


def _target_names(dataset: LatencyDataset) -> list[str]:
    names = [""] * len(dataset)
    for target_id, rows in dataset.targets().items():
        for row in rows:
            names[row] = target_id
    return names


def _target_folds(plan: Plan, dataset: LatencyDataset) -> int:
    count = len(dataset.targets())
    return min(plan.target_folds, count) if plan.target_folds > 1 and count >= FEWEST_TARGETS else 0

"""Training a predictor of any kind, with figures of how good it is."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np

from latcast.schema import InputError
from predictors.base import LatencyDataset, Prediction, Predictor, Progress, Provenance
from predictors.data.splits import dataset_digest, group_folds, row_keys
from predictors.evaluation.metrics import report
from predictors.registry import predictor_class

__all__ = ["cross_validate", "train"]


def train(
    kind: str,
    dataset: LatencyDataset,
    *,
    hyperparameters: Mapping[str, Any] | None = None,
    seed: int = 0,
    folds: int = 5,
    groups: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Predictor:
    """A predictor fitted on all rows, whose `provenance_` says how good it is on rows that it did not see.

    The metrics are `cross_validation` (see `predictors.evaluation.metrics.report`; over all targets, and by target
    under `targets`), `fit_s`, `rows`, and the number of networks. They travel in the artifact.

    Args:
        kind: as registered in `latcast.predictors`.
        dataset: to learn from.
        hyperparameters: of the predictor's constructor, the seed apart.
        seed: of the predictor and of the folds.
        folds: of the cross-validation; fewer than two leave it out.
        groups: of each row, never split between folds; by default what the row is of.
        progress: told of the share done.

    Raises:
        UnknownNameError: no such kind.
        InputError: hyperparameters that the kind does not have, or rows it cannot learn from.
    """
    settings = dict(hyperparameters or {})
    _construct(kind, settings, seed)
    rounds = folds + 1 if folds > 1 else 1
    metrics: dict[str, Any] = {"rows": len(dataset), "networks": len(set(row_keys(dataset)))}
    if folds > 1:
        part = _within(progress, 0.0, folds / rounds)
        metrics |= cross_validate(kind, dataset, settings, seed=seed, folds=folds, groups=groups, progress=part)
    started = perf_counter()
    predictor = _construct(kind, settings, seed).fit(dataset, progress=_within(progress, (rounds - 1) / rounds, 1.0))
    metrics["fit_s"] = round(perf_counter() - started, 3)
    predictor.provenance_ = Provenance(dataset_digest=dataset_digest(dataset), metrics=metrics)
    return predictor


def cross_validate(
    kind: str,
    dataset: LatencyDataset,
    hyperparameters: Mapping[str, Any],
    *,
    seed: int = 0,
    folds: int = 5,
    groups: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Figures over rows whose network the predictor did not see: `cross_validation`, and `targets` by target id.

    The arguments are those of `train`. Data of a single network cannot be split and yield no figures.
    """
    keys = row_keys(dataset) if groups is None else list(groups)
    median, spread = np.empty(len(dataset)), np.full(len(dataset), np.nan)
    splits = list(group_folds(keys, folds, seed=seed))
    for number, (inner, outer) in enumerate(splits):
        part = _within(progress, number / len(splits), (number + 1) / len(splits))
        predictor = _construct(kind, hyperparameters, seed).fit(dataset.subset(inner), progress=part)
        prediction = predictor.predict([dataset.queries[i] for i in outer])
        median[outer] = prediction.median_ms
        if prediction.log_std is not None:
            spread[outer] = prediction.log_std * prediction.tail_scale
    if not splits:
        return {}
    whole = Prediction(median_ms=median, log_std=None if np.isnan(spread).any() else spread)
    by_target = {name: report(dataset.latency_ms[rows], _rows(whole, rows)) for name, rows in dataset.targets().items()}
    return {"cross_validation": report(dataset.latency_ms, whole), "targets": by_target}


def _rows(prediction: Prediction, rows: Sequence[int]) -> Prediction:
    spread = prediction.log_std
    return replace(prediction, median_ms=prediction.median_ms[rows], log_std=None if spread is None else spread[rows])


def _construct(kind: str, hyperparameters: Mapping[str, Any], seed: int) -> Predictor:
    cls = predictor_class(kind)
    try:
        return cls(seed=seed, **hyperparameters)
    except TypeError as error:
        known = ", ".join(sorted(set(cls(seed=seed).hyperparameters()) - {"seed"})) or "none"
        raise InputError(f"Unknown hyperparameters for {kind!r} ({error}); it has {known}.") from error


def _within(progress: Progress | None, low: float, high: float) -> Progress | None:
    """Progress of a part as progress of the whole."""
    if progress is None:
        return None
    return lambda share, what: progress(low + share * (high - low), what)

"""Training a predictor of any kind, with held-out figures by cross-validation."""

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
    """A predictor fitted on all rows, whose `provenance_` has the figures of a cross-validation on held-out rows.

    The metrics are `cross_validation` (see `predictors.evaluation.metrics.report`; over all targets, and by target
    under `targets`), `fit_s`, `rows`, and the number of networks. They travel in the artifact.

    Args:
        kind: kind of the predictor, as registered in `latcast.predictors`.
        dataset: rows of the training set.
        hyperparameters: arguments of the predictor's constructor without the seed.
        seed: seed of the predictor and of the folds.
        folds: number of folds of the cross-validation; fewer than two leave it out.
        groups: group of each row, which is never split between folds; by default the key of its network.
        progress: called with the share that is done.

    Raises:
        UnknownNameError: the kind is not registered.
        ImportError: a library that the kind needs is not installed.
        InputError: the kind lacks one of the hyperparameters, or cannot learn from the rows.
        MissingEvidenceError: the kind needs evidence that the data set lacks for one of its targets.
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
    """Figures over held-out rows, by networks: `cross_validation` over all targets, and `targets` by target id.

    The arguments and the errors are those of `train`. Data of a single network cannot be split and yield no figures.
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
        accepted = ", ".join(sorted(set(cls(seed=seed).hyperparameters()) - {"seed"})) or "none"
        raise InputError(f"Unknown hyperparameters for {kind!r} ({error}); it has {accepted}.") from error


def _within(progress: Progress | None, low: float, high: float) -> Progress | None:
    """A function that reports the progress of a part as progress of the whole."""
    if progress is None:
        return None
    return lambda share, what: progress(low + share * (high - low), what)

"""Figures of one adapted predictor on one target, and their summary over seeds and targets."""

import math
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any

import numpy as np

from latcast.schema import Target
from predictors.base import LatencyDataset, Prediction, Predictor
from predictors.evaluation.metrics import interval_coverage, kendall, mape, median_ape, spearman, within
from predictors.evaluation.nas.protocol import Split

__all__ = ["METRICS", "Figures", "score", "summarise"]

METRICS = (
    "spearman", "kendall", "median_ape", "mape", "within_5", "within_10", "coverage_90", "interval_width_90",
    "adapt_ms", "predict_per_s",
)  # fmt: skip
"""Errors, shares and coverage are fractions 0–1; `interval_width_90` is (high − low) / median."""

Figures = dict[str, float | None]

_TIMED_ROWS = 1000


def score(predictor: Predictor, target: Target, split: Split) -> Figures:
    """Figures of a predictor that is adapted to a target and forecasts it; timings are of this process.

    Args:
        predictor: predictor that is fitted on other targets.
        target: target to adapt to.
        split: rows of the target.

    Raises:
        LatcastError: the predictor cannot be adapted to the support, or cannot forecast the rows.
    """
    begin = perf_counter()
    adapted = predictor
    if predictor.capabilities.adaptable:
        adapted = predictor.adapt(target, split.support, split.evidence)
    adapt_ms = (perf_counter() - begin) * 1000
    prediction = adapted.predict(split.test.queries)
    figures = _accuracy(split.test, prediction)
    return figures | {"adapt_ms": adapt_ms, "predict_per_s": _predictions_per_s(adapted, split.test)}


def summarise(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Mean and standard deviation over seeds, by target and over the targets.

    Args:
        rows: a mapping for each device and seed: `device`, `seed` and the figures.

    Returns:
        `targets`: device → metric → {"mean", "std"}, or None where no row has the figure; `mean`: the same for each
        seed's mean over the targets.
    """
    devices = list(dict.fromkeys(row["device"] for row in rows))
    by_device = {device: [row for row in rows if row["device"] == device] for device in devices}
    seeds = sorted({row["seed"] for row in rows})
    by_seed = [_mean_row([row for row in rows if row["seed"] == seed]) for seed in seeds]
    return {"targets": {device: _spread(part) for device, part in by_device.items()}, "mean": _spread(by_seed)}


def _accuracy(test: LatencyDataset, prediction: Prediction) -> Figures:
    measured, median = test.latency_ms, prediction.median_ms
    figures: Figures = {
        "spearman": spearman(measured, median),
        "kendall": kendall(measured, median),
        "median_ape": median_ape(measured, median),
        "mape": mape(measured, median),
        "within_5": within(measured, median, 0.05),
        "within_10": within(measured, median, 0.10),
        "coverage_90": None,
        "interval_width_90": None,
    }
    if prediction.log_std is not None:
        low, high = prediction.interval_ms(0.9)
        figures["coverage_90"] = interval_coverage(measured, low, high)
        figures["interval_width_90"] = float(np.median((high - low) / median))
    return {name: None if value is not None and math.isnan(value) else value for name, value in figures.items()}


def _predictions_per_s(adapted: Predictor, test: LatencyDataset) -> float:
    """Forecasts per second of a predictor that has forecast the architectures before, as in a search."""
    queries = test.queries[:_TIMED_ROWS]
    begin = perf_counter()
    adapted.predict(queries)
    return len(queries) / (perf_counter() - begin)


def _mean_row(rows: Sequence[Mapping[str, Any]]) -> Figures:
    return {metric: _mean([row[metric] for row in rows]) for metric in METRICS}


def _mean(values: Sequence[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return float(np.mean(present)) if present else None


def _spread(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float] | None]:
    summary: dict[str, dict[str, float] | None] = {}
    for metric in METRICS:
        values = [row[metric] for row in rows if row[metric] is not None]
        deviation = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
        summary[metric] = {"mean": _rounded(np.mean(values)), "std": _rounded(deviation)} if values else None
    return summary


def _rounded(value: float | np.floating[Any]) -> float:
    """The value with six significant digits: results are kept beside the code, and more digits are noise."""
    return float(f"{value:.6g}")

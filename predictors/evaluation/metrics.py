"""Metrics of forecasts. Arrays are float64, latencies are in ms, and a figure that does not exist is NaN.

`report` gives all of them as JSON values, with None instead of NaN. Functions of two vectors raise `InputError` where
the vectors differ in length or are not one-dimensional.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import kendalltau, rankdata

from latcast.schema import InputError
from predictors.base import FloatArray, Prediction

__all__ = [
    "absolute_percentage_error",
    "interval_coverage",
    "interval_width",
    "kendall",
    "mape",
    "median_ape",
    "report",
    "spearman",
    "within",
]


def spearman(measured: ArrayLike, predicted: ArrayLike) -> float:
    """Spearman's ρ: Pearson's correlation of the ranks, ties sharing their average rank; NaN for constant input."""
    left, right = _pair(measured, predicted)
    return _pearson(rankdata(left), rankdata(right))


def kendall(measured: ArrayLike, predicted: ArrayLike) -> float:
    """Kendall's τ-b: (concordant − discordant) / √((pairs − ties in x)(pairs − ties in y)); NaN for constant input."""
    left, right = _pair(measured, predicted)
    return float(kendalltau(left, right, variant="b").statistic) if len(left) > 1 else math.nan


def absolute_percentage_error(measured_ms: ArrayLike, predicted_ms: ArrayLike) -> FloatArray:
    """|predicted − measured| / measured of each row, as a share (0.1 is 10 %): float64 (n,)."""
    measured, predicted = _pair(measured_ms, predicted_ms)
    return np.asarray(np.abs(predicted - measured) / measured)


def median_ape(measured_ms: ArrayLike, predicted_ms: ArrayLike) -> float:
    """Median of the absolute percentage error, as a share."""
    return _reduce(np.median, absolute_percentage_error(measured_ms, predicted_ms))


def mape(measured_ms: ArrayLike, predicted_ms: ArrayLike) -> float:
    """Mean of the absolute percentage error, as a share."""
    return _reduce(np.mean, absolute_percentage_error(measured_ms, predicted_ms))


def within(measured_ms: ArrayLike, predicted_ms: ArrayLike, bound: float) -> float:
    """Share of rows whose absolute percentage error is at most `bound` (0.1: the ±10 % accuracy of the literature)."""
    return _reduce(np.mean, absolute_percentage_error(measured_ms, predicted_ms) <= bound)


def interval_coverage(measured_ms: ArrayLike, low_ms: ArrayLike, high_ms: ArrayLike) -> float:
    """Share of rows with low ≤ measured ≤ high."""
    measured, low = _pair(measured_ms, low_ms)
    _, high = _pair(measured_ms, high_ms)
    return _reduce(np.mean, (low <= measured) & (measured <= high))


def interval_width(low_ms: ArrayLike, high_ms: ArrayLike) -> float:
    """Median of high / low, the factor that an interval spans; 1 for a point."""
    low, high = _pair(low_ms, high_ms)
    return _reduce(np.median, high / low)


def report(measured_ms: ArrayLike, prediction: Prediction, *, level: float = 0.9) -> dict[str, Any]:
    """Every figure of one set of forecasts.

    Args:
        measured_ms: measured latencies (n,), positive.
        prediction: forecasts of the same rows.
        level: probability of the intervals that are judged, in (0, 1).

    Returns:
        rows, spearman, kendall, median_ape, mape, within_5, within_10, within_20; for forecasts with an uncertainty
        also interval_level, interval_coverage and interval_width.

    Raises:
        InputError: there are more or fewer forecasts than measured latencies.
    """
    measured, median = _pair(measured_ms, prediction.median_ms)
    figures: dict[str, float] = {
        "spearman": spearman(measured, median),
        "kendall": kendall(measured, median),
        "median_ape": median_ape(measured, median),
        "mape": mape(measured, median),
        "within_5": within(measured, median, 0.05),
        "within_10": within(measured, median, 0.10),
        "within_20": within(measured, median, 0.20),
    }
    if prediction.log_std is not None:
        low, high = prediction.interval_ms(level)
        figures["interval_level"] = level
        figures["interval_coverage"] = interval_coverage(measured, low, high)
        figures["interval_width"] = interval_width(low, high)
    return {"rows": len(measured)} | {name: value if math.isfinite(value) else None for name, value in figures.items()}


def _pair(left: ArrayLike, right: ArrayLike) -> tuple[FloatArray, FloatArray]:
    first, second = np.asarray(left, dtype=np.float64), np.asarray(right, dtype=np.float64)
    if first.ndim != 1 or first.shape != second.shape:
        raise InputError(f"Two vectors of one length are needed, not shapes {first.shape} and {second.shape}.")
    return first, second


def _pearson(left: FloatArray, right: FloatArray) -> float:
    if len(left) < 2:
        return math.nan
    left, right = left - left.mean(), right - right.mean()
    norm = math.sqrt(float(left @ left) * float(right @ right))
    return float(left @ right) / norm if norm > 0 else math.nan


def _reduce(function: Any, values: NDArray[Any] | Sequence[float]) -> float:
    return float(function(values)) if len(values) else math.nan

"""Leave-one-out errors of an adaptation, from the support alone: each network is left out in turn.

An adapted predictor fits the rows of its support, so its errors on them underestimate those on other networks. Each
network is therefore left out, the predictor is adapted to the others, and the network is forecast (Stone,
Cross-validatory choice and assessment of statistical predictions, Journal of the Royal Statistical Society B 36, 1974).
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

import numpy as np

from latcast.schema import DeviceEvidence, InputError, MissingEvidenceError, Target
from predictors.base import FloatArray, LatencyDataset, Predictor
from predictors.data.splits import group_folds, row_keys

__all__ = ["MOST_REFITS", "NARROWEST", "LeftOut", "leave_one_out", "leave_one_out_ape"]

MOST_REFITS = 50
"""Largest number of adaptations, each of which may take half a second; a larger support is left out in parts."""


NARROWEST = 2e-3
"""Standard deviation of log latency below which no forecast is told from another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Forecasts of one predictor for the rows of a support, each adapted to the other rows.

    Args:
        median_ms: float64 (k,); NaN where the others did not suffice.
        width: float64 (k,), standard deviation of log latency with its tails; NaN where none is claimed.
    """

    median_ms: FloatArray
    width: FloatArray

    @classmethod
    def nothing(cls, count: int) -> "LeftOut":
        """Of so many rows, none of which was forecast."""
        return cls(median_ms=np.full(count, np.nan), width=np.full(count, np.nan))

    def errors(self, latency_ms: FloatArray) -> FloatArray:
        """Errors of log latency, float64 (k,)."""
        return np.asarray(np.log(latency_ms / self.median_ms))

    def percentage_errors(self, latency_ms: FloatArray) -> FloatArray:
        """Absolute percentage errors as shares, float64 (k,)."""
        return np.asarray(np.abs(self.median_ms - latency_ms) / latency_ms)

    def widths(self, latency_ms: FloatArray) -> FloatArray:
        """What is expected of the errors, float64 (k,): as claimed, else as large as the errors are together."""
        errors = self.errors(latency_ms)
        usual = np.sqrt(np.nanmean(errors**2)) if np.isfinite(errors).any() else 1.0
        return np.maximum(np.where(np.isfinite(self.width), self.width, usual), NARROWEST)


def leave_one_out_ape(
    base: Predictor,
    target: Target,
    support: LatencyDataset,
    evidence: DeviceEvidence | None = None,
    *,
    most_refits: int = MOST_REFITS,
) -> FloatArray:
    """Absolute percentage error of each row of a support, as forecast by an adaptation to the other networks.

    Rows of one network are left out together. A support of more networks than refits is left out in as many parts.

    Args:
        base: fitted predictor, before its adaptation to the target.
        target: target of the support's rows.
        support: the k rows that the predictor is adapted to.
        evidence: evidence for the adaptation, as for `Predictor.adapt`.
        most_refits: largest number of adaptations.

    Returns:
        Errors as shares (0.1 is 10 %), float64 (k,); NaN where the other rows do not suffice for an adaptation, as for
        a support of one network.

    Raises:
        NotFittedError: the base is not fitted.
    """
    left_out = leave_one_out(base, target, support, evidence, most_refits=most_refits)
    return left_out.percentage_errors(support.latency_ms)


def leave_one_out(
    base: Predictor,
    target: Target,
    support: LatencyDataset,
    evidence: DeviceEvidence | None = None,
    *,
    most_refits: int = MOST_REFITS,
    most_judged: int | None = None,
    suffices: Callable[[LeftOut], bool] | None = None,
) -> LeftOut:
    """The forecasts whose errors `leave_one_out_ape` gives, with their widths; the arguments are the same.

    Args:
        base: as for `leave_one_out_ape`.
        target: as for `leave_one_out_ape`.
        support: as for `leave_one_out_ape`.
        evidence: as for `leave_one_out_ape`.
        most_refits: parts into which the support is divided.
        most_judged: parts that are forecast, at random; the rows of the others are NaN. All where left out.
        suffices: asked after each part whether the forecasts so far are enough; the rest is NaN then.
    """
    left_out = LeftOut.nothing(len(support))
    for others, held_out in islice(group_folds(row_keys(support), most_refits), most_judged):
        try:
            adapted = base.adapt(target, support.subset(others), evidence)
        except (InputError, MissingEvidenceError):
            continue
        forecast = adapted.predict(support.subset(held_out).queries)
        left_out.median_ms[held_out] = forecast.median_ms
        if forecast.log_std is not None:
            left_out.width[held_out] = forecast.log_std * forecast.tail_scale
        if suffices is not None and suffices(left_out):
            break
    return left_out

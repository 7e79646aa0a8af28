"""Several predictors of one target as one: who is believed how far, and what they say together."""

from collections.abc import Sequence

import numpy as np
from scipy.special import softmax
from scipy.stats import norm
from scipy.stats import t as student

from predictors.base import FloatArray, Prediction
from predictors.evaluation.leave_one_out import NARROWEST, LeftOut

__all__ = ["interval_score", "is_hopeless", "mixed_prediction", "stack_weights", "tail_scale"]

_DEGREES = 4.0
"""Degrees of freedom of left-out errors: one outlier must not decide who is believed."""
_RECORD_ROWS = 3.0
"""How many left-out rows the record on other targets is worth."""
_RESAMPLES = 200
_LEAST_JUDGED = 4
"""Rows before which nobody is given up."""
_NEGLIGIBLE, _DECISIVE = 0.02, 0.9
_PRIOR_ERRORS = 10.0
_QUANTILE = 0.95


def stack_weights(left_out: Sequence[LeftOut], latency_ms: FloatArray, records: Sequence[float | None]) -> FloatArray:
    """How far each of several predictors is believed, float64 (m,), summing to one.

    The log density of the left-out rows, averaged over Bayesian bootstraps of the rows (Yao et al., Using stacking to
    average Bayesian predictive distributions, Bayesian Analysis 13, 2018, section 3.4, pseudo-BMA+), beside what each
    one's error on targets of training would give for `_RECORD_ROWS` rows: with few measurements the record decides,
    and a row more or less changes little. A row that somebody has not forecast says nothing about it: it counts as for
    the best of those that have forecast most. Below `_NEGLIGIBLE` nobody is believed; from `_DECISIVE` on, one alone
    is.

    Args:
        left_out: forecasts of each predictor.
        latency_ms: float64 (k,), measured.
        records: median absolute percentage error of each on targets of training, as a share; None where unknown,
            which counts as the worst that is known.
    """
    prior = _RECORD_ROWS * -np.log(_filled(records))
    density = np.array([_log_density(one, latency_ms) for one in left_out]).reshape(len(left_out), len(latency_ms))
    density = _neutral_where_missing(density)
    judged = np.isfinite(density).all(axis=0)
    density = density[:, judged]
    if density.shape[1] == 0:
        return _decided(softmax(prior))
    shares = np.random.default_rng(0).dirichlet(np.ones(density.shape[1]), _RESAMPLES)
    evidence = density.shape[1] * shares @ density.T
    return _decided(softmax(evidence + prior, axis=1).mean(axis=0))


def _neutral_where_missing(density: FloatArray) -> FloatArray:
    """Densities, float64 (m, k), in which rows that one lacks are those of the best of the most complete.

    Who has none at all keeps none.
    """
    known = np.isfinite(density)
    most = known.sum(axis=1)
    totals = np.where(most == most.max(), np.where(known, density, 0.0).sum(axis=1), -np.inf)
    best = density[int(np.argmax(totals))]
    return np.where(known | (most == 0)[:, None], density, best)


def is_hopeless(left_out: LeftOut, rival: LeftOut, latency_ms: FloatArray, records: Sequence[float | None]) -> bool:
    """Whether rows that were judged so far show that `stack_weights` will not believe a predictor beside a rival.

    The rows that are not judged yet count as much against it as those that are, less two standard errors.

    Args:
        left_out: of the predictor, NaN where it was not judged yet.
        rival: of another one, judged on all rows.
        latency_ms: float64 (k,), measured.
        records: of the predictor and of the rival, see `stack_weights`.
    """
    behind = _log_density(rival, latency_ms) - _log_density(left_out, latency_ms)
    behind = behind[np.isfinite(behind)]
    if len(behind) < _LEAST_JUDGED:
        return False
    surely = behind.mean() - 2 * behind.std(ddof=1) / np.sqrt(len(behind))
    own, other = _RECORD_ROWS * -np.log(_filled(records))
    return bool(len(latency_ms) * surely + other - own > -2 * np.log(_NEGLIGIBLE))


def mixed_prediction(parts: Sequence[Prediction], weights: FloatArray, *, scale: float) -> Prediction:
    """The log-normal with the mean and variance of the mixture of log-normals.

    Args:
        parts: forecasts of the same n queries.
        weights: float64 (m,), summing to one.
        scale: by which widths are multiplied, see `tail_scale`; its tails are in it.
    """
    logs = np.log([part.median_ms for part in parts])
    centre = weights @ logs
    apart = weights @ (logs - centre) ** 2
    widths = [part.log_std * part.tail_scale for part in parts if part.log_std is not None]
    if len(widths) < len(parts):
        stated = [weight for part, weight in zip(parts, weights, strict=True) if part.log_std is not None]
        claims = np.array(stated) @ np.square(widths) / sum(stated) if stated else None
    else:
        claims = weights @ np.square(widths)
    spread = None if claims is None else np.sqrt(claims + apart)
    return Prediction(median_ms=np.exp(centre), log_std=spread, tail_scale=scale)


def tail_scale(left_out: Sequence[LeftOut], weights: FloatArray, latency_ms: FloatArray) -> float:
    """By what the mixture's widths are multiplied so that they are as wide as its left-out errors.

    Squared standardised errors update a scaled inverse χ² prior around one; quantiles are Student's over the normal's,
    which the widths have in them already where the predictors state tails of their own (Gelman et al., Bayesian Data
    Analysis, section 3.3).
    """
    errors = np.array([one.errors(latency_ms) for one in left_out])
    widths = np.array([one.widths(latency_ms) for one in left_out])
    centre = weights @ errors
    variance = weights @ (widths**2 + (errors - centre) ** 2)
    squared = (centre**2 / variance)[np.isfinite(centre)]
    freedom = _PRIOR_ERRORS + len(squared)
    widened = np.sqrt((_PRIOR_ERRORS + squared.sum()) / freedom)
    tails = student.ppf(_QUANTILE, freedom) / norm.ppf(_QUANTILE)
    return float(np.clip(widened * tails, 0.5, 4.0))


def interval_score(latency_ms: FloatArray, low_ms: FloatArray, high_ms: FloatArray, level: float = 0.9) -> float:
    """Mean width of intervals of log latency and 2 / (1 − level) times what lies outside of them; less is better.

    Source: Gneiting and Raftery, Strictly proper scoring rules, JASA 102, 2007, section 6.2.
    """
    y, low, high = np.log(latency_ms), np.log(low_ms), np.log(high_ms)
    outside = np.maximum(low - y, 0) + np.maximum(y - high, 0)
    return float(np.nanmean(high - low + 2 / (1 - level) * outside))


def _filled(records: Sequence[float | None]) -> FloatArray:
    known = [max(record, NARROWEST) for record in records if record is not None]
    return np.array([max(known, default=1.0) if record is None else max(record, NARROWEST) for record in records])


def _log_density(left_out: LeftOut, latency_ms: FloatArray) -> FloatArray:
    widths = left_out.widths(latency_ms)
    return np.asarray(student.logpdf(left_out.errors(latency_ms) / widths, _DEGREES) - np.log(widths))


def _decided(weights: FloatArray) -> FloatArray:
    best = int(np.argmax(weights))
    if weights[best] >= _DECISIVE:
        return np.asarray(np.eye(len(weights))[best])
    kept = np.where(weights < _NEGLIGIBLE, 0.0, weights)
    return np.asarray(kept / kept.sum())

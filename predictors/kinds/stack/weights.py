"""Several predictors of one target as one: who is believed how far, and what they say together."""

from collections.abc import Sequence

import numpy as np
from scipy.special import softmax
from scipy.stats import norm
from scipy.stats import t as student

from predictors.base import FloatArray, Prediction
from predictors.evaluation.leave_one_out import NARROWEST, LeftOut

__all__ = [
    "interval_score",
    "is_hopeless",
    "left_out_score",
    "mixed_prediction",
    "stack_weights",
    "tail_scale",
    "together_ms",
]

_DEGREES = 4.0
"""Degrees of freedom of left-out errors: one outlier must not decide who is believed."""
_RECORD_ROWS = 3.0
"""How many left-out rows the record on other targets is worth."""
_RESAMPLES = 200
_LEAST_JUDGED = 4
"""Rows before which nobody is given up, and from which on they speak without the record where others are lacking."""
_NEGLIGIBLE, _DECISIVE = 0.02, 0.9
_HALF = 0.5 - 1e-9
_PRIOR_ERRORS = 10.0
_QUANTILE = 0.95


def stack_weights(left_out: Sequence[LeftOut], latency_ms: FloatArray, records: Sequence[float | None]) -> FloatArray:
    """How far each of several predictors is believed, float64 (m,), summing to one.

    The log density of the left-out rows, averaged over Bayesian bootstraps of the rows (Yao et al., Using stacking to
    average Bayesian predictive distributions, Bayesian Analysis 13, 2018, section 3.4, pseudo-BMA+), beside what each
    one's error on targets of training would give for `_RECORD_ROWS` rows: with few measurements the record decides,
    and a row more or less changes little; of a lead over who has the best record counts what is beyond two
    standard errors. A row that somebody has not forecast counts for all who have; for that one
    it counts as for the leader, less what it is behind by its other rows, or by its record where it has few. Below
    `_NEGLIGIBLE` nobody is believed; from `_DECISIVE` on, one alone is.

    Args:
        left_out: forecasts of each predictor.
        latency_ms: float64 (k,), measured.
        records: median absolute percentage error of each on targets of training, as a share; None where unknown,
            which counts as the worst that is known.
    """
    prior = _RECORD_ROWS * -np.log(_filled(records))
    density = np.array([_log_density(one, latency_ms) for one in left_out]).reshape(len(left_out), len(latency_ms))
    density = _completed(density[:, np.isfinite(density).any(axis=0)], records)
    if density.shape[1] == 0:
        return _decided(softmax(prior))
    shares = np.random.default_rng(0).dirichlet(np.ones(density.shape[1]), _RESAMPLES)
    evidence = density.shape[1] * shares @ density.T - _doubt(density, records)
    return _decided(softmax(evidence + prior, axis=1).mean(axis=0))


def _doubt(density: FloatArray, records: Sequence[float | None]) -> FloatArray:
    """What of each one's lead over the best record, in log density of all rows, may be chance: float64 (m,), 0 or more.

    On devices whose noise decides, twenty rows put a rival ahead that is far behind on others. No record is best where
    all are alike.

    Args:
        density: float64 (m, k), without NaN.
        records: see `stack_weights`.
    """
    filled = _filled(records)
    count = density.shape[1]
    if count < _LEAST_JUDGED or (filled == filled[0]).all():
        return np.zeros(len(filled))
    ahead = density - density[int(np.argmin(filled))]
    return np.asarray(np.clip(ahead.sum(axis=1), 0.0, 2 * count * ahead.std(axis=1, ddof=1) / np.sqrt(count)))


def _completed(density: FloatArray, records: Sequence[float | None]) -> FloatArray:
    """Log densities, float64 (m, k), with a value where one is NaN.

    The leader at a row is the one that forecast most rows of those that forecast this one. Who did not is as far behind
    it there as where both forecast (`_surely_behind`); never ahead of it, as nobody earns belief by rows that it was
    not judged on.

    Args:
        density: NaN where a row was not forecast; every row was by somebody.
        records: see `stack_weights`.
    """
    known = np.isfinite(density)
    if known.all():
        return density
    # Among those that forecast as many rows, the one that forecast them best leads.
    mean = np.where(known, density, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    order = np.lexsort((-mean, -known.sum(axis=1)))
    leader = density[order[np.argmax(known[order], axis=0)], np.arange(density.shape[1])]
    recorded = leader.mean() - _expected_log_density(_filled(records))
    behind = [
        _surely_behind((leader - own)[np.isfinite(own)], worst) for own, worst in zip(density, recorded, strict=True)
    ]
    return np.where(known, density, leader - np.array(behind)[:, None])


def _surely_behind(rows: FloatArray, recorded: float) -> float:
    """How far somebody is behind at rows that it did not forecast, 0 or more.

    Args:
        rows: by how much it is behind at those that it forecast; their mean counts, less two standard errors.
        recorded: by how much it would be if its errors were those of its record, which stands for as many rows as are
            lacking until there are `_LEAST_JUDGED`.
    """
    lacking = _LEAST_JUDGED - len(rows)
    if lacking > 0:
        return max(0.0, float(rows.sum() + lacking * recorded) / _LEAST_JUDGED)
    return max(0.0, float(rows.mean() - 2 * _standard_error(rows)))


def _standard_error(values: FloatArray) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def _expected_log_density(median_ape: FloatArray) -> FloatArray:
    """Mean log density of errors with such a median, under a width that is right for them."""
    widths = np.maximum(median_ape / student.ppf(0.75, _DEGREES), NARROWEST)
    return np.asarray(-student(_DEGREES).entropy() - np.log(widths))


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
    surely = behind.mean() - 2 * _standard_error(behind)
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

    Rows count that those forecast who are believed by half or more together. Squared standardised errors update a
    scaled inverse χ² prior around one; quantiles are Student's over the normal's, which the widths have in them already
    where the predictors state tails of their own (Gelman et al., Bayesian Data Analysis, section 3.3).
    """
    errors = np.array([one.errors(latency_ms) for one in left_out])
    widths = np.array([one.widths(latency_ms) for one in left_out])
    shares = _shares(left_out, weights)
    centre = _mean_of_present(shares, errors)
    variance = _mean_of_present(shares, widths**2 + (errors - centre) ** 2)
    squared = (centre**2 / variance)[np.isfinite(centre)]
    freedom = _PRIOR_ERRORS + len(squared)
    widened = np.sqrt((_PRIOR_ERRORS + squared.sum()) / freedom)
    tails = student.ppf(_QUANTILE, freedom) / norm.ppf(_QUANTILE)
    return float(np.clip(widened * tails, 0.5, 4.0))


def together_ms(left_out: Sequence[LeftOut], weights: FloatArray) -> FloatArray:
    """Median latency in ms of each left-out row as several forecast it together, float64 (k,).

    NaN where those that forecast the row are believed by less than half together.

    Args:
        left_out: forecasts of each of m predictors.
        weights: float64 (m,), summing to one.
    """
    logs = np.log([one.median_ms for one in left_out])
    return np.asarray(np.exp(_mean_of_present(_shares(left_out, weights), logs)))


def _shares(left_out: Sequence[LeftOut], weights: FloatArray) -> FloatArray:
    """Weights of those that forecast each row, float64 (m, k), summing to one.

    NaN where they are believed by less than `_HALF` together: what others say of a row says nothing of the mixture.
    """
    present = np.isfinite([one.median_ms for one in left_out]) * weights[:, None]
    total = present.sum(axis=0)
    return np.asarray(present / np.where(total >= _HALF, total, np.nan))


def _mean_of_present(shares: FloatArray, values: FloatArray) -> FloatArray:
    return np.asarray((shares * np.where(shares > 0, values, 0.0)).sum(axis=0))


def interval_score(latency_ms: FloatArray, low_ms: FloatArray, high_ms: FloatArray, level: float = 0.9) -> float:
    """Mean width of intervals of log latency and 2 / (1 − level) times what lies outside of them; less is better.

    Source: Gneiting and Raftery, Strictly proper scoring rules, JASA 102, 2007, section 6.2.
    """
    y, low, high = np.log(latency_ms), np.log(low_ms), np.log(high_ms)
    outside = np.maximum(low - y, 0) + np.maximum(y - high, 0)
    return float(np.nanmean(high - low + 2 / (1 - level) * outside))


def left_out_score(left_out: LeftOut, latency_ms: FloatArray) -> float | None:
    """`interval_score` of the 90 % intervals of left-out forecasts; None where they claim none."""
    if not np.isfinite(left_out.width).any():
        return None
    width = norm.ppf(_QUANTILE) * left_out.width
    return interval_score(latency_ms, left_out.median_ms * np.exp(-width), left_out.median_ms * np.exp(width))


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

"""One source device: its cost profile, from its own rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from predictors.base import FloatArray
from predictors.inference.conformal import calibrated_scale
from predictors.kinds.universal.cells.marginal_likelihood import JITTER, best_scales

__all__ = ["SourceFit", "fit_source"]

_ROWS = 300
"""Rows that the scales are found on; the profile itself takes all."""

_PASSES = (60, 25)
"""Optimiser's iterations with additive noise, then with multiplicative noise linearised at the first result."""

_LOWEST = 0.2
"""Relative latency below which a fit is not linearised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFit:
    """A source while the prior is fitted; only what the predictor keeps of it outlives that.

    Args:
        design: float64 (n, p), centred features over the fitted relative latency.
        inverse_level: float64 (n,), one over the fitted relative latency.
        observed: float64 (n,), relative latency minus one, linearised at the fit, over the fit.
        log_scales: float64 (f + 2,), of the fixed components, the intercept and the noise.
        profile: float64 (p,), relative cost of each column.
        intercept: by which the relative latency at the centre differs from one.
        scale_ms: mean latency.
        log_std: standard deviation of log latency around the fit for rows that it has not seen.
    """

    design: FloatArray
    inverse_level: FloatArray
    observed: FloatArray
    log_scales: FloatArray
    profile: FloatArray
    intercept: float
    scale_ms: float
    log_std: float


def fit_source(x: FloatArray, latency_ms: FloatArray, components: FloatArray, rng: np.random.Generator) -> SourceFit:
    """Costs by evidence-weighted ridge regression, noise multiplicative.

    Args:
        x: float64 (n, p), centred features.
        latency_ms: float64 (n,).
        components: float64 (f, p, p), fixed ones.
        rng: chooses the rows that scales are found on.
    """
    scale = float(latency_ms.mean())
    y = latency_ms / scale
    rows = rng.permutation(len(y))[:_ROWS]
    level, observed = np.ones_like(y), y - 1
    log_scales = np.log([0.05] * len(components) + [0.1, 0.05])
    for iterations in _PASSES:
        design = _augmented(x, level)
        log_scales = best_scales(_kernels(design[rows], components), observed[rows], log_scales, iterations)
        weights, left_out = _ridge(design, observed, components, log_scales)
        level = np.maximum(1 + x @ weights[:-1] + weights[-1], _LOWEST)
        observed = (level - 1) / level + np.log(y / level)
    return SourceFit(
        design=x / level[:, None],
        inverse_level=1 / level,
        observed=observed,
        log_scales=log_scales,
        profile=weights[:-1],
        intercept=float(weights[-1]),
        scale_ms=scale,
        log_std=max(_spread(left_out), 1e-4),
    )


def _augmented(x: FloatArray, level: FloatArray) -> FloatArray:
    """Features with a column for the intercept, relative to the level: float64 (n, p + 1)."""
    return np.column_stack([x, np.ones(len(x))]) / level[:, None]


def _kernels(design: FloatArray, components: FloatArray) -> FloatArray:
    """Covariance of rows under each component and under the intercept, float64 (f + 1, n, n)."""
    x, one = design[:, :-1], design[:, -1]
    return np.array([*(x @ component @ x.T for component in components), np.outer(one, one)])


def _ridge(
    design: FloatArray, observed: FloatArray, components: FloatArray, log_scales: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Posterior mean of (costs, intercept), float64 (p + 1,), and leave-one-out residuals, float64 (n,)."""
    prior = np.zeros((design.shape[1],) * 2)
    prior[:-1, :-1] = np.tensordot(np.exp(2 * log_scales[: len(components)]), components, axes=1)
    prior[-1, -1] = 1.0
    noise = np.exp(2 * log_scales[-1]) + JITTER
    gain = np.linalg.solve(noise * np.eye(len(prior)) + prior @ (design.T @ design), prior @ design.T)
    weights = gain @ observed
    leverage = np.einsum("np,pn->n", design, gain)
    return weights, (observed - design @ weights) / np.maximum(1 - leverage, 0.05)


def _spread(residuals: Sequence[float] | FloatArray) -> float:
    """Standard deviation whose normal intervals hold nine tenths of the residuals."""
    return calibrated_scale(np.abs(residuals), 0.9)

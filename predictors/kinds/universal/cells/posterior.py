"""One device's cost profile after k measurements, in closed form."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from scipy.stats import t as student

from predictors.artifact import Artifact
from predictors.base import FloatArray
from predictors.kinds.universal.cells.marginal_likelihood import JITTER
from predictors.kinds.universal.cells.prior import DevicePrior, Mixture

__all__ = ["CostProfile", "clock_step", "equally_uncertain", "posterior_of"]

Members = NDArray[np.intp]

_STEPS = 3
"""Gauss-Newton steps; each is an exact Gaussian posterior."""

_LOWEST = 0.15
"""Relative latency below which nothing is linearised."""

_NEGLIGIBLE = 1e-3
"""Weight of a member that is left out."""

_QUANTILE = 0.95
"""Upper end of the central interval that the tails are fitted at."""

_PRIOR_ERRORS = 10.0
"""How many left-out errors the belief that the model's variances are right is worth."""

_CHUNK = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class CostProfile:
    """One device's costs: relative latency is 1 + x·w + b with (w, b) ~ N(mean, covariance), its noise multiplicative.

    Args:
        scale_ms: by which relative latency is multiplied.
        mean: float64 (p + 1,).
        covariance: float64 (p + 1, p + 1).
        noise: variance of one measurement's logarithm.
        rounding: variance that the clock's step adds, relative.
        tail_scale: see `predictors.base.Prediction`.
    """

    scale_ms: float
    mean: FloatArray
    covariance: FloatArray
    noise: float
    rounding: float
    tail_scale: float

    def forecast(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Median in ms and standard deviation of log latency, float64 (n,) each, of centred features (n, p)."""
        level, spread = np.empty(len(x)), np.empty(len(x))
        for start in range(0, len(x), _CHUNK):
            part = slice(start, start + _CHUNK)
            rows = np.column_stack([x[part], np.ones(len(x[part]))])
            level[part] = 1 + rows @ self.mean
            spread[part] = np.einsum("np,np->n", rows @ self.covariance, rows)
        spread = np.maximum(spread, 0.0) + self.rounding
        # Far from the data a profile can dip below zero; latency cannot. A soft floor keeps the order of architectures.
        positive = np.where(level > 0.1, level, 0.1 * np.exp(np.clip(level, -1.0, 0.1) / 0.1 - 1))
        return self.scale_ms * positive, np.sqrt(spread / np.maximum(level, 0.1) ** 2 + self.noise)

    def to_arrays(self, prefix: str) -> dict[str, NDArray[np.float64]]:
        """Arrays for an artifact."""
        scalars = [self.scale_ms, self.noise, self.rounding, self.tail_scale]
        arrays = {"mean": self.mean, "covariance": self.covariance, "scalars": np.array(scalars)}
        return {f"{prefix}{name}": array for name, array in arrays.items()}

    @classmethod
    def from_artifact(cls, artifact: Artifact, prefix: str) -> Self:
        """The profile whose `to_arrays` went into the artifact.

        Raises:
            ArtifactError: arrays are missing, or have other dimensions.
        """
        scale, noise, rounding, tail = (float(value) for value in artifact.array(f"{prefix}scalars", ndim=1))
        return cls(
            scale_ms=scale,
            mean=artifact.array(f"{prefix}mean", ndim=1),
            covariance=artifact.array(f"{prefix}covariance", ndim=2),
            noise=noise,
            rounding=rounding,
            tail_scale=tail,
        )


def clock_step(latency_ms: FloatArray) -> float:
    """The clock's step where all values are multiples of their smallest difference (whole-ms phones), else 0."""
    steps = np.diff(np.unique(latency_ms))
    if len(steps) == 0 or len(latency_ms) < 4:
        return 0.0
    ratio = latency_ms / steps.min()
    return float(steps.min()) if np.allclose(ratio, np.round(ratio), atol=1e-6) else 0.0


def posterior_of(
    prior: DevicePrior, mixture: Mixture, x: FloatArray, latency_ms: FloatArray, *, intercept: float, tail: float
) -> CostProfile:
    """The cost profile of one device, given measurements.

    Each member's posterior is exact; the members are weighed by their marginal likelihood. The scale comes from the
    ratios of the measurements to the mean profile, since a design's mean is not the space's.

    Args:
        prior: of the sources.
        mixture: its members.
        x: float64 (k, p), centred features of the measured architectures.
        latency_ms: float64 (k,), k ≥ 1.
        intercept: standard deviation of b.
        tail: degrees of freedom of a measurement's noise.
    """
    problem = _problem(prior, mixture, x, latency_ms, intercept)
    state, kept = _linearised(problem, tail).kept()
    return _collected(prior, problem.part(kept), state)


def equally_uncertain(
    posterior: CostProfile,
    given: Callable[[FloatArray, FloatArray], CostProfile],
    x: FloatArray,
    latency_ms: FloatArray,
) -> CostProfile:
    """The same forecasts, all with one variance: the errors of measurements that are left out in turn.

    Args:
        posterior: given all measurements.
        given: the posterior given features and latencies.
        x: float64 (k, p), centred features of the measured architectures.
        latency_ms: float64 (k,); a single one leaves the posterior as it is.
    """
    count = len(latency_ms)
    if count < 2:
        return posterior
    others = [np.arange(count) != row for row in range(count)]
    medians = [float(given(x[rest], latency_ms[rest]).forecast(x[~rest])[0][0]) for rest in others]
    return replace(
        posterior,
        covariance=np.zeros_like(posterior.covariance),
        noise=float(np.mean(np.log(latency_ms / np.array(medians)) ** 2)),
        rounding=0.0,
        tail_scale=float(student.ppf(_QUANTILE, count) / norm.ppf(_QUANTILE)),
    )


@dataclass(frozen=True, slots=True)
class _Problem:
    """What the members see of the measurements.

    Args:
        scale_ms: of relative latency.
        mean: float64 (k,), prior mean of relative latency.
        observed: float64 (k,), relative latency.
        rounding: variance of the clock, relative.
        cross: float64 (c + 1, k, p + 1), covariance of rows with (w, b) under each component and the intercept.
        variances: float64 (m, c + 1), of these.
        noise: float64 (m,), variance of log noise.
        rows: float64 (k, p + 1), centred features with a one for the intercept.
    """

    scale_ms: float
    mean: FloatArray
    observed: FloatArray
    rounding: float
    cross: FloatArray
    variances: FloatArray
    noise: FloatArray
    rows: FloatArray

    def part(self, members: Members) -> "_Problem":
        """The problem with these members only."""
        return replace(self, variances=self.variances[members], noise=self.noise[members])


@dataclass(frozen=True, slots=True)
class _State:
    """Members' weights (m,), K⁻¹·residual (m, k), K⁻¹ (m, k, k), and squared standardised errors (k,) of each
    measurement as the others forecast it.
    """

    weights: FloatArray
    alpha: FloatArray
    inverse: FloatArray
    left_out: FloatArray

    def kept(self) -> "tuple[_State, Members]":
        """The state without negligible members, and the indices of the others."""
        members = np.flatnonzero(self.weights > _NEGLIGIBLE * self.weights.max())
        weights = self.weights[members] / self.weights[members].sum()
        return _State(weights, self.alpha[members], self.inverse[members], self.left_out), members


def _problem(prior: DevicePrior, mixture: Mixture, x: FloatArray, latency_ms: FloatArray, intercept: float) -> _Problem:
    mean = 1 + x @ prior.mean
    scale = float(np.exp(np.log(latency_ms / np.maximum(mean, _LOWEST)).mean()))
    cross = np.zeros((len(prior.components) + 1, len(x), x.shape[1] + 1))
    cross[:-1, :, :-1] = x @ prior.components
    cross[-1, :, -1] = 1.0
    return _Problem(
        scale_ms=scale,
        mean=mean,
        observed=latency_ms / scale,
        rounding=(clock_step(latency_ms) / scale) ** 2 / 12,
        cross=cross,
        variances=np.column_stack([mixture.variances, np.full(len(mixture.noise), intercept**2)]),
        noise=mixture.noise,
        rows=np.column_stack([x, np.ones(len(x))]),
    )


def _linearised(problem: _Problem, tail: float) -> _State:
    """Gauss-Newton on log latency for all members at once.

    Measurements get t weights (Lange, Little and Taylor, JASA 84, 1989, section 3) from leave-one-out residuals,
    which the members' average gives, so that an outlier is trusted less under all of them.
    """
    mean, y = problem.mean, problem.observed
    kernels = np.einsum("ckp,jp->ckj", problem.cross, problem.rows, optimize=True)
    base = np.einsum("mc,cij->mij", problem.variances, kernels, optimize=True)
    level, trust = np.ones_like(y), np.ones_like(y)
    for _ in range(1 + _STEPS):
        residual = level * (1 + np.log(y / level)) - mean
        plain = problem.noise[:, None] * level**2
        diagonal = plain / trust + problem.rounding + JITTER
        matrix = base + diagonal[:, :, None] * np.eye(len(y))
        inverse = np.linalg.inv(matrix)
        alpha = inverse @ residual
        evidence = -0.5 * (alpha @ residual + np.linalg.slogdet(matrix)[1])
        weights = np.exp(evidence - evidence.max())
        weights /= weights.sum()
        level = np.maximum(mean + weights @ np.einsum("mij,mj->mi", base, alpha), _LOWEST)
        precision = np.einsum("mii->mi", inverse)
        squared = (alpha / precision) ** 2
        untrusting = weights @ (squared / np.maximum(1 / precision + plain - plain / trust, JITTER))
        trust = (tail + 1) / (tail + weights @ (squared * precision))
    return _State(weights, alpha, inverse, untrusting)


def _collected(prior: DevicePrior, problem: _Problem, state: _State) -> CostProfile:
    """Moments of the mixture of posteriors: one mean and one covariance are all that a forecast needs."""
    weights, variances = state.weights, problem.variances
    gain = np.einsum("mc,ckp->mkp", variances, problem.cross, optimize=True)
    means = np.einsum("mkp,mk->mp", gain, state.alpha)
    mean = weights @ means
    away = means - mean
    covariance = _prior_covariance(prior.components, weights @ variances)
    covariance -= np.tensordot(weights[:, None, None] * (state.inverse @ gain), gain, axes=([0, 1], [0, 1]))
    covariance += (away * weights[:, None]).T @ away
    mean[:-1] += prior.mean
    return CostProfile(
        scale_ms=problem.scale_ms,
        mean=mean,
        covariance=covariance,
        noise=float(weights @ problem.noise),
        rounding=problem.rounding,
        tail_scale=_tail_scale(state.left_out),
    )


def _prior_covariance(components: FloatArray, variances: FloatArray) -> FloatArray:
    covariance = np.zeros((components.shape[1] + 1,) * 2)
    covariance[:-1, :-1] = np.tensordot(variances[:-1], components, axes=1)
    covariance[-1, -1] = variances[-1]
    return covariance


def _tail_scale(left_out: FloatArray) -> float:
    """How wide intervals are, by how far each measurement lay from what the others forecast.

    Squared standardised errors that the model expects to be one on average update a scaled inverse χ² prior around one;
    the predictive distribution is Student's (Gelman et al., Bayesian Data Analysis, section 3.3).

    Args:
        left_out: float64 (k,).
    """
    freedom = _PRIOR_ERRORS + len(left_out)
    scale = np.sqrt((_PRIOR_ERRORS + left_out.sum()) / freedom)
    return float(scale * student.ppf(_QUANTILE, freedom) / norm.ppf(_QUANTILE))

"""Averages over several Gaussian posteriors, each by how well it forecasts every row from the others."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from predictors.base import FloatArray
from predictors.inference.random_effects import DEGREES, TargetEffects

__all__ = ["Member", "mixed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One posterior of several, and how it forecasts k rows, each from the others.

    Args:
        effects: the posterior.
        error: float64 (k,), of log latency.
        variance: float64 (k,), that it expects of it.
    """

    effects: TargetEffects
    error: FloatArray
    variance: FloatArray

    @property
    def log_density(self) -> float:
        """Log density of the rows, each given the others: Student-t, up to a constant."""
        scaled = 1 + self.error**2 / self.variance / DEGREES
        return float(-0.5 * ((DEGREES + 1) * np.log(scaled) + np.log(self.variance)).sum())


def mixed(members: Sequence[Member]) -> tuple[TargetEffects, FloatArray]:
    """The Gaussian with the mixture's mean and covariance, and scores of its rows.

    Members are stacked by their predictive density of left-out rows (Yao et al., Using stacking to average Bayesian
    predictive distributions, Bayesian Analysis 13, 2018, section 3.4, pseudo-BMA).

    Returns:
        The effects, and |error| / expected standard deviation of each row, as the mixture forecasts it, float64 (k,).
    """
    shares = _softmax(np.array([member.log_density for member in members]))
    return _moments(shares, [member.effects for member in members]), _scores(shares, members)


def _softmax(values: FloatArray) -> FloatArray:
    shares = np.exp(values - values.max())
    return np.asarray(shares / shares.sum())


def _moments(shares: FloatArray, members: Sequence[TargetEffects]) -> TargetEffects:
    means, covariances = np.array([one.mean for one in members]), np.array([one.covariance for one in members])
    mean = shares @ means
    away = means - mean
    covariance = np.einsum("s,sij->ij", shares, covariances) + np.einsum("s,si,sj->ij", shares, away, away)
    return TargetEffects(mean=mean, covariance=covariance)


def _scores(shares: FloatArray, members: Sequence[Member]) -> FloatArray:
    errors, variances = (np.array([getattr(one, name) for one in members]) for name in ("error", "variance"))
    error = shares @ errors
    return np.asarray(np.abs(error) / np.sqrt(shares @ (variances + (errors - error) ** 2)))

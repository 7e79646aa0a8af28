"""Random effects: what varies between targets, learned from many of them and conditioned on the rows of one.

A target's effects u ~ N(μ, Σ) enter the log latencies of its rows, which are linear in u or nearly so, with Student-t
noise: a few measurements are far off and must not move the rest. Linearised rows give a Gaussian posterior in closed
form; those that are only nearly linear are linearised anew at each step (Gauss–Newton), and the noise's tails weigh
rows anew at each step (Lange, Little and Taylor, Robust statistical modeling using the t distribution, JASA 84, 1989).
μ and Σ come from the targets of training by expectation maximisation (Gelman et al., Bayesian Data Analysis, 3rd ed.,
chapters 15 and 17), from a first guess that counts for a few targets: with one target, the guess decides.

Intervals are calibrated by held-out rows of training, and by what a new target's rows are when left out in turn; these
weigh more the more there are.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf, dpotrs

from latcast.schema import ArtifactError, TargetId
from predictors.artifact import Artifact
from predictors.base import FloatArray
from predictors.inference.conformal import calibrated_scale, minimum_scores

__all__ = ["DEGREES", "GroupedRows", "Prior", "RandomEffects", "Rows", "TargetEffects", "fit_effects", "news_of_like"]

DEGREES = 4.0
"""Degrees of freedom of the Student-t noise."""

_GUESS_TARGETS = 3.0
"""Number of targets that the first guess of Σ counts for."""

_LEVEL = 0.9
"""Level of the intervals that calibration makes right; others follow in proportion."""

_PRIOR_SCORES = 4
"""Number of rows that training's scores count for beside a new target's own, where these are enough alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetEffects:
    """The effects of one target, as a Gaussian.

    Args:
        mean: float64 (d,).
        covariance: float64 (d, d).
        tail_scale: calibrated factor on the predictive standard deviation.
    """

    mean: FloatArray
    covariance: FloatArray
    tail_scale: float = 1.0

    def variance(self, x: FloatArray) -> FloatArray:
        """Variance of x·u, float64 (n, d) → (n,)."""
        return np.asarray(((x @ self.covariance) * x).sum(axis=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """n rows of one target, linearised at some effects: log latency minus its forecast there, and the gradient.

    Args:
        design: float64 (n, d), gradient of log latency with respect to the effects.
        residual: float64 (n,).
        variance: float64 (n,), squared scale of the noise.
        news: float64 (n,), part of its information that a row adds to that of others like it; None where all of it.
    """

    design: FloatArray
    residual: FloatArray
    variance: FloatArray
    news: FloatArray | None = None

    def weights(self, squared: FloatArray | None = None) -> FloatArray:
        """Precision of each row, float64 (n,), given its squared residual (or what is expected of it)."""
        squared = self.residual**2 if squared is None else squared
        precision = (DEGREES + 1) / (DEGREES + squared / self.variance) / self.variance
        return np.asarray(precision if self.news is None else precision * self.news)


def news_of_like(groups: NDArray[np.int64], correlation: float) -> FloatArray:
    """Part of its information that each row adds to the others of its group, float64 (n,).

    The noise of m rows of one group is correlated, so that they say as much as m / (1 + (m − 1)·ρ) rows that are
    independent (the design effect: Kish, Survey Sampling, 1965, section 5.4).

    Args:
        groups: int64 (n,), of each row.
        correlation: ρ, of the noise of two rows of a group.
    """
    _, place, count = np.unique(groups, return_inverse=True, return_counts=True)
    return np.asarray(1 / (1 + (count[place] - 1) * correlation))


class Prior:
    """N(mean, covariance), to be conditioned on rows any number of times.

    Args:
        mean: float64 (d,).
        covariance: float64 (d, d), positive definite.
    """

    def __init__(self, mean: FloatArray, covariance: FloatArray) -> None:
        self.mean = mean
        self.precision = _inverse(covariance)

    def given(self, precision: FloatArray, response: FloatArray) -> TargetEffects:
        """The posterior, given XᵀWX, float64 (d, d), and XᵀWy, float64 (d,), with y relative to the prior's mean."""
        covariance = _inverse(self.precision + precision)
        return TargetEffects(mean=self.mean + covariance @ response, covariance=covariance)


def fit_effects(
    prior: Prior, rows_at: Callable[[FloatArray], Rows], *, steps: int, averaged: bool = False
) -> tuple[TargetEffects, Rows, FloatArray]:
    """The posterior of a target's effects.

    Args:
        prior: where the effects may be.
        rows_at: linearises the target's rows at effects, float64 (d,).
        steps: how often rows are linearised and weighed.
        averaged: rows are weighed by their expected squared residuals under the posterior, all alike at first, as
            expectation maximisation asks; otherwise by the residuals at its mean.

    Returns:
        The posterior, the rows linearised at its mean, and their weights there, float64 (n,).
    """
    effects, rows = None, rows_at(prior.mean)
    weights = 1 / rows.variance if averaged else rows.weights()
    for _ in range(steps):
        offset = np.zeros_like(prior.mean) if effects is None else effects.mean - prior.mean
        weighted = rows.design * weights[:, None]
        effects = prior.given(weighted.T @ rows.design, weighted.T @ (rows.residual + rows.design @ offset))
        rows = rows_at(effects.mean)
        weights = rows.weights(rows.residual**2 + effects.variance(rows.design) if averaged else None)
    assert effects is not None  # noqa: S101 - one step at least
    return effects, rows, weights


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupedRows:
    """What g groups of weighted rows say of effects. The first g rows are the ones to forecast, one of each group.

    Args:
        precision: float64 (g, d, d), XᵀWX of each group.
        response: float64 (g, d), XᵀWy of each.
        design: float64 (g, d), of the rows to forecast.
        target: float64 (g,), what these are, relative to the prior's mean.
        variance: float64 (g,), squared scale of their noise.
    """

    precision: FloatArray
    response: FloatArray
    design: FloatArray
    target: FloatArray
    variance: FloatArray

    @classmethod
    def of(cls, rows: Rows, weights: FloatArray, offset: FloatArray, groups: NDArray[np.int64]) -> Self:
        """Grouped rows.

        Args:
            rows: n of them.
            weights: float64 (n,).
            offset: float64 (d,), where the rows are linearised, less the prior's mean.
            groups: int64 (n,), of each row; row i < g is of group i.
        """
        count = int(groups.max()) + 1
        y, weighted = rows.residual + rows.design @ offset, rows.design * weights[:, None]
        members = [groups == group for group in range(count)]
        return cls(
            precision=np.array([weighted[mask].T @ rows.design[mask] for mask in members]),
            response=np.array([weighted[mask].T @ y[mask] for mask in members]),
            design=rows.design[:count],
            target=y[:count],
            variance=rows.variance[:count],
        )

    def posterior(self, prior: Prior) -> TargetEffects:
        """The effects, given all groups."""
        return prior.given(self.precision.sum(axis=0), self.response.sum(axis=0))

    def left_out(self, prior: Prior) -> tuple[FloatArray, FloatArray]:
        """(error, expected variance of it) of the row of each group as the others forecast it, float64 (g,) each.

        What is asked of each posterior is one row's forecast, so one system is solved for it, and nothing inverted.
        """
        precision = prior.precision + self.precision.sum(axis=0) - self.precision
        response = self.response.sum(axis=0) - self.response
        solved = np.linalg.solve(precision, self.design[:, :, None])[:, :, 0]
        forecast, spread = (solved * response).sum(axis=1), (solved * self.design).sum(axis=1)
        return self.target - forecast, spread + self.variance


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomEffects:
    """The distribution of effects over targets, and the effects of targets that were measured.

    Args:
        mean: μ, float64 (d,).
        covariance: Σ, float64 (d, d).
        scores: |residual| / predicted standard deviation of held-out rows of training, ascending, float64 (m,); empty
            until `calibrated`.
        targets: effects by target id.
    """

    mean: FloatArray
    covariance: FloatArray
    scores: FloatArray = field(default_factory=lambda: np.empty(0))
    targets: Mapping[TargetId, TargetEffects] = field(default_factory=dict)

    def of(self, target: TargetId) -> TargetEffects:
        """The effects of a target, or the prior's where it was never measured."""
        effects = self.targets.get(target)
        return effects or TargetEffects(mean=self.mean, covariance=self.covariance, tail_scale=_tail_scale(self.scores))

    def refined(self, targets: Mapping[TargetId, TargetEffects], guess: FloatArray) -> Self:
        """μ and Σ that are most likely given the posteriors of targets, and a guess of Σ, float64 (d, d)."""
        mean = np.asarray(np.mean([one.mean for one in targets.values()], axis=0), dtype=np.float64)
        spread = sum(one.covariance + np.outer(one.mean - mean, one.mean - mean) for one in targets.values())
        covariance = (_GUESS_TARGETS * guess + spread) / (_GUESS_TARGETS + len(targets))
        return replace(self, mean=mean, covariance=covariance, targets=targets)

    def widened(self) -> Self:
        """The same, with the uncertainty of μ added to Σ."""
        return replace(self, covariance=self.covariance * (1 + 1 / len(self.targets)))

    def calibrated(self, scores: FloatArray, by_target: Mapping[TargetId, FloatArray] | None = None) -> Self:
        """The same, with intervals of all targets that hold what they claim for held-out rows of training.

        Args:
            scores: float64 (m,), of these rows.
            by_target: scores that calibrate a target without those of others, for targets with enough of them.
        """
        own = by_target or {}
        tails = {name: _tail_scale(own.get(name, scores)) for name in self.targets}
        targets = {name: replace(one, tail_scale=tails[name]) for name, one in self.targets.items()}
        return replace(self, scores=np.sort(scores), targets=targets)

    def with_target(self, target: TargetId, effects: TargetEffects, scores: FloatArray) -> Self:
        """The same, with one more target; its intervals follow the scores of its k rows when left out, float64 (k,)."""
        tail = _tail_scale(np.concatenate([self._prior_scores(len(scores)), scores]))
        return replace(self, targets={**self.targets, target: replace(effects, tail_scale=tail)})

    def factor(self) -> FloatArray:
        """L with L·Lᵀ = Σ, float64 (d, d): inner products of rows of x·L are prior covariances of x·u."""
        return np.asarray(np.linalg.cholesky(self.covariance), dtype=np.float64)

    def names(self) -> list[TargetId]:
        """Ids of the targets, in the order of the arrays."""
        return sorted(self.targets)

    def to_arrays(self, prefix: str) -> dict[str, NDArray[Any]]:
        """Arrays for an artifact; the targets' ids are its vocabulary, see `names`."""
        states, width = [self.targets[name] for name in self.names()], len(self.mean)
        return {
            f"{prefix}mean": self.mean,
            f"{prefix}covariance": self.covariance,
            f"{prefix}scores": self.scores,
            f"{prefix}target_mean": np.array([one.mean for one in states]).reshape(-1, width),
            f"{prefix}target_covariance": np.array([one.covariance for one in states]).reshape(-1, width, width),
            f"{prefix}target_tail_scale": np.array([one.tail_scale for one in states]),
        }

    @classmethod
    def from_artifact(cls, artifact: Artifact, prefix: str, names: Sequence[TargetId]) -> Self:
        """The effects whose `to_arrays` went into the artifact.

        Args:
            artifact: any predictor's.
            prefix: of the arrays' names.
            names: the targets' ids, as `names` gave them.

        Raises:
            ArtifactError: arrays are missing or do not fit each other.
        """
        means = artifact.array(f"{prefix}target_mean", ndim=2)
        covariances = artifact.array(f"{prefix}target_covariance", ndim=3)
        tails = artifact.array(f"{prefix}target_tail_scale", ndim=1)
        if not (len(names) == len(means) == len(covariances) == len(tails)):
            raise ArtifactError("The artifact's targets and their arrays differ in number: it is corrupt.")
        states = zip(names, means, covariances, tails, strict=True)
        return cls(
            mean=artifact.array(f"{prefix}mean", ndim=1),
            covariance=artifact.array(f"{prefix}covariance", ndim=2),
            scores=artifact.array(f"{prefix}scores", ndim=1),
            targets={name: TargetEffects(mean=m, covariance=c, tail_scale=float(t)) for name, m, c, t in states},
        )

    def _prior_scores(self, rows: int) -> FloatArray:
        """A few scores that stand for training's: enough for a bound together with those of this many rows."""
        count = max(_PRIOR_SCORES, minimum_scores(_LEVEL) - rows)
        return np.quantile(self.scores, (np.arange(count) + 0.5) / count) if len(self.scores) else np.empty(0)


def _tail_scale(scores: FloatArray) -> float:
    return calibrated_scale(scores, _LEVEL) if len(scores) >= minimum_scores(_LEVEL) else 1.0


def _inverse(matrix: FloatArray) -> FloatArray:
    """Inverse of a positive definite matrix, symmetric to the last bit."""
    # LAPACK itself: a fit asks for thousands of small ones, where SciPy's checks take ten times as long as the inverse.
    factor, failed = dpotrf(matrix, clean=0)
    if failed:
        raise np.linalg.LinAlgError("The matrix is not positive definite.")
    inverse, _ = dpotrs(factor, np.eye(len(matrix)))
    return np.asarray((inverse + inverse.T) / 2, dtype=np.float64)

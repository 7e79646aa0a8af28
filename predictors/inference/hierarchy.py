"""Closed-form adaptation: Bayesian linear regression with weights that vary between targets.

Row j of target t is y_j = x_j·w_t + e_j, with w_t ~ N(μ, Σ) over the targets and e_j Student-t with scale σ: a few
measurements are far off and must not move the rest. μ, Σ and σ are learned by expectation maximisation over the
training targets (Gelman et al., Bayesian Data Analysis, 3rd ed., chapters 15 and 17); a new target then has an exact
posterior, given the weights of its rows, from any number of them.

Intervals are calibrated by what was seen: held-out training rows give scores, and the k rows of a new target add their
own leave-one-out scores, which weigh more the more there are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from latcast.schema import ArtifactError, InputError, TargetId
from predictors.artifact import Artifact
from predictors.base import FloatArray, Prediction
from predictors.data.splits import group_folds
from predictors.inference.conformal import calibrated_scale, minimum_scores

__all__ = ["Hierarchy", "Posterior"]

_DEGREES = 4.0
"""Degrees of freedom of the Student-t noise."""

_PRIOR_TARGETS = 3.0
"""Number of targets that the first guess of Σ counts for."""

_PRIOR_SCORES = 4
"""Number of rows that the scores of training count for beside a new target's own, where these are enough alone."""

_LEVEL = 0.9
"""Of the intervals that calibration makes right; others follow in proportion."""

_ROUNDS = 40
"""Of expectation maximisation; the changes are below 1 % by then."""

_NOISE_FLOOR = 1e-3
"""Smallest σ: a tenth of a percent, below what any clock repeats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posterior:
    """Weights of one target.

    Args:
        mean: float64 (d,).
        covariance: float64 (d, d).
        tail_scale: calibrated factor on the predictive standard deviation.
    """

    mean: FloatArray
    covariance: FloatArray
    tail_scale: float = 1.0

    def variance(self, x: FloatArray) -> FloatArray:
        """Variance of x·w, float64 (n, d) → (n,)."""
        return np.asarray(np.einsum("ni,ij,nj->n", x, self.covariance, x))


@dataclass(frozen=True, slots=True, kw_only=True)
class Hierarchy:
    """What varies between targets, and how it came out for those seen.

    Args:
        mean: μ, float64 (d,).
        covariance: Σ, float64 (d, d), with the uncertainty of μ.
        noise: σ.
        scores: |residual| / predicted standard deviation of held-out training rows, float64 (m,); empty until
            `calibrated`.
        targets: posteriors by target.
    """

    mean: FloatArray
    covariance: FloatArray
    noise: float
    scores: FloatArray
    targets: Mapping[TargetId, Posterior]

    @classmethod
    def fit(cls, x: FloatArray, y: FloatArray, targets: Sequence[TargetId], *, scale: Sequence[float]) -> Self:
        """Learn from rows of one or many targets.

        Args:
            x: float64 (n, d); column 0 is one.
            y: float64 (n,), log latency.
            targets: n ids.
            scale: (d,), guess of the standard deviation of each weight between targets.

        Raises:
            InputError: no rows.
        """
        if len(y) == 0:
            raise InputError("There are no rows to learn from.")
        rows = _rows_by_target(targets)
        guess = np.diag(np.square(np.asarray(scale, dtype=np.float64)))
        covariance = guess
        mean, noise = _pooled(x, y, list(rows.values()))
        found: dict[TargetId, Posterior] = {}
        for _ in range(_ROUNDS):
            steps = {name: _posterior(x[part], y[part], mean, covariance, noise) for name, part in rows.items()}
            found = {name: state for name, (state, _) in steps.items()}
            mean = np.mean([state.mean for state in found.values()], axis=0)
            spread = sum((_scatter(state, mean) for state in found.values()), np.zeros_like(guess))
            covariance = (_PRIOR_TARGETS * guess + spread) / (_PRIOR_TARGETS + len(found))
            noise = _noise([(x[rows[name]], y[rows[name]], *step) for name, step in steps.items()])
        widened = covariance * (1 + 1 / len(found))
        return cls(mean=mean, covariance=widened, noise=noise, scores=np.empty(0), targets=found)

    @classmethod
    def fit_calibrated(
        cls,
        x: FloatArray,
        y: FloatArray,
        targets: Sequence[TargetId],
        groups: Sequence[str],
        *,
        scale: Sequence[float],
        folds: int,
        seed: int,
    ) -> Self:
        """`fit`, with the scores of a cross-validation that keeps groups (graphs) together."""
        scores = [np.empty(0)]
        for inner, outer in group_folds(groups, folds, seed=seed):
            model = cls.fit(x[inner], y[inner], [targets[i] for i in inner], scale=scale)
            scores.append(model.scored(x[outer], y[outer], [targets[i] for i in outer]))
        return cls.fit(x, y, targets, scale=scale).calibrated(np.concatenate(scores))

    def posterior(self, target: TargetId) -> Posterior:
        """Of the target, or the prior where it was never seen."""
        prior = Posterior(mean=self.mean, covariance=self.covariance, tail_scale=_tail_scale(self.scores))
        return self.targets.get(target, prior)

    def adapted(self, x: FloatArray, y: FloatArray, target: TargetId) -> Self:
        """With the posterior of one more target, given its rows; self is unchanged.

        Where training has seen the target, what it learned is where the posterior starts from, with the spread
        between targets as its doubt: a machine whose speed has changed since is followed.

        Args:
            x: float64 (k, d).
            y: float64 (k,), log latency.
            target: whose rows these are.
        """
        centre = self.posterior(target).mean
        state, weights = _posterior(x, y, centre, self.covariance, self.noise)
        own = _leave_one_out_scores(x, y - x @ centre, self.covariance, self.noise**2, weights)
        state = replace(state, tail_scale=_tail_scale(np.concatenate([self._prior_scores(len(y)), own])))
        return replace(self, targets={**self.targets, target: state})

    def _prior_scores(self, rows: int) -> FloatArray:
        """A few scores that stand for training's: enough for a bound together with those of this many rows."""
        count = max(_PRIOR_SCORES, minimum_scores(_LEVEL) - rows)
        return np.quantile(self.scores, (np.arange(count) + 0.5) / count) if len(self.scores) else np.empty(0)

    def calibrated(self, scores: FloatArray) -> Self:
        """With the scores of held-out rows of training; every seen target's intervals follow them."""
        scale = _tail_scale(scores)
        targets = {name: replace(state, tail_scale=scale) for name, state in self.targets.items()}
        return replace(self, scores=np.sort(scores), targets=targets)

    def scored(self, x: FloatArray, y: FloatArray, targets: Sequence[TargetId]) -> FloatArray:
        """|residual| / predicted standard deviation of rows, float64 (n,): for `calibrated`, of held-out rows."""
        scores = np.empty(len(y))
        for name, part in _rows_by_target(targets).items():
            state = self.posterior(name)
            scores[part] = np.abs(y[part] - x[part] @ state.mean) / self.log_std(x[part], state)
        return scores

    def log_std(self, x: FloatArray, state: Posterior) -> FloatArray:
        """Predictive standard deviation of log latency, float64 (n,)."""
        return np.sqrt(state.variance(x) + self.noise**2)

    def predict(
        self, x: FloatArray, targets: Sequence[TargetId], *, extra_variance: FloatArray | None = None
    ) -> Prediction:
        """Forecasts for rows of any targets.

        Args:
            x: float64 (n, d).
            targets: n ids.
            extra_variance: float64 (n,), what else the caller doubts, as variance of log latency.
        """
        log_ms, log_std = np.empty(len(x)), np.empty(len(x))
        for name, part in _rows_by_target(targets).items():
            state = self.posterior(name)
            log_ms[part] = x[part] @ state.mean
            log_std[part] = self.log_std(x[part], state) * state.tail_scale
        if extra_variance is not None:
            log_std = np.hypot(log_std, np.sqrt(extra_variance))
        return Prediction(median_ms=np.exp(log_ms), log_std=log_std)

    def features(self, x: FloatArray) -> FloatArray:
        """x·L with L·Lᵀ = Σ, float64 (n, d): inner products are prior covariances of log latency."""
        return np.asarray(x @ np.linalg.cholesky(self.covariance))

    def to_arrays(self) -> dict[str, np.ndarray[Any, Any]]:
        """Arrays for an artifact; the targets' ids are its vocabulary, see `target_names`."""
        states = [self.targets[name] for name in self.target_names()]
        width = len(self.mean)
        return {
            "hierarchy.mean": self.mean,
            "hierarchy.covariance": self.covariance,
            "hierarchy.noise": np.array(self.noise),
            "hierarchy.scores": self.scores,
            "hierarchy.target_mean": np.array([state.mean for state in states]).reshape(-1, width),
            "hierarchy.target_covariance": np.array([state.covariance for state in states]).reshape(-1, width, width),
            "hierarchy.target_tail_scale": np.array([state.tail_scale for state in states]),
        }

    def target_names(self) -> list[TargetId]:
        """Ids of the seen targets, in the order of the arrays."""
        return sorted(self.targets)

    @classmethod
    def from_artifact(cls, artifact: Artifact, names: Sequence[TargetId]) -> Self:
        """The hierarchy whose `to_arrays` went into the artifact.

        Args:
            artifact: any predictor's.
            names: its `target_names`.

        Raises:
            ArtifactError: arrays are missing or do not fit each other.
        """
        mean = artifact.array("hierarchy.mean", ndim=1)
        means = artifact.array("hierarchy.target_mean", ndim=2)
        covariances = artifact.array("hierarchy.target_covariance", ndim=3)
        tails = artifact.array("hierarchy.target_tail_scale", ndim=1)
        if not (len(names) == len(means) == len(covariances) == len(tails)):
            raise ArtifactError("The artifact's targets and their arrays differ in number: it is corrupt.")
        states = zip(names, means, covariances, tails, strict=True)
        return cls(
            mean=mean,
            covariance=artifact.array("hierarchy.covariance", ndim=2),
            noise=float(artifact.array("hierarchy.noise", ndim=0)),
            scores=artifact.array("hierarchy.scores", ndim=1),
            targets={name: Posterior(mean=m, covariance=c, tail_scale=float(t)) for name, m, c, t in states},
        )


def _rows_by_target(targets: Sequence[TargetId]) -> dict[TargetId, np.ndarray[Any, Any]]:
    names, index = np.unique(np.asarray(targets, dtype=str), return_inverse=True)
    return {str(name): np.flatnonzero(index == position) for position, name in enumerate(names)}


def _pooled(x: FloatArray, y: FloatArray, rows: Sequence[np.ndarray[Any, Any]]) -> tuple[FloatArray, float]:
    """Slopes within targets by least squares, the mean level, and the spread of the residuals."""
    inner = np.concatenate([x[part, 1:] - x[part, 1:].mean(axis=0) for part in rows])
    outer = np.concatenate([y[part] - y[part].mean() for part in rows])
    slopes = np.linalg.lstsq(inner, outer, rcond=1e-8)[0]
    level = np.mean([y[part].mean() - x[part, 1:].mean(axis=0) @ slopes for part in rows])
    noise = 1.4826 * float(np.median(np.abs(outer - inner @ slopes)))
    return np.concatenate([[level], slopes]), max(noise, _NOISE_FLOOR)


def _posterior(
    x: FloatArray, y: FloatArray, centre: FloatArray, covariance: FloatArray, noise: float
) -> tuple[Posterior, FloatArray]:
    """Posterior of a target's weights and the weights of its rows, float64 (k,)."""
    residual, weights, precision = y - x @ centre, np.ones(len(y)), np.linalg.inv(covariance)
    shift, spread = np.zeros(len(centre)), covariance
    for _ in range(10):
        spread = np.asarray(np.linalg.inv(precision + (x * weights[:, None]).T @ x / noise**2), dtype=np.float64)
        shift = spread @ (x.T @ (weights * residual)) / noise**2
        weights = _student_weights(x, residual - x @ shift, spread, noise)
    return Posterior(mean=centre + shift, covariance=(spread + spread.T) / 2), weights


def _student_weights(x: FloatArray, residual: FloatArray, spread: FloatArray, noise: float) -> FloatArray:
    squared = residual**2 + np.einsum("ni,ij,nj->n", x, spread, x)
    return np.asarray((_DEGREES + 1) / (_DEGREES + squared / noise**2))


def _scatter(state: Posterior, mean: FloatArray) -> FloatArray:
    return state.covariance + np.outer(state.mean - mean, state.mean - mean)


def _noise(steps: Sequence[tuple[FloatArray, FloatArray, Posterior, FloatArray]]) -> float:
    total = sum(float(u @ ((y - x @ state.mean) ** 2 + state.variance(x))) for x, y, state, u in steps)
    return max(_NOISE_FLOOR, float(np.sqrt(total / sum(len(y) for _, y, _, _ in steps))))


def _leave_one_out_scores(
    x: FloatArray, residual: FloatArray, covariance: FloatArray, variance: float, weights: FloatArray
) -> FloatArray:
    """Normalised leave-one-out residuals (Rasmussen and Williams, Gaussian Processes, equations 5.10–5.12)."""
    doubt = variance / weights
    inverse = np.linalg.inv(x @ covariance @ x.T + np.diag(doubt))
    diagonal = np.diag(inverse)
    fresh = np.maximum(1 / diagonal - doubt + variance, variance)
    return np.abs(inverse @ residual / diagonal) / np.sqrt(fresh)


def _tail_scale(scores: FloatArray) -> float:
    return calibrated_scale(scores, _LEVEL) if len(scores) >= minimum_scores(_LEVEL) else 1.0

"""Log latency that is linear in known features, with weights that vary between targets.

Row j of target t is y_j = x_j·w_t + e_j, with w_t ~ N(μ, Σ) over the targets and e_j Student-t with scale σ: the
model of `predictors.inference.random_effects` with one noise for all rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from latcast.schema import InputError, TargetId
from predictors.artifact import Artifact
from predictors.base import FloatArray, Prediction
from predictors.data.splits import group_folds
from predictors.inference.random_effects import GroupedRows, Prior, RandomEffects, Rows, TargetEffects, fit_effects

__all__ = ["LinearEffects"]

_ROUNDS = 40
"""Rounds of expectation maximisation; the changes are below 1 % by then."""
_STEPS = 10
"""Steps in which the rows of one target find their weights."""
_NOISE_FLOOR = 1e-3
"""Smallest σ: a tenth of a percent, below what any clock repeats."""
_PREFIX = "hierarchy."
"""Beginning of the arrays' names in artifacts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearEffects:
    """What varies between targets, and how it came out for those of training.

    Args:
        effects: of the weights.
        noise: σ.
    """

    effects: RandomEffects
    noise: float

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
        parts = {name: (x[rows], y[rows]) for name, rows in _rows_by_target(targets).items()}
        guess = np.diag(np.square(np.asarray(scale, dtype=np.float64)))
        mean, noise = _pooled(list(parts.values()))
        effects = RandomEffects(mean=mean, covariance=guess)
        for _ in range(_ROUNDS):
            prior = Prior(effects.mean, effects.covariance)
            fits = {name: _fit(prior, *part, noise) for name, part in parts.items()}
            effects = effects.refined({name: state for name, (state, _, _) in fits.items()}, guess)
            noise = _noise(list(fits.values()))
        return cls(effects=effects.widened(), noise=noise)

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

    def adapted(self, x: FloatArray, y: FloatArray, target: TargetId) -> Self:
        """The effects with the posterior of one more target, given its rows; self is unchanged.

        A target of training starts from what training learned of it, with the spread between targets as its
        variance: a machine whose speed has changed since is followed.

        Args:
            x: float64 (k, d).
            y: float64 (k,), log latency.
            target: whose rows these are.
        """
        prior = Prior(self.effects.of(target).mean, self.effects.covariance)
        state, rows, weights = _fit(prior, x, y, self.noise)
        grouped = GroupedRows.of(rows, weights, state.mean - prior.mean, np.arange(len(y)))
        error, variance = grouped.left_out(prior)
        return replace(self, effects=self.effects.with_target(target, state, np.abs(error) / np.sqrt(variance)))

    def calibrated(self, scores: FloatArray) -> Self:
        """The effects with more scores of held-out rows, float64 (m,), which every target's intervals follow."""
        return replace(self, effects=self.effects.calibrated(np.concatenate([self.effects.scores, scores])))

    def scored(self, x: FloatArray, y: FloatArray, targets: Sequence[TargetId]) -> FloatArray:
        """|residual| / predicted standard deviation of rows, float64 (n,): for `calibrated`, of held-out rows."""
        scores = np.empty(len(y))
        for name, rows in _rows_by_target(targets).items():
            state = self.effects.of(name)
            scores[rows] = np.abs(y[rows] - x[rows] @ state.mean) / self._log_std(x[rows], state)
        return scores

    def predict(
        self, x: FloatArray, targets: Sequence[TargetId], *, extra_variance: FloatArray | None = None
    ) -> Prediction:
        """Forecasts for rows of any targets.

        Args:
            x: float64 (n, d).
            targets: n ids.
            extra_variance: float64 (n,), variance of log latency that the caller adds.
        """
        log_ms, log_std = np.empty(len(x)), np.empty(len(x))
        for name, rows in _rows_by_target(targets).items():
            state = self.effects.of(name)
            log_ms[rows] = x[rows] @ state.mean
            log_std[rows] = self._log_std(x[rows], state) * state.tail_scale
        if extra_variance is not None:
            log_std = np.hypot(log_std, np.sqrt(extra_variance))
        return Prediction(median_ms=np.exp(log_ms), log_std=log_std)

    def features(self, x: FloatArray) -> FloatArray:
        """Rows whose inner products are prior covariances of log latency, float64 (n, d)."""
        return np.asarray(x @ self.effects.factor())

    def target_names(self) -> list[TargetId]:
        """Ids of the targets, in the order of the arrays."""
        return self.effects.names()

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Arrays for an artifact; the targets' ids are its vocabulary, see `target_names`."""
        return {**self.effects.to_arrays(_PREFIX), f"{_PREFIX}noise": np.array(self.noise)}

    @classmethod
    def from_artifact(cls, artifact: Artifact, names: Sequence[TargetId]) -> Self:
        """The effects whose `to_arrays` went into the artifact.

        Raises:
            ArtifactError: arrays are missing or do not fit each other.
        """
        noise = float(artifact.array(f"{_PREFIX}noise", ndim=0))
        return cls(effects=RandomEffects.from_artifact(artifact, _PREFIX, names), noise=noise)

    def _log_std(self, x: FloatArray, state: TargetEffects) -> FloatArray:
        return np.sqrt(state.variance(x) + self.noise**2)


def _rows_by_target(targets: Sequence[TargetId]) -> dict[TargetId, NDArray[np.intp]]:
    names, index = np.unique(np.asarray(targets, dtype=str), return_inverse=True)
    return {str(name): np.flatnonzero(index == position) for position, name in enumerate(names)}


def _fit(prior: Prior, x: FloatArray, y: FloatArray, noise: float) -> tuple[TargetEffects, Rows, FloatArray]:
    variance = np.full(len(y), noise**2)

    def rows_at(weights: FloatArray) -> Rows:
        return Rows(design=x, residual=y - x @ weights, variance=variance)

    return fit_effects(prior, rows_at, steps=_STEPS, averaged=True)


def _pooled(parts: Sequence[tuple[FloatArray, FloatArray]]) -> tuple[FloatArray, float]:
    """Slopes within targets by least squares, the mean level, and the spread of the residuals."""
    inner = np.concatenate([x[:, 1:] - x[:, 1:].mean(axis=0) for x, _ in parts])
    outer = np.concatenate([y - y.mean() for _, y in parts])
    slopes = np.linalg.lstsq(inner, outer, rcond=1e-8)[0]
    level = np.mean([y.mean() - x[:, 1:].mean(axis=0) @ slopes for x, y in parts])
    noise = 1.4826 * float(np.median(np.abs(outer - inner @ slopes)))
    return np.concatenate([[level], slopes]), max(noise, _NOISE_FLOOR)


def _noise(fits: Sequence[tuple[TargetEffects, Rows, FloatArray]]) -> float:
    """σ that is most likely given the posteriors: the weighted mean of expected squared residuals."""
    squared = [
        float((weights * rows.variance) @ (rows.residual**2 + state.variance(rows.design)))
        for state, rows, weights in fits
    ]
    return max(_NOISE_FLOOR, float(np.sqrt(sum(squared) / sum(len(weights) for _, _, weights in fits))))

"""What differs between targets: a factor for the machine, one for each kernel class, a few tilts, and their profiler.

Kernel k of a graph takes b_k · exp(x_k·u) on a target, b_k from the shared model, x_k = (1, one-hot class, tilts: for
example the memory's and the launch's share). Log latency of a graph is then nearly linear in u, with the kernels' cost
shares as weights, and so is the log of all its time in one class. A profiler's times are not what kernels take when
nobody looks: each class has a factor of its own in them, which u holds too and latencies do not see. With u ~ N(μ, Σ)
a few measured graphs give a Gaussian posterior in closed form, linearised anew at each step (Gauss–Newton). Residuals
are Student-t (iteratively reweighted). μ and Σ come from the targets of training by expectation maximisation (Gelman et
al., Bayesian Data Analysis, 3rd ed., chapter 15), from a first guess that counts for a few targets: with one target,
the guess decides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from predictors.artifact import Artifact
from predictors.base import FloatArray
from predictors.conformal import calibrated_scale, minimum_scores
from predictors.features.kernels import CLASSES
from predictors.kernel_sum.sums import Kernels, Labels
from profilers.schema import ArtifactError

__all__ = ["Multipliers", "Posterior"]

_FIXED = 1 + len(CLASSES)
"""Dimensions of u before the tilts: machine, classes."""

_MACHINE_STD, _KIND_STD, _TILT_STD, _PROFILER_STD = 2.0, 0.5, 0.4, 0.3
"""How much targets differ, as guessed: machines by a factor of seven, classes by 1.6, profilers by 1.3."""

_CLASS_SCALES = (0.05, 0.2, 0.5, 1.0)
"""Parts of the prior's spread of classes and tilts over which a new target is averaged."""

_GUESS_TARGETS = 3.0
_DEGREES = 4.0
_STEPS = 6
_ROUNDS = 8
_NOISE_FLOOR = 0.02
_CLASS_STD, _CLASS_ROWS = 0.25, 5.0
"""Spread of a class's residual before any was seen, and for how many rows that counts."""
_LEVEL = 0.9
"""Of the intervals that are calibrated."""

_PRIOR_SCORES = 4
"""Rows that training's scores count for beside a new target's own, where these are enough alone."""

_BLUR = 3e-3
"""Share of a graph's latency below which a profiler's resolution and cost drown a label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posterior:
    """Multipliers of one target.

    Args:
        mean: float64 (d,).
        covariance: float64 (d, d).
        tail_scale: calibrated factor on the predictive standard deviation.
    """

    mean: FloatArray
    covariance: FloatArray
    tail_scale: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Multipliers:
    """The prior over targets, what the shared model leaves unexplained, and the targets seen.

    Args:
        mean, covariance: μ and Σ, float64 (d,) and (d, d).
        class_std: float64 (C,), standard deviation of log time of one class in one graph.
        graph_std: of what a graph's kernels share.
        scores: |residual| / predicted standard deviation of held-out rows, ascending.
        targets: posteriors by target id.
    """

    mean: FloatArray
    covariance: FloatArray
    class_std: FloatArray = field(default_factory=lambda: np.full(len(CLASSES), _CLASS_STD))
    graph_std: float = 0.1
    scores: FloatArray = field(default_factory=lambda: np.empty(0))
    targets: Mapping[str, Posterior] = field(default_factory=dict)

    @classmethod
    def guessed(cls, tilts: int) -> Self:
        """Before any target was seen, with that many tilts."""
        std = np.array(
            [_MACHINE_STD, *[_KIND_STD] * len(CLASSES), *[_TILT_STD] * tilts, *[_PROFILER_STD] * len(CLASSES)]
        )
        return cls(mean=np.zeros(len(std)), covariance=np.diag(std**2))

    def learned(self, parts: Mapping[str, tuple[Kernels, Labels]], *, min_kernels: int) -> "Multipliers":
        """μ, Σ, spreads and posteriors from held-out forecasts and labels of each target.

        Args:
            parts: by target id; forecasts by models that did not see the graph.
            min_kernels: graphs with fewer kernels do not calibrate the intervals, unless there are few others.
        """
        state = self
        guess = self.covariance
        for _ in range(_ROUNDS):
            found = {name: state._posterior(*part, state.mean) for name, part in parts.items()}
            mean = np.asarray(np.mean([one.mean for one in found.values()], axis=0), dtype=np.float64)
            spread = sum(one.covariance + np.outer(one.mean - mean, one.mean - mean) for one in found.values())
            covariance = (_GUESS_TARGETS * guess + spread) / (_GUESS_TARGETS + len(found))
            state = replace(state, mean=mean, covariance=covariance, targets=found)
            state = state._with_spreads(parts)
        scores = [state._scores(*part, state.targets[name].mean, min_kernels) for name, part in parts.items()]
        state = replace(state, covariance=state.covariance * (1 + 1 / len(parts)))
        return state._calibrated(np.sort(np.concatenate(scores)))

    def _calibrated(self, scores: FloatArray) -> "Multipliers":
        tail = _tail_scale(scores)
        targets = {name: replace(one, tail_scale=tail) for name, one in self.targets.items()}
        kept = np.quantile(scores, (np.arange(200) + 0.5) / 200) if len(scores) > 200 else scores
        return replace(self, scores=kept, targets=targets)

    def adapted(self, kernels: Kernels, labels: Labels, target: str) -> "Multipliers":
        """With the posterior of one more target; self is unchanged.

        Where training has seen the target, what it learned is where the posterior starts from.
        """
        centre = self.posterior(target).mean
        state = self._averaged(kernels, labels, centre)
        own = self._left_out_scores(kernels, labels, centre)
        tail = _tail_scale(np.concatenate([self._prior_scores(kernels.count), own]))
        return replace(self, targets={**self.targets, target: replace(state, tail_scale=tail)})

    def _prior_scores(self, rows: int) -> FloatArray:
        """A few scores that stand for training's: enough for a bound together with those of this many rows."""
        count = max(_PRIOR_SCORES, minimum_scores(_LEVEL) - rows)
        return np.quantile(self.scores, (np.arange(count) + 0.5) / count) if len(self.scores) else np.empty(0)

    def posterior(self, target: str) -> Posterior:
        """Of the target, or the prior where it was never seen."""
        prior = Posterior(mean=self.mean, covariance=self.covariance, tail_scale=_tail_scale(self.scores))
        return self.targets.get(target, prior)

    def forecast(self, kernels: Kernels, state: Posterior) -> tuple[FloatArray, FloatArray]:
        """(log latency, its variance) of each graph, float64 (n,) each, before the tail scale."""
        log_total, design, spread = self._linearised(kernels, state.mean)
        return log_total, np.einsum("ni,ij,nj->n", design, state.covariance, design) + spread

    def features(self, kernels: Kernels) -> FloatArray:
        """Rows whose inner products are prior covariances of log latency, float64 (n, d)."""
        _, design, _ = self._linearised(kernels, self.mean)
        return np.asarray(design @ np.linalg.cholesky(self.covariance))

    def _linearised(self, kernels: Kernels, u: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Log latency at u, its gradient (n, d), and the variance of what u does not explain."""
        times = kernels.times(u)
        totals = kernels.totals(times)
        _, by_cell, tilt = kernels.cells(times, np.ones(len(times), dtype=bool))
        shares = by_cell.reshape(kernels.count, -1) / totals[:, None]
        tilts = np.einsum("nc,ncj->nj", shares, tilt.reshape(*shares.shape, -1))
        doubt = np.bincount(kernels.rows, weights=times**2 * kernels.doubt, minlength=kernels.count) / totals**2
        spread = self.graph_std**2 + shares**2 @ self.class_std**2 + doubt
        design = [np.ones((kernels.count, 1)), shares, tilts, np.zeros_like(shares)]
        return np.log(totals), np.concatenate(design, axis=1), spread

    def _rows(
        self, kernels: Kernels, labels: Labels, u: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray, NDArray[np.int64]]:
        """Linear regression rows at u: (design, residual, variance, class or -1 for whole graphs)."""
        log_total, design, spread = self._linearised(kernels, u)
        residual = np.log(labels.latency) - log_total
        cells = self._class_rows(kernels, labels, u)
        kinds = np.concatenate([np.full(kernels.count, -1), cells[3]])
        return (
            np.concatenate([design, cells[0]]),
            np.concatenate([residual, cells[1]]),
            np.concatenate([spread, cells[2]]),
            kinds.astype(np.int64),
        )

    def _class_rows(
        self, kernels: Kernels, labels: Labels, u: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray, NDArray[np.int64]]:
        seen = np.isfinite(labels.kernel_time)
        times = kernels.times(u)
        cell, forecast, tilt = kernels.cells(times, seen)
        measured = np.bincount(cell[seen], weights=labels.kernel_time[seen], minlength=len(forecast))
        used = np.flatnonzero((forecast > 0) & (measured > 0))
        kinds = used % len(CLASSES)
        design = np.zeros((len(used), len(u)))
        design[:, 0] = 1.0
        design[np.arange(len(used)), 1 + kinds] = 1.0
        design[:, _FIXED : _FIXED + tilt.shape[1]] = tilt[used]
        profiler = len(u) - len(CLASSES) + kinds
        design[np.arange(len(used)), profiler] = 1.0
        residual = np.log(measured[used]) - np.log(forecast[used]) - u[profiler]
        blur = _BLUR * labels.latency[used // len(CLASSES)] / measured[used]
        variance = self.graph_std**2 + self.class_std[kinds] ** 2 + blur**2
        return design, residual, variance, kinds

    def _posterior(self, kernels: Kernels, labels: Labels, centre: FloatArray) -> Posterior:
        u, covariance = centre, self.covariance
        for _ in range(_STEPS if kernels.count else 0):
            shift, covariance, _ = _gaussian(self.covariance, *self._normal_equations(kernels, labels, u, centre))
            u = centre + shift
        return Posterior(mean=u, covariance=covariance)

    def _normal_equations(
        self, kernels: Kernels, labels: Labels, u: FloatArray, centre: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """(precision, precision times mean) that the rows, linearised at u, give of u − centre."""
        design, residual, variance, _ = self._rows(kernels, labels, u)
        weight = (_DEGREES + 1) / (_DEGREES + residual**2 / variance) / variance
        weighted = design * weight[:, None]
        return design.T @ weighted, weighted.T @ (residual + design @ (u - centre))

    def _averaged(self, kernels: Kernels, labels: Labels, centre: FloatArray) -> Posterior:
        """The posterior, averaged over how much classes differ on this target, by marginal likelihood.

        A machine like those of training needs hardly more than its own factor, another one each class's.
        """
        u = self._posterior(kernels, labels, centre).mean
        precision, response = self._normal_equations(kernels, labels, u, centre)
        found = [_gaussian(self._scaled(scale), precision, response) for scale in _CLASS_SCALES]
        evidence = np.array([one[2] for one in found])
        share = np.exp(evidence - evidence.max())
        share /= share.sum()
        shift = np.einsum("s,si->i", share, np.array([one[0] for one in found]))
        away = np.array([one[0] for one in found]) - shift
        covariance = np.einsum("s,sij->ij", share, np.array([one[1] for one in found]))
        covariance += np.einsum("s,si,sj->ij", share, away, away)
        return Posterior(mean=centre + shift, covariance=covariance)

    def _scaled(self, scale: float) -> FloatArray:
        """Σ with the machine's factor and the profiler's as they are, and everything else differing less."""
        factor = np.full(len(self.mean), scale)
        factor[0] = factor[-len(CLASSES) :] = 1.0
        return np.asarray(self.covariance * np.outer(factor, factor))

    def _with_spreads(self, parts: Mapping[str, tuple[Kernels, Labels]]) -> "Multipliers":
        """Spreads from the residuals of all targets, robustly, each class shrunk towards the usual."""
        residuals, kinds, explained = [], [], []
        for name, (kernels, labels) in parts.items():
            _, residual, variance, kind = self._rows(kernels, labels, self.targets[name].mean)
            residuals.append(residual)
            kinds.append(kind)
            explained.append(np.where(kind < 0, variance - self.graph_std**2, 0.0))
        left, kind, known = (np.concatenate(part) for part in (residuals, kinds, explained))
        class_std = np.array([_shrunk_std(left[kind == index]) for index in range(len(CLASSES))])
        whole = kind < 0
        excess = _robust_std(left[whole]) ** 2 - float(np.median(known[whole]))
        return replace(self, class_std=class_std, graph_std=float(np.sqrt(max(excess, _NOISE_FLOOR**2))))

    def _scores(self, kernels: Kernels, labels: Labels, u: FloatArray, min_kernels: int) -> FloatArray:
        log_total, _, spread = self._linearised(kernels, u)
        scores = np.abs(np.log(labels.latency) - log_total) / np.sqrt(spread)
        large = np.bincount(kernels.rows, minlength=kernels.count) >= min_kernels
        return scores[large] if large.sum() >= 30 else scores

    def _left_out_scores(self, kernels: Kernels, labels: Labels, centre: FloatArray) -> FloatArray:
        """|residual| / predicted standard deviation of each graph when the others are known."""
        scores = []
        for index in range(kernels.count):
            mask = kernels.rows == index
            others = np.delete(np.arange(kernels.count), index)
            rest = Labels(latency=labels.latency[others], kernel_time=labels.kernel_time[~mask])
            state = self._averaged(kernels.pick(others), rest, centre)
            log_time, variance = self.forecast(kernels.pick(np.array([index])), state)
            scores.append(abs(np.log(labels.latency[index]) - log_time[0]) / np.sqrt(variance[0]))
        return np.array(scores)

    def to_arrays(self) -> dict[str, np.ndarray[Any, Any]]:
        """Arrays for an artifact; `targets` are stacked in the order of their sorted ids."""
        states, width = [self.targets[name] for name in sorted(self.targets)], len(self.mean)
        return {
            "multipliers.mean": self.mean,
            "multipliers.covariance": self.covariance,
            "multipliers.class_std": self.class_std,
            "multipliers.graph_std": np.array(self.graph_std),
            "multipliers.scores": self.scores,
            "multipliers.target_mean": np.array([one.mean for one in states]).reshape(-1, width),
            "multipliers.target_covariance": np.array([one.covariance for one in states]).reshape(-1, width, width),
            "multipliers.target_tail_scale": np.array([one.tail_scale for one in states]),
        }

    @classmethod
    def from_artifact(cls, artifact: Artifact, names: Sequence[str]) -> Self:
        """The multipliers whose `to_arrays` went into the artifact.

        Args:
            artifact: with the arrays.
            names: sorted ids of the targets.

        Raises:
            ArtifactError: arrays are missing or do not fit each other.
        """
        means = artifact.array("multipliers.target_mean", ndim=2)
        covariances = artifact.array("multipliers.target_covariance", ndim=3)
        tails = artifact.array("multipliers.target_tail_scale", ndim=1)
        mean = artifact.array("multipliers.mean", ndim=1)
        if not (len(names) == len(means) == len(covariances) == len(tails)) or len(mean) < _FIXED + len(CLASSES):
            raise ArtifactError("The artifact's targets and their arrays do not fit each other: it is corrupt.")
        states = zip(names, means, covariances, tails, strict=True)
        return cls(
            mean=mean,
            covariance=artifact.array("multipliers.covariance", ndim=2),
            class_std=artifact.array("multipliers.class_std", ndim=1),
            graph_std=float(artifact.array("multipliers.graph_std", ndim=0)),
            scores=artifact.array("multipliers.scores", ndim=1),
            targets={name: Posterior(mean=m, covariance=c, tail_scale=float(t)) for name, m, c, t in states},
        )


def _gaussian(prior: FloatArray, precision: FloatArray, response: FloatArray) -> tuple[FloatArray, FloatArray, float]:
    """(mean, covariance, log evidence up to a constant) of a Gaussian prior and linear Gaussian rows."""
    covariance = np.linalg.inv(np.linalg.inv(prior) + precision)
    mean = covariance @ response
    evidence = 0.5 * (response @ mean + np.linalg.slogdet(covariance)[1] - np.linalg.slogdet(prior)[1])
    return mean, (covariance + covariance.T) / 2, float(evidence)


def _robust_std(residual: FloatArray) -> float:
    return 1.4826 * float(np.median(np.abs(residual - np.median(residual)))) if len(residual) else 0.0


def _shrunk_std(residual: FloatArray) -> float:
    rows = len(residual)
    variance = _robust_std(residual) ** 2
    return float(np.sqrt((_CLASS_ROWS * _CLASS_STD**2 + rows * variance) / (_CLASS_ROWS + rows)))


def _tail_scale(scores: FloatArray) -> float:
    return calibrated_scale(scores, _LEVEL) if len(scores) >= minimum_scores(_LEVEL) else 1.0

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

from latcast.schema import ArtifactError
from predictors.artifact import Artifact
from predictors.base import FloatArray
from predictors.features.kernels import CLASSES
from predictors.inference.conformal import calibrated_scale, minimum_scores
from predictors.kinds.kernel_sum.sums import Kernels, Labels

__all__ = ["Multipliers", "Posterior"]

_FIXED = 1 + len(CLASSES)
"""Dimensions of u before the tilts: machine, classes."""

_MACHINE_STD, _KIND_STD, _TILT_STD, _PROFILER_STD = 2.0, 0.5, 0.4, 0.3
"""How much targets differ, as guessed: machines by a factor of seven, classes by 1.6, profilers by 1.3."""

_CLASS_SCALES = (0.05, 0.2, 0.5, 1.0)
"""Parts of the prior's spread of classes and tilts over which a new target is averaged."""

_DRIFT = (0.05, 0.05, 0.03, 0.05)
"""How far a target that training has seen may have moved since: machine, classes, tilts, profiler."""
_DRIFT_SCALES = (0.3, 1.0, 4.0)
"""Multiples of that over which it is averaged."""

_NEAREST = 2
"""Targets of training that a new one may be like."""

_GUESS_TARGETS = 3.0
_DEGREES = 4.0
_STEPS = 6
_ROUNDS = 8
_NOISE_FLOOR = 0.02
_CLASS_STD, _CLASS_ROWS = 0.25, 5.0
"""Spread of a class's residual before any was seen, and for how many rows that counts."""
_LEVEL = 0.9
"""Of the intervals that are calibrated."""

_CALIBRATING_ROWS = 40
"""Held-out rows of a target that calibrate its intervals without those of others."""

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
            found = {name: state._posterior(*part, state.mean, state.covariance) for name, part in parts.items()}
            mean = np.asarray(np.mean([one.mean for one in found.values()], axis=0), dtype=np.float64)
            spread = sum(one.covariance + np.outer(one.mean - mean, one.mean - mean) for one in found.values())
            covariance = (_GUESS_TARGETS * guess + spread) / (_GUESS_TARGETS + len(found))
            state = replace(state, mean=mean, covariance=covariance, targets=found)
            state = state._with_spreads(parts)
        scores = {name: state._scores(*part, state.targets[name].mean, min_kernels) for name, part in parts.items()}
        state = replace(state, covariance=state.covariance * (1 + 1 / len(parts)))
        return state._calibrated(scores)

    def _calibrated(self, by_target: Mapping[str, FloatArray]) -> "Multipliers":
        """With the scores of held-out rows: each target's own where it has enough of them, else those of all."""
        scores = np.sort(np.concatenate(list(by_target.values())))
        tails = {name: _tail_scale(own if len(own) >= _CALIBRATING_ROWS else scores) for name, own in by_target.items()}
        targets = {name: replace(one, tail_scale=tails[name]) for name, one in self.targets.items()}
        kept = np.quantile(scores, (np.arange(200) + 0.5) / 200) if len(scores) > 200 else scores
        return replace(self, scores=kept, targets=targets)

    def adapted(
        self, kernels: Kernels, labels: Labels, target: str, *, expected: Sequence[FloatArray] = ()
    ) -> "Multipliers":
        """With the posterior of one more target; self is unchanged.

        The posterior is averaged over where it may start from and how far it may be from there (see `_starts`), and
        over whether kernel timings are to be believed beside latencies: each by how well it forecasts every graph of
        the support from the others. A target that is among `targets` starts from what these say of it, so rows that
        went into that are not to be told again.

        Args:
            kernels: of the support's graphs.
            labels: of them.
            target: its id.
            expected: float64 (d,) each, where else a target that is new may start from, as other evidence has it.
        """
        members = [
            member
            for centre, priors in self._starts(kernels, labels, target, expected)
            for timed in ((False, True) if np.isfinite(labels.kernel_time).any() else (False,))
            for member in self._members(kernels, labels, centre, priors, timed=timed)
        ]
        shares = _softmax(np.array([member.log_density for member in members]))
        state = _mixed(shares, [member.mean for member in members], [member.covariance for member in members])
        own = _mixed_scores(shares, members)
        tail = _tail_scale(np.concatenate([self._prior_scores(kernels.count), own]))
        return replace(self, targets={**self.targets, target: replace(state, tail_scale=tail)})

    def _starts(
        self, kernels: Kernels, labels: Labels, target: str, expected: Sequence[FloatArray]
    ) -> list[tuple[FloatArray, list[FloatArray]]]:
        """Where the posterior may start from, and how far it may be from there: (multipliers, covariances).

        A target that training has seen is what it was, give or take some percent. Any other may be like the mean over
        targets, like those of them that fit best but for speed, or as other evidence has it.
        """
        own = self.targets.get(target)
        if own is not None:
            drift = np.diag(np.repeat(_DRIFT, self._blocks()) ** 2)
            return [(own.mean, [own.covariance + scale**2 * drift for scale in _DRIFT_SCALES])]
        known = [self.targets[name].mean for name in sorted(self.targets)]
        misfit = []
        for mean in known:
            residual = np.log(labels.latency) - np.log(kernels.totals(kernels.times(mean)))
            misfit.append(float(np.median(np.abs(residual - np.median(residual)))))
        nearest = [known[index] for index in np.argsort(misfit, kind="stable")[:_NEAREST]]
        unique = {mean.tobytes(): mean for mean in (self.mean, *nearest, *expected)}
        priors = [self._scaled(scale) for scale in _CLASS_SCALES]
        return [(mean, priors) for mean in unique.values()]

    def _blocks(self) -> tuple[int, int, int, int]:
        """Dimensions of u: machine, classes, tilts, profiler."""
        return 1, len(CLASSES), len(self.mean) - _FIXED - len(CLASSES), len(CLASSES)

    def _members(
        self, kernels: Kernels, labels: Labels, centre: FloatArray, priors: Sequence[FloatArray], *, timed: bool
    ) -> "list[_Member]":
        """Posteriors from one start, for each covariance of the prior around it, and what each is worth."""
        u = self._posterior(kernels, labels, centre, priors[-1], timed=timed).mean
        design, residual, variance, graphs = self._rows(kernels, labels, u, timed=timed)
        moved = residual + design @ (u - centre)
        weight = (_DEGREES + 1) / (_DEGREES + residual**2 / variance) / variance
        weighted = design * weight[:, None]
        precision = np.array([weighted[graphs == g].T @ design[graphs == g] for g in range(kernels.count)])
        response = np.array([weighted[graphs == g].T @ moved[graphs == g] for g in range(kernels.count)])
        all_precision, all_response = precision.sum(axis=0), response.sum(axis=0)
        members = []
        for prior in priors:
            inverse = _inverse(prior)
            mean, covariance = _gaussian(inverse, all_precision, all_response)
            left_out = [
                _gaussian(inverse, all_precision - own, all_response - share)
                for own, share in zip(precision, response, strict=True)
            ]
            x, y = design[: kernels.count], moved[: kernels.count]
            error = y - np.array([row @ shift for row, (shift, _) in zip(x, left_out, strict=True)])
            doubt = np.array([row @ spread @ row for row, (_, spread) in zip(x, left_out, strict=True)])
            members.append(
                _Member(mean=centre + mean, covariance=covariance, error=error, variance=doubt + variance[: len(y)])
            )
        return members

    def _prior_scores(self, rows: int) -> FloatArray:
        """A few scores that stand for training's: enough for a bound together with those of this many rows."""
        count = max(_PRIOR_SCORES, minimum_scores(_LEVEL) - rows)
        return np.quantile(self.scores, (np.arange(count) + 0.5) / count) if len(self.scores) else np.empty(0)

    def posterior(self, target: str) -> Posterior:
        """Of the target, or the prior where it was never seen."""
        known = self.targets.get(target)
        return known or Posterior(mean=self.mean, covariance=self.covariance, tail_scale=_tail_scale(self.scores))

    def forecast(self, kernels: Kernels, state: Posterior) -> tuple[FloatArray, FloatArray]:
        """(log latency, its variance) of each graph, float64 (n,) each, before the tail scale."""
        log_total, design, spread = self._linearised(kernels, state.mean)
        return log_total, ((design @ state.covariance) * design).sum(axis=1) + spread

    def features(self, kernels: Kernels) -> FloatArray:
        """Rows whose inner products are prior covariances of log latency, float64 (n, d)."""
        _, design, _ = self._linearised(kernels, self.mean)
        return np.asarray(design @ np.linalg.cholesky(self.covariance))

    def _linearised(self, kernels: Kernels, u: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Log latency at u, its gradient (n, d), and the variance of what u does not explain."""
        times = kernels.times(u)
        totals = kernels.totals(times)
        shares = kernels.by_class(times) / totals[:, None]
        tilts = kernels.sums(times[:, None] * kernels.tilt) / totals[:, None]
        doubt = kernels.totals(times**2 * kernels.doubt) / totals**2
        spread = self.graph_std**2 + shares**2 @ self.class_std**2 + doubt
        design = [np.ones((kernels.count, 1)), shares, tilts, np.zeros_like(shares)]
        return np.log(totals), np.concatenate(design, axis=1), spread

    def _rows(
        self, kernels: Kernels, labels: Labels, u: FloatArray, *, timed: bool = True
    ) -> tuple[FloatArray, FloatArray, FloatArray, NDArray[np.int64]]:
        """Linear regression rows at u: (design, residual, variance, graph), first one for each whole graph.

        Args:
            kernels: of n graphs.
            labels: of them.
            u: where to linearise.
            timed: with a row for all time of one class in one graph, where the runtime told it.
        """
        log_total, design, spread = self._linearised(kernels, u)
        residual, graphs = np.log(labels.latency) - log_total, np.arange(kernels.count)
        if not timed:
            return design, residual, spread, graphs
        cells = self._class_rows(kernels, labels, u)
        return (
            np.concatenate([design, cells[0]]),
            np.concatenate([residual, cells[1]]),
            np.concatenate([spread, cells[2]]),
            np.concatenate([graphs, cells[3] // len(CLASSES)]),
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
        return design, residual, variance, used

    def _posterior(
        self, kernels: Kernels, labels: Labels, centre: FloatArray, prior: FloatArray, *, timed: bool = True
    ) -> Posterior:
        u, covariance, inverse = centre, prior, _inverse(prior)
        for _ in range(_STEPS if kernels.count else 0):
            design, residual, variance, _ = self._rows(kernels, labels, u, timed=timed)
            weight = (_DEGREES + 1) / (_DEGREES + residual**2 / variance) / variance
            weighted = design * weight[:, None]
            shift, covariance = _gaussian(inverse, weighted.T @ design, weighted.T @ (residual + design @ (u - centre)))
            u = centre + shift
        return Posterior(mean=u, covariance=covariance)

    def _scaled(self, scale: float) -> FloatArray:
        """Σ with the machine's factor and the profiler's as they are, and everything else differing less."""
        factor = np.full(len(self.mean), scale)
        factor[0] = factor[-len(CLASSES) :] = 1.0
        return np.asarray(self.covariance * np.outer(factor, factor))

    def _with_spreads(self, parts: Mapping[str, tuple[Kernels, Labels]]) -> "Multipliers":
        """Spreads from the residuals of all targets, robustly, each class shrunk towards the usual."""
        residuals, kinds, explained = [], [], []
        for name, (kernels, labels) in parts.items():
            mean = self.targets[name].mean
            log_total, _, spread = self._linearised(kernels, mean)
            _, by_class, _, cells = self._class_rows(kernels, labels, mean)
            residuals += [np.log(labels.latency) - log_total, by_class]
            kinds += [np.full(kernels.count, -1), cells % len(CLASSES)]
            explained += [spread - self.graph_std**2, np.zeros(len(cells))]
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    """One posterior of several, and how it forecasts each graph of the support from the others.

    Args:
        mean: float64 (d,).
        covariance: float64 (d, d).
        error: float64 (k,), of log latency.
        variance: float64 (k,), that it expects of it.
    """

    mean: FloatArray
    covariance: FloatArray
    error: FloatArray
    variance: FloatArray

    @property
    def log_density(self) -> float:
        """Of the graphs' latencies, each given the others: Student-t, up to a constant."""
        scaled = 1 + self.error**2 / self.variance / _DEGREES
        return float(-0.5 * ((_DEGREES + 1) * np.log(scaled) + np.log(self.variance)).sum())


def _softmax(values: FloatArray) -> FloatArray:
    shares = np.exp(values - values.max())
    return np.asarray(shares / shares.sum())


def _mixed(shares: FloatArray, means: Sequence[FloatArray], covariances: Sequence[FloatArray]) -> Posterior:
    """The Gaussian with a mixture's mean and covariance."""
    mean = shares @ np.array(means)
    away = np.array(means) - mean
    covariance = np.einsum("s,sij->ij", shares, np.array(covariances)) + np.einsum("s,si,sj->ij", shares, away, away)
    return Posterior(mean=mean, covariance=covariance)


def _mixed_scores(shares: FloatArray, members: Sequence[_Member]) -> FloatArray:
    """|error| / expected standard deviation of each graph of the support, as the mixture forecasts it."""
    errors, variances = (np.array([getattr(one, name) for one in members]) for name in ("error", "variance"))
    error = shares @ errors
    return np.asarray(np.abs(error) / np.sqrt(shares @ (variances + (errors - error) ** 2)))


def _gaussian(inverse: FloatArray, precision: FloatArray, response: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(mean, covariance) of a Gaussian prior around zero, given by its inverse, and linear Gaussian rows."""
    covariance = _inverse(inverse + precision)
    covariance = (covariance + covariance.T) / 2
    return covariance @ response, covariance


def _inverse(matrix: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)


def _robust_std(residual: FloatArray) -> float:
    return 1.4826 * float(np.median(np.abs(residual - np.median(residual)))) if len(residual) else 0.0


def _shrunk_std(residual: FloatArray) -> float:
    rows = len(residual)
    variance = _robust_std(residual) ** 2
    return float(np.sqrt((_CLASS_ROWS * _CLASS_STD**2 + rows * variance) / (_CLASS_ROWS + rows)))


def _tail_scale(scores: FloatArray) -> float:
    return calibrated_scale(scores, _LEVEL) if len(scores) >= minimum_scores(_LEVEL) else 1.0

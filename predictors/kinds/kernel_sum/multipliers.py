"""What differs between targets: a factor for the machine, one for each kernel class, a few tilts, and their profiler.

Kernel k of a graph takes b_k · exp(x_k·u) on a target, b_k from the shared model, x_k = (1, one-hot class, tilts: for
example the memory's and the launch's share). These u are the random effects of `predictors.inference.random_effects`,
seen through `predictors.kinds.kernel_sum.likelihood`: with u ~ N(μ, Σ) a few measured graphs give a Gaussian posterior
in closed form.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from latcast.schema import ArtifactError, TargetId
from predictors.artifact import Artifact
from predictors.base import FloatArray
from predictors.features.kernels import CLASSES
from predictors.inference.mixtures import Member, mixed
from predictors.inference.random_effects import GroupedRows, Prior, RandomEffects, Rows, TargetEffects, fit_effects
from predictors.kinds.kernel_sum.likelihood import Likelihood
from predictors.kinds.kernel_sum.sums import Kernels, Labels, factors

__all__ = ["NEAREST", "Multipliers"]

_MACHINE_STD, _KIND_STD, _TILT_STD, _PROFILER_STD = 2.0, 0.5, 0.4, 0.3
"""How much targets differ, as guessed: machines by a factor of seven, classes by 1.6, profilers by 1.3."""

_CLASS_SCALES = (0.05, 0.2, 0.5, 1.0)
"""Parts of the prior's spread of classes and tilts over which a new target is averaged."""

_DRIFT = (0.05, 0.05, 0.03, 0.05)
"""How far a target of training may have moved since: machine, classes, tilts, profiler."""
_DRIFT_SCALES = (0.3, 1.0, 4.0)
"""Multiples of that over which it is averaged."""

NEAREST = 2
"""Targets of training that a new one may be like."""

_STEPS = 6
_ROUNDS = 8
_CALIBRATING_ROWS = 40
"""Held-out rows of a target that calibrate its intervals without those of others."""
_FEWEST_LARGE = 30
_KEPT_SCORES = 200
_PREFIX = "multipliers."
"""Beginning of the arrays' names in artifacts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Multipliers:
    """The multipliers of targets, and what they leave unexplained.

    Args:
        effects: multipliers as random effects.
        likelihood: how labels scatter around what they say.
    """

    effects: RandomEffects
    likelihood: Likelihood = field(default_factory=Likelihood)

    @classmethod
    def guessed(cls, tilts: int) -> Self:
        """Before any target was seen, with that many tilts."""
        classes = len(CLASSES)
        std = np.repeat([_MACHINE_STD, _KIND_STD, _TILT_STD, _PROFILER_STD], [1, classes, tilts, classes])
        return cls(effects=RandomEffects(mean=np.zeros(len(std)), covariance=np.diag(std**2)))

    def learned(self, parts: Mapping[TargetId, tuple[Kernels, Labels]], *, min_kernels: int) -> "Multipliers":
        """Multipliers and spreads from held-out forecasts and labels of each target.

        Args:
            parts: by target id; forecasts by models that did not see the graph.
            min_kernels: graphs with fewer kernels do not calibrate the intervals, unless there are few others.
        """
        effects, likelihood, guess = self.effects, self.likelihood, self.effects.covariance
        for _ in range(_ROUNDS):
            prior = Prior(effects.mean, effects.covariance)
            fits = {
                name: fit_effects(prior, partial(likelihood.rows, *part), steps=_STEPS) for name, part in parts.items()
            }
            effects = effects.refined({name: state for name, (state, _, _) in fits.items()}, guess)
            likelihood = likelihood.refined([(*part, effects.targets[name].mean) for name, part in parts.items()])
        scores = {
            name: _scores_of_large(likelihood, *part, effects.targets[name].mean, min_kernels)
            for name, part in parts.items()
        }
        return Multipliers(effects=_calibrated(effects.widened(), scores), likelihood=likelihood)

    def adapted(
        self,
        kernels: Kernels,
        labels: Labels,
        target: TargetId,
        *,
        expected: Sequence[FloatArray] = (),
        nearest: int = NEAREST,
        families: NDArray[np.int64] | None = None,
    ) -> "Multipliers":
        """The multipliers with the posterior of one more target; self is unchanged.

        The posterior is averaged over where it may start from and how far it may be from there (see `_starts`), and
        over whether kernel timings are to be believed beside latencies: each by how well it forecasts every graph of
        the support from the others. A target that has effects already starts from these, so rows that went into them
        are not to be given again.

        Args:
            kernels: of the support's graphs.
            labels: their latencies and kernel timings.
            target: its id.
            expected: float64 (d,) each, where else a target that is new may start from, as other evidence has it.
            nearest: targets of training that fit best, which it may start from, too.
            families: int64 (n,), number of each graph's family; by default no two graphs are of one.
        """
        likelihood = partial(self.likelihood.rows, kernels, labels, families=families)
        members = [
            member
            for centre, covariances in self._starts(kernels, labels, target, expected, nearest)
            for timed in ((False, True) if np.isfinite(labels.kernel_time).any() else (False,))
            for member in _members(
                partial(likelihood, timed=timed),
                partial(self.likelihood.groups, kernels, labels, timed=timed),
                centre,
                covariances,
            )
        ]
        return replace(self, effects=self.effects.with_target(target, *mixed(members)))

    def _starts(
        self, kernels: Kernels, labels: Labels, target: TargetId, expected: Sequence[FloatArray], nearest: int
    ) -> list[tuple[FloatArray, list[FloatArray]]]:
        """Where the posterior may start from, and how far it may be from there: (multipliers, covariances).

        A target of training is what it was, give or take some percent. Any other may be like the mean over targets,
        like one of the `nearest` that fit best but for speed, or as other evidence has it.
        """
        before = self.effects.targets.get(target)
        if before is not None:
            drift = np.diag(np.repeat(_DRIFT, [len(part) for part in factors(before.mean)]) ** 2)
            return [(before.mean, [before.covariance + scale**2 * drift for scale in _DRIFT_SCALES])]
        means = [self.effects.targets[name].mean for name in self.effects.names()]
        misfit = [_misfit(kernels, labels, mean) for mean in means]
        like = [means[index] for index in np.argsort(misfit, kind="stable")[:nearest]]
        unique = {mean.tobytes(): mean for mean in (self.effects.mean, *like, *expected)}
        covariances = [self._scaled(scale) for scale in _CLASS_SCALES]
        return [(mean, covariances) for mean in unique.values()]

    def forecast(self, kernels: Kernels, state: TargetEffects) -> tuple[FloatArray, FloatArray]:
        """(log latency, its variance) of each graph, float64 (n,) each, before the tail scale."""
        log_total, design, variance = self.likelihood.linearised(kernels, state.mean)
        return log_total, state.variance(design) + variance

    def features(self, kernels: Kernels) -> FloatArray:
        """Rows whose inner products are prior covariances of log latency, float64 (n, d)."""
        _, design, _ = self.likelihood.linearised(kernels, self.effects.mean)
        return np.asarray(design @ self.effects.factor())

    def _scaled(self, scale: float) -> FloatArray:
        """Σ with the machine's factor and the profiler's as they are, and everything else differing less."""
        factor = np.full(len(self.effects.mean), scale)
        factor[0] = factor[-len(CLASSES) :] = 1.0
        return np.asarray(self.effects.covariance * np.outer(factor, factor))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Arrays for an artifact; the targets' ids are its vocabulary, see `RandomEffects.names`."""
        return {
            **self.effects.to_arrays(_PREFIX),
            f"{_PREFIX}class_std": self.likelihood.class_std,
            f"{_PREFIX}graph_std": np.array(self.likelihood.graph_std),
        }

    @classmethod
    def from_artifact(cls, artifact: Artifact, names: Sequence[TargetId]) -> Self:
        """The multipliers whose `to_arrays` went into the artifact.

        Args:
            artifact: with the arrays.
            names: sorted ids of the targets.

        Raises:
            ArtifactError: arrays are missing or do not fit each other.
        """
        effects = RandomEffects.from_artifact(artifact, _PREFIX, names)
        if len(effects.mean) < 1 + 2 * len(CLASSES):
            raise ArtifactError("The artifact's multipliers are of fewer classes of kernels: it is corrupt.")
        class_std = artifact.array(f"{_PREFIX}class_std", ndim=1)
        graph_std = float(artifact.array(f"{_PREFIX}graph_std", ndim=0))
        return cls(effects=effects, likelihood=Likelihood(class_std=class_std, graph_std=graph_std))


def _members(
    rows_at: Callable[[FloatArray], Rows],
    groups_at: Callable[[FloatArray], NDArray[np.int64]],
    centre: FloatArray,
    covariances: Sequence[FloatArray],
) -> list[Member]:
    """Posteriors from one start, for each covariance of the prior around it, and what each is worth.

    Args:
        rows_at: linearises the support's rows at multipliers, float64 (d,).
        groups_at: the graph of each of these rows.
        centre: float64 (d,), mean of the priors.
        covariances: float64 (d, d) each, of the priors; the last is the widest.
    """
    priors = [Prior(centre, covariance) for covariance in covariances]
    state, rows, weights = fit_effects(priors[-1], rows_at, steps=_STEPS)
    grouped = GroupedRows.of(rows, weights, state.mean - centre, groups_at(state.mean))
    left_out = [grouped.left_out(prior) for prior in priors]
    return [
        Member(effects=grouped.posterior(prior), error=error, variance=variance)
        for prior, (error, variance) in zip(priors, left_out, strict=True)
    ]


def _misfit(kernels: Kernels, labels: Labels, u: FloatArray) -> float:
    """Median deviation of the graphs' log latencies from what multipliers say, but for speed."""
    residual = np.log(labels.latency) - np.log(kernels.totals(kernels.times(u)))
    return float(np.median(np.abs(residual - np.median(residual))))


def _scores_of_large(
    likelihood: Likelihood, kernels: Kernels, labels: Labels, u: FloatArray, min_kernels: int
) -> FloatArray:
    scores = likelihood.scores(kernels, labels, u)
    large = np.bincount(kernels.rows, minlength=kernels.count) >= min_kernels
    return scores[large] if large.sum() >= _FEWEST_LARGE else scores


def _calibrated(effects: RandomEffects, by_target: Mapping[TargetId, FloatArray]) -> RandomEffects:
    """The effects, calibrated by held-out rows: each target's own where it has enough of them, else those of all."""
    enough = {name: scores for name, scores in by_target.items() if len(scores) >= _CALIBRATING_ROWS}
    calibrated = effects.calibrated(np.concatenate(list(by_target.values())), enough)
    if len(calibrated.scores) <= _KEPT_SCORES:
        return calibrated
    return replace(calibrated, scores=np.quantile(calibrated.scores, (np.arange(_KEPT_SCORES) + 0.5) / _KEPT_SCORES))

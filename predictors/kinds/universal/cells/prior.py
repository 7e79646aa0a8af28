"""The prior over devices' cost profiles, learned from source devices."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, qmc

from predictors.base import FloatArray
from predictors.kinds.universal.cells.components import (
    LEARNED,
    component_names,
    effect,
    fixed_components,
    learned_components,
    rule_components,
)
from predictors.kinds.universal.cells.feature_space import FeatureSpace
from predictors.kinds.universal.cells.marginal_likelihood import Task, joint_best_scales
from predictors.kinds.universal.cells.sources import SourceFit, fit_source

__all__ = ["DevicePrior", "Mixture", "MixtureSettings", "SourceRows", "learn_prior"]

Rows = NDArray[np.intp]

SourceRows = tuple[Sequence[str], FloatArray]
"""Texts (n) and latencies in ms, float64 (n,), of one source."""

_LEFT_OUT_ROWS, _LEFT_OUT_DRAWS, _LEFT_OUT_ITERATIONS = 100, 2, 40
_FLOOR = float(np.log(1e-3))
_RULE_SCALE, _RULE_SPREAD = 0.4, 0.7
"""Effect of the operators' costs on a device of which one rule holds: median over members, spread of its logarithm."""
_DETAIL_SCALE, _DETAIL_SPREAD = 0.005, 1.2
"""The same of what the rule leaves to be said, such as costs by edge."""
_RULE_NOISE, _RULE_NOISE_SPREAD = 0.004, 1.2
_RULE_MEMBERS = 8
"""Members for each rule."""
_UNRELATED_SPREAD = 0.3
"""Share of the mean profile's effect that the sources' covariance may have on a device unlike them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MixtureSettings:
    """How the mixture over scales is laid out; see `UniversalPredictor` for each."""

    members: int
    unlike: float
    scale_spread: float
    unlike_spread: float
    noise: float
    noise_spread: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """Gaussian priors of one profile.

    Args:
        variances: float64 (members, c), of each component.
        noise: float64 (members,), variance of a measurement's logarithm.
    """

    variances: FloatArray
    noise: FloatArray


@dataclass(frozen=True, kw_only=True)
class DevicePrior:
    """What is learned from sources. No row of a source is in it: profiles, and moments of features.

    Args:
        space: features.
        centre: float64 (p,), mean feature row.
        gram: float64 (p, p), mean outer product of centred rows.
        profiles: float64 (S, p), relative costs of each source.
        intercepts: float64 (S,), of the sources' relative latency.
        scales_ms: float64 (S,), their mean latencies.
        log_stds: float64 (S,), their noise.
        like: float64 (c,), log scales of components that forecast a left-out source best.
        unlike: float64 (c,), log scales for a device that is like no source.
    """

    space: FeatureSpace
    centre: FloatArray
    gram: FloatArray
    profiles: FloatArray
    intercepts: FloatArray
    scales_ms: FloatArray
    log_stds: FloatArray
    like: FloatArray
    unlike: FloatArray

    @cached_property
    def mean(self) -> FloatArray:
        """Mean profile, float64 (p,)."""
        return np.asarray(self.profiles.mean(axis=0))

    @cached_property
    def components(self) -> FloatArray:
        """Covariances of a profile in the order of `component_names`, then those of rules, float64 (c + r, p, p)."""
        learned = learned_components(self.space, self.profiles, self.gram)
        return np.concatenate(
            [learned, fixed_components(self.space, self.gram), rule_components(self.space, self.gram)]
        )

    def without_sources(self) -> "DevicePrior":
        """The prior without the sources' profiles: only the space's own components are left, in their scales."""
        silent = np.arange(len(self.like)) < len(LEARNED) + len(self.space.masks)
        like, unlike = (np.where(silent, _FLOOR, scales) for scales in (self.like, self.unlike))
        return replace(self, profiles=np.zeros_like(self.profiles), like=like, unlike=unlike)

    def centred(self, texts: Sequence[str]) -> FloatArray:
        """Centred features, float64 (n, p)."""
        return self.space.features(texts) - self.centre

    def covariance(self, unlike: float) -> FloatArray:
        """Covariance of a new device's profile, float64 (p, p); `unlike` is the weight of the second centre."""
        variances = (1 - unlike) * np.exp(2 * self.like) + unlike * np.exp(2 * self.unlike)
        return np.asarray(np.tensordot(variances, self.components[: len(variances)], axes=1))

    def mixture(self, settings: MixtureSettings) -> Mixture:
        """Quasi-random members (a scrambled Sobol sequence) around both centres, and around each rule of the space."""
        size, members = len(self.like), settings.members
        draws = qmc.Sobol(size + 1, rng=1).random(members)
        normal = norm.ppf(np.clip(draws, 1e-3, 1 - 1e-3))
        last = members - int(members * settings.unlike)
        log_scales = np.full((members, len(self.components)), _FLOOR)
        log_scales[:, :size] = self.like + settings.scale_spread * normal[:, :size]
        log_scales[last:, :size] = self.unlike + settings.unlike_spread * normal[last:, :size]
        noise = np.log(settings.noise) + settings.noise_spread * normal[:, size]
        by_rule = [self._rule_members(rule) for rule in self.space.rules]
        log_scales = np.concatenate([log_scales, *(scales for scales, _ in by_rule)])
        noise = np.concatenate([noise, *(noises for _, noises in by_rule)])
        return Mixture(variances=np.exp(2 * log_scales), noise=np.exp(2 * noise))

    def _rule_members(self, rule: Sequence[str]) -> tuple[FloatArray, FloatArray]:
        """Log scales (members, c) and log noises (members,) of a device of which one rule holds: any of its operators
        may be dear there alone, so nothing but a slope of the sources' mean profile counts.
        """
        names = [*component_names(self.space), *self.space.rule_factors]
        draws = norm.ppf(np.clip(qmc.Sobol(4, rng=1).random(_RULE_MEMBERS), 1e-3, 1 - 1e-3))
        scales = np.full((_RULE_MEMBERS, len(names)), _FLOOR)
        scales[:, names.index("slope")] = np.log(effect(self.mean, self.gram)) + _RULE_SPREAD * draws[:, 0]
        for name in rule:
            scales[:, names.index(name)] = np.log(_RULE_SCALE) + _RULE_SPREAD * draws[:, 1]
        for name in self.space.details:
            scales[:, names.index(name)] = np.log(_DETAIL_SCALE) + _DETAIL_SPREAD * draws[:, 2]
        return scales, np.log(_RULE_NOISE) + _RULE_NOISE_SPREAD * draws[:, 3]


def learn_prior(
    space: FeatureSpace, sources: Mapping[str, SourceRows], *, seed: int, progress: Callable[[float, str], None]
) -> DevicePrior:
    """The prior of these sources.

    Args:
        space: features.
        sources: measurable rows of each device; one device suffices, several say how devices differ.
        seed: of the rows that scales are found on.
        progress: called after each source.
    """
    features = [space.features(texts) for texts, _ in sources.values()]
    centre = np.vstack(features).mean(axis=0)
    centred = [rows - centre for rows in features]
    stacked = np.vstack(centred)
    gram = stacked.T @ stacked / len(stacked)
    fixed = fixed_components(space, gram)
    fits = []
    for index, ((name, (_, latency_ms)), x) in enumerate(zip(sources.items(), centred, strict=True)):
        fits.append(fit_source(x, latency_ms, fixed, np.random.default_rng([seed, index])))
        progress(0.8 * (index + 1) / len(sources), f"cost profile of {name}")
    profiles = np.array([fit.profile for fit in fits])
    unlike = _unlike_scales(space, fits, gram)
    return DevicePrior(
        space=space,
        centre=centre,
        gram=gram,
        profiles=profiles,
        intercepts=np.array([fit.intercept for fit in fits]),
        scales_ms=np.array([fit.scale_ms for fit in fits]),
        log_stds=np.array([fit.log_std for fit in fits]),
        like=_like_scales(space, fits, gram, fixed, seed=seed) if len(fits) > 1 else unlike,
        unlike=unlike,
    )


def _like_scales(
    space: FeatureSpace, fits: Sequence[SourceFit], gram: FloatArray, fixed: FloatArray, *, seed: int
) -> FloatArray:
    """Log scales with the best joint evidence of every source under the prior of the others, float64 (c,)."""
    rng, tasks = np.random.default_rng(seed), list[Task]()
    profiles = np.array([fit.profile for fit in fits])
    for index, fit in enumerate(fits):
        others = np.delete(profiles, index, axis=0)
        components = np.concatenate([learned_components(space, others, gram), fixed])
        for _ in range(_LEFT_OUT_DRAWS):
            rows = rng.permutation(len(fit.observed))[:_LEFT_OUT_ROWS]
            tasks.append(_task(fit, rows, components, others.mean(axis=0)))
    start = np.log([0.03] * len(component_names(space)) + [0.1])
    return joint_best_scales(tasks, start, _LEFT_OUT_ITERATIONS)[:-1]


def _task(fit: SourceFit, rows: Rows, components: FloatArray, mean: FloatArray) -> Task:
    x, one = fit.design[rows], fit.inverse_level[rows]
    kernels = np.array([*(x @ component @ x.T for component in components), np.outer(one, one)])
    return kernels, fit.observed[rows] - x @ mean, float(fit.log_scales[-1])


def _unlike_scales(space: FeatureSpace, fits: Sequence[SourceFit], gram: FloatArray) -> FloatArray:
    """Log scales of a device unrelated to the sources: its own costs as wide as each source's own, any slope."""
    size = effect(np.mean([fit.profile for fit in fits], axis=0), gram)
    fixed = np.mean([fit.log_scales[: len(space.factors)] for fit in fits], axis=0)
    related = np.log(_UNRELATED_SPREAD * size) if len(fits) > 1 else _FLOOR
    learned = {"sources": related, "slope": np.log(size)}
    scales = [learned.get(name, _FLOOR) for name in (*LEARNED, *space.masks)]
    return np.array([*scales, *np.maximum(fixed, _FLOOR)])

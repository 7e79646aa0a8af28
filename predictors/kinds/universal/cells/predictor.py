"""Architectures of one search space, read as text: a prior over devices, and a posterior in closed form."""

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from typing import ClassVar, Self

import numpy as np

from latcast.schema import ArtifactError, DeviceEvidence, InputError, Target, TargetId
from predictors.artifact import Artifact
from predictors.base import Capabilities, FloatArray, LatencyDataset, Prediction, Predictor, Progress, Query
from predictors.data.splits import rows_by_target
from predictors.inference.blas_threads import products_on_one_thread
from predictors.kinds.universal.cells.components import component_names
from predictors.kinds.universal.cells.posterior import CostProfile, equally_uncertain, posterior_of
from predictors.kinds.universal.cells.prior import DevicePrior, MixtureSettings, learn_prior
from predictors.kinds.universal.cells.queries import SPACES, common_space, feature_space, source_rows, texts_of
from predictors.kinds.universal.cells.unadapted import source_profile, stranger_profile
from profilers.progress import no_progress

__all__ = ["CellPredictor"]

_DESIGN_INTERCEPT = 0.1
"""Standard deviation of a device's level that the choice of samples assumes: a level ranks nothing."""

_PRIOR_ARRAYS = {
    "centre": 1, "gram": 2, "profiles": 2, "intercepts": 1, "scales_ms": 1, "log_stds": 1, "like": 1, "unlike": 1,
}  # fmt: skip
_ADAPTED = "adapted."


class CellPredictor(Predictor):
    """Latency as a sum of costs of an architecture's parts, each device's costs drawn from a prior over devices.

    With c the typical latency of a device, y / c = 1 + b + x·w + noise, where x are centred features of an
    architecture, w is the device's cost profile, and the noise is multiplicative. The prior of w is a mixture of
    Gaussians N(m, Σ sᵢ² Kᵢ) with m the sources' mean profile and components Kᵢ: the sources' covariance; the mean
    profile scaled as a whole, by operator or by stage; physical quantities; independent costs. Members of the mixture
    differ in the scales sᵢ and in the noise: some lie around the scales that forecast a left-out source best, others
    around those of a device that is like no source, and some around what one rule of the space says of a runtime: which
    operators it executes, each of which may be dear there alone. The k measurements weigh the members by marginal
    likelihood, and give each its exact posterior.

    Sources: weight-space Gaussian processes and marginal likelihood, Rasmussen and Williams 2006, chapters 2 and 5; t
    weights, Lange, Little and Taylor 1989; design of measurements by total variance, Seo et al. 2000; few-shot latency
    as a task, HELP (Lee et al. 2021) and NASFLAT (Akhauri and Abdelfattah 2024). `docs/reference/universal.md` says
    what was measured to choose each default.

    Args:
        members: of the mixture.
        unlike: share of members around a device that is like no source.
        scale_spread: standard deviation of log scales around the left-out sources' scales.
        unlike_spread: the same around those of a device like no source.
        noise: median over members of a measurement's relative noise.
        noise_spread: standard deviation of its logarithm.
        tail: degrees of freedom of the noise.
        intercept: standard deviation of b.
        design_unlike: weight of a device like no source in the choice of samples.
        transfer: whether a new device's prior has the sources' profiles; without, it is what the ablation
            measures, and the space's own components are left.
        variance: whether each forecast has a variance of its own, from the posterior; without, which is what the
            ablation measures, all have that of the support's measurements when left out in turn.
        seed: of the rows that scales are found on.
    """

    kind: ClassVar[str] = "universal"
    capabilities: ClassVar[Capabilities] = Capabilities(
        inputs=frozenset({"architecture"}),
        spaces=tuple(SPACES),
        uncertainty=True,
        useful_evidence=frozenset({"microbench"}),
    )

    def __init__(
        self,
        *,
        members: int = 64,
        unlike: float = 0.8,
        scale_spread: float = 1.0,
        unlike_spread: float = 0.7,
        noise: float = 0.04,
        noise_spread: float = 1.1,
        tail: float = 3.0,
        intercept: float = 1.0,
        design_unlike: float = 0.2,
        transfer: bool = True,
        variance: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__(seed=seed)
        self.members, self.unlike = members, unlike
        self.scale_spread, self.unlike_spread = scale_spread, unlike_spread
        self.noise, self.noise_spread, self.tail = noise, noise_spread, tail
        self.intercept, self.design_unlike = intercept, design_unlike
        self.transfer, self.variance = transfer, variance
        self.prior_: DevicePrior | None = None
        self.adapted_: CostProfile | None = None

    def fit(
        self,
        data: LatencyDataset,
        *,
        validation: LatencyDataset | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Learn the prior from the rows of one or many devices.

        Degenerate architectures are left out: runtimes that fold them answer in next to no time.

        Args:
            data: at least ten rows of every device, all of one search space.
            validation: not used; scales are found on left-out sources.
            progress: called after each device.

        Raises:
            InputError: rows that are not of one search space with features, or too few of a device.
        """
        space = common_space(data.queries)
        if space is None:
            raise InputError(f"The rows have to be architectures of one search space: {', '.join(SPACES)}.")
        report = progress or no_progress
        sources = {target: source_rows(space, data.subset(rows), target) for target, rows in data.targets().items()}
        self._install(learn_prior(space, sources, seed=self.seed, progress=report), tuple(sources))
        self.adapted_ = None
        report(1.0, "prior over devices")
        return self

    def adapt(self, target: Target, support: LatencyDataset, evidence: DeviceEvidence | None = None) -> Self:
        """The posterior of one device; milliseconds come from the support alone, so it may not be empty.

        Degenerate architectures are left out of the support unless it has nothing else.

        Raises:
            NotFittedError: before `fit`.
            InputError: an empty support.
            UnsupportedGraphError: rows of another search space.
        """
        prior = self.prior
        if len(support) == 0:
            raise InputError(
                "A universal predictor needs at least one measurement to know a device's speed: measure some."
            )
        texts = texts_of(support.queries, prior.space)
        rows = np.flatnonzero(prior.space.measurable(texts))
        rows = rows if len(rows) else np.arange(len(texts))
        x, latency_ms = prior.centred([texts[row] for row in rows]), support.latency_ms[rows]
        conditioned = partial(posterior_of, self._new_device, self._mixture, intercept=self.intercept, tail=self.tail)
        adapted = copy(self)
        with products_on_one_thread():  # many small matrices: threads would wait for each other at each
            profile = conditioned(x, latency_ms)
            adapted.adapted_ = profile if self.variance else equally_uncertain(profile, conditioned, x, latency_ms)
        return adapted

    def predict(self, queries: Sequence[Query]) -> Prediction:
        """Forecasts; before `adapt`, devices of training by their own profiles, others by the sources' mean."""
        x = self.prior.centred(texts_of(queries, self.prior.space))
        if self.adapted_ is not None:
            median, spread = self.adapted_.forecast(x)
            return Prediction(median_ms=median, log_std=spread, tail_scale=self.adapted_.tail_scale)
        median, spread = np.empty(len(x)), np.empty(len(x))
        for target, rows in rows_by_target(queries).items():
            median[rows], spread[rows] = self._unadapted(target).forecast(x[rows])
        return Prediction(median_ms=median, log_std=spread)

    def with_interval_scale(self, factor: float) -> Self:
        """The adapted predictor, with intervals that are so many times as wide."""
        assert self.adapted_ is not None  # noqa: S101 - adapted
        scaled = copy(self)
        scaled.adapted_ = replace(self.adapted_, tail_scale=self.adapted_.tail_scale * factor)
        return scaled

    def coverage(self, queries: Sequence[Query]) -> FloatArray:
        """Share of an architecture's places whose operator training has seen there."""
        prior = self.prior
        hot = prior.space.features(texts_of(queries, prior.space))[:, prior.space.places]
        seen = (prior.centre[prior.space.places] > 0).astype(np.float64)
        return np.asarray(hot @ seen / np.maximum(hot.sum(axis=1), 1.0))

    def adaptation_features(self, queries: Sequence[Query]) -> FloatArray:
        """Float64 (n, d): inner products of rows are prior covariances of relative latency on a new device."""
        rows = self.prior.centred(texts_of(queries, self.prior.space)) @ self._design_factor
        return np.column_stack([np.full(len(rows), _DESIGN_INTERCEPT), rows])

    def fitted_capabilities(self) -> Capabilities:
        """The capabilities, with the one search space that it was fitted on."""
        return replace(self.capabilities, spaces=(self.prior.space.name,))

    def to_artifact(self) -> Artifact:
        """Profiles of the sources and moments of features; of an adapted predictor also its posterior."""
        prior = self.prior
        adapted = {} if self.adapted_ is None else self.adapted_.to_arrays(_ADAPTED)
        return self.make_artifact(
            arrays={name: getattr(prior, name) for name in _PRIOR_ARRAYS} | adapted,
            vocabulary={
                "space": prior.space.name,
                "targets": list(self.targets_),
                "components": list(component_names(prior.space)),
            },
            feature_version=prior.space.version,
        )

    @classmethod
    def from_artifact(cls, artifact: Artifact) -> Self:
        """The predictor that `to_artifact` described."""
        predictor = cls.from_header(artifact)
        space = feature_space(str(artifact.vocabulary_entry("space")))
        if space is None:
            name = artifact.vocabulary_entry("space")
            raise ArtifactError(f"The artifact is of the search space {name!r}, which is not known.")
        space = space.as_of(artifact.feature_version)
        artifact.require_features(space.version)
        arrays = {name: artifact.array(name, ndim=ndim) for name, ndim in _PRIOR_ARRAYS.items()}
        predictor._install(DevicePrior(space=space, **arrays), tuple(artifact.vocabulary_entry("targets")))
        if f"{_ADAPTED}mean" in artifact.arrays:
            predictor.adapted_ = CostProfile.from_artifact(artifact, _ADAPTED)
        return predictor

    @property
    def prior(self) -> DevicePrior:
        """The prior over devices.

        Raises:
            NotFittedError: before `fit`.
        """
        self.require_fitted("prior_")
        assert self.prior_ is not None  # noqa: S101 - just checked
        return self.prior_

    def _install(self, prior: DevicePrior, targets: tuple[TargetId, ...]) -> None:
        """Everything that follows from the prior and the hyperparameters, once, so that threads only read."""
        self.prior_, self.targets_ = prior, targets
        settings = MixtureSettings(
            members=self.members,
            unlike=self.unlike,
            scale_spread=self.scale_spread,
            unlike_spread=self.unlike_spread,
            noise=self.noise,
            noise_spread=self.noise_spread,
        )
        self._new_device = prior if self.transfer else prior.without_sources()
        self._mixture = self._new_device.mixture(settings)
        self._design_factor = _factor(self._new_device.covariance(self.design_unlike))
        self._stranger = stranger_profile(self._new_device, self.unlike)

    def _unadapted(self, target: TargetId) -> CostProfile:
        if target not in self.targets_:
            return self._stranger
        return source_profile(self.prior, self.targets_.index(target))


def _factor(covariance: FloatArray) -> FloatArray:
    """F with F·Fᵀ the covariance, without directions that have next to no variance: float64 (p, r)."""
    values, vectors = np.linalg.eigh(covariance)
    kept = values > 1e-9 * values.max()
    return np.asarray(vectors[:, kept] * np.sqrt(values[kept]))

"""The house predictor: few-shot, with a prior over devices and a posterior in closed form."""

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from inspect import signature
from typing import ClassVar, Self

import numpy as np

from latcast.schema import ArtifactError, DeviceEvidence, InputError, Target, TargetId
from predictors.artifact import Artifact
from predictors.base import Capabilities, FloatArray, LatencyDataset, Prediction, Predictor, Progress, Provenance, Query
from predictors.data.splits import dataset_digest, rows_by_target
from predictors.explanation import KernelForecasts
from predictors.kinds.universal.cells.components import component_names
from predictors.kinds.universal.cells.posterior import Posterior, equally_doubtful, posterior_of
from predictors.kinds.universal.cells.prior import DevicePrior, Mixture, MixtureSettings, learn_prior
from predictors.kinds.universal.cells.queries import SPACES, common_space, source_rows, texts_of
from predictors.kinds.universal.graphs.feature_map import EPOCHS, GRAPHS, TREES, WIDTH, GraphPredictor
from profilers.progress import no_progress

__all__ = ["UniversalPredictor"]

FEATURE_VERSION = "universal-1"

_DESIGN_INTERCEPT = 0.1
"""Doubt about a device's level that the choice of samples assumes: a level ranks nothing."""

_PRIOR_ARRAYS = {
    "centre": 1, "gram": 2, "profiles": 2, "intercepts": 1, "scales_ms": 1, "log_stds": 1, "like": 1, "unlike": 1,
}  # fmt: skip
_ADAPTED = "adapted."


class UniversalPredictor(Predictor):
    """Latency as a sum of costs, each device's costs drawn from a prior that source devices teach.

    There are two feature maps. Architectures of one search space that the predictor knows are read as text, as below.
    Anything else is read as graphs: costs of kernels, see `predictors.kinds.universal.graphs.feature_map`.

    With c the typical latency of a device, y / c = 1 + b + x·w + noise, where x are centred features of an
    architecture, w is the device's cost profile, and the noise is multiplicative. The prior of w is a mixture of
    Gaussians N(m, Σ sᵢ² Kᵢ) with m the sources' mean profile and components Kᵢ: the sources' covariance; the mean
    profile scaled as a whole, by operator or by stage; physical quantities; independent costs. Members of the mixture
    differ in the scales sᵢ and in the noise: some lie around the scales that forecast a left-out source best, others
    around those of a device that is like no source. The k measurements weigh the members by marginal likelihood, and
    give each its exact posterior.

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
        transfer: whether a new device's prior knows the sources' profiles; without, it is what the ablation
            measures, and the space's own components are left.
        variance: whether each forecast has a doubt of its own, from the posterior; without, which is what the ablation
            measures, all are as doubtful as the support's measurements were when left out in turn.
        width: of graphs: units of the networks' hidden layers.
        epochs: of graphs: passes in training.
        trees: of graphs: those that read a graph as a whole.
        folds: of graphs: networks, each trained without its own fold.
        seed: of everything random.
    """

    kind: ClassVar[str] = "universal"
    capabilities: ClassVar[Capabilities] = Capabilities(
        inputs=frozenset({"architecture", "graph"}),
        spaces=tuple(SPACES),
        uncertainty=True,
        useful_evidence=frozenset({"microbench"}),
        kernels=True,
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
        width: int = WIDTH,
        epochs: int = EPOCHS,
        trees: int = TREES,
        folds: int = 4,
        seed: int = 0,
    ) -> None:
        super().__init__(seed=seed)
        self.members, self.unlike = members, unlike
        self.scale_spread, self.unlike_spread = scale_spread, unlike_spread
        self.noise, self.noise_spread, self.tail = noise, noise_spread, tail
        self.intercept, self.design_unlike = intercept, design_unlike
        self.transfer, self.variance = transfer, variance
        self.width, self.epochs, self.trees, self.folds = width, epochs, trees, folds
        self.prior_: DevicePrior | None = None
        self.adapted_: Posterior | None = None
        self.graphs_: GraphPredictor | None = None

    def fit(
        self,
        data: LatencyDataset,
        *,
        validation: LatencyDataset | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Learn the prior from the rows of one or many devices.

        Rows that all are architectures of one known search space are read as such, others as graphs. Degenerate
        architectures are left out: runtimes that fold them answer in next to no time.

        Args:
            data: of architectures at least ten rows of every device; graphs may have their kernels' timings.
            validation: not used; scales are found on left-out sources, networks judged on left-out graphs.
            progress: called after each device.
        """
        self.prior_ = self.adapted_ = self.graphs_ = None
        space = common_space(data.queries)
        if space is None:
            self.graphs_ = self._graph_predictor().fit(data, progress=progress)
            self.provenance_ = Provenance(dataset_digest=dataset_digest(data))
            return self
        sources = {target: source_rows(space, data.subset(rows), target) for target, rows in data.targets().items()}
        self.targets_ = tuple(sources)
        prior = learn_prior(space, sources, seed=self.seed, progress=progress or no_progress)
        self._install(prior)
        self.provenance_ = Provenance(dataset_digest=dataset_digest(data))
        if progress:
            progress(1.0, "prior over devices")
        return self

    def adapt(self, target: Target, support: LatencyDataset, evidence: DeviceEvidence | None = None) -> Self:
        """The posterior of one device; milliseconds come from the support alone, so it may not be empty.

        Degenerate architectures are left out of the support unless it has nothing else.

        Raises:
            InputError: an empty support.
        """
        if self.graphs_ is not None:
            adapted = copy(self)
            adapted.graphs_ = self.graphs_.adapt(target, support, evidence)
            return adapted
        prior = self._prior
        if len(support) == 0:
            raise InputError(
                "A universal predictor needs at least one measurement to know a device's speed: measure some."
            )
        texts = texts_of(support.queries, prior.space)
        rows = np.flatnonzero(prior.space.measurable(texts))
        rows = rows if len(rows) else np.arange(len(texts))
        x = prior.centred([texts[row] for row in rows])
        adapted = copy(self)
        given = partial(posterior_of, self._new_device, self._mixture, intercept=self.intercept, tail=self.tail)
        posterior = given(x, support.latency_ms[rows])
        adapted.adapted_ = (
            posterior if self.variance else equally_doubtful(posterior, given, x, support.latency_ms[rows])
        )
        return adapted

    def predict(self, queries: Sequence[Query]) -> Prediction:
        """Forecasts; before `adapt`, devices of training by their own profiles, others by the sources' mean."""
        if self.graphs_ is not None:
            return self.graphs_.predict(queries)
        prior = self._prior
        x = prior.centred(texts_of(queries, prior.space))
        if self.adapted_ is not None:
            median, spread = self.adapted_.forecast(x)
            return Prediction(median_ms=median, log_std=spread, tail_scale=self.adapted_.tail_scale)
        median, spread = np.empty(len(x)), np.empty(len(x))
        for target, rows in rows_by_target(queries).items():
            median[rows], spread[rows] = self._unadapted(target).forecast(x[rows])
        return Prediction(median_ms=median, log_std=spread)

    def coverage(self, queries: Sequence[Query]) -> FloatArray:
        """Share of an architecture's places whose operator training has seen there; of graphs, of the forecast."""
        if self.graphs_ is not None:
            return self.graphs_.coverage(queries)
        prior = self._prior
        hot = prior.space.features(texts_of(queries, prior.space))[:, prior.space.places]
        seen = (prior.centre[prior.space.places] > 0).astype(np.float64)
        return np.asarray(hot @ seen / np.maximum(hot.sum(axis=1), 1.0))

    def unknown_operators(self, query: Query) -> tuple[str, ...]:
        """Kernels of a graph whose operator training has not seen, sorted."""
        return () if self.graphs_ is None else self.graphs_.unknown_operators(query)

    def explain(self, query: Query) -> KernelForecasts:
        """The kernels of the query's graph, each with its part of the forecast.

        Raises:
            InputError: fitted on a search space, whose architectures are not read as kernels.
        """
        if self.graphs_ is None:
            raise InputError(
                f"This universal predictor reads architectures of {self._prior.space.name!r} as text, not as kernels: "
                "explain with a predictor that was trained on graphs."
            )
        return self.graphs_.explain(query)

    def adaptation_features(self, queries: Sequence[Query]) -> FloatArray:
        """Float64 (n, d): inner products of rows are prior covariances of relative latency on a new device."""
        if self.graphs_ is not None:
            return self.graphs_.adaptation_features(queries)
        rows = self._prior.centred(texts_of(queries, self._prior.space)) @ self._design_factor
        return np.column_stack([np.full(len(rows), _DESIGN_INTERCEPT), rows])

    def fitted_capabilities(self) -> Capabilities:
        """Of the one search space that it was fitted on, or of graphs."""
        if self.graphs_ is not None:
            return replace(self.capabilities, inputs=frozenset({"graph"}), spaces=())
        return replace(
            self.capabilities, inputs=frozenset({"architecture"}), spaces=(self._prior.space.name,), kernels=False
        )

    def to_artifact(self) -> Artifact:
        """Profiles of the sources and moments of features; of an adapted predictor also its posterior."""
        if self.graphs_ is not None:
            graphs = self.graphs_.to_artifact()
            return self.make_artifact(
                arrays=graphs.arrays, vocabulary=graphs.vocabulary, feature_version=graphs.feature_version
            )
        prior = self._prior
        arrays = {name: getattr(prior, name) for name in _PRIOR_ARRAYS}
        if self.adapted_ is not None:
            known = self.adapted_
            scalars = [known.scale_ms, known.noise, known.rounding, known.tail_scale]
            arrays |= {
                f"{_ADAPTED}mean": known.mean,
                f"{_ADAPTED}covariance": known.covariance,
                f"{_ADAPTED}scalars": np.array(scalars),
            }
        vocabulary = {
            "space": prior.space.name,
            "targets": list(self.targets_),
            "components": list(component_names(prior.space)),
        }
        return self.make_artifact(arrays=arrays, vocabulary=vocabulary, feature_version=FEATURE_VERSION)

    @classmethod
    def from_artifact(cls, artifact: Artifact) -> Self:
        """The predictor that `to_artifact` described."""
        predictor = cls.from_header(artifact)
        if artifact.vocabulary_entry("space") == GRAPHS:
            names = signature(GraphPredictor.__init__).parameters.keys() - {"self", "seed"}
            known = artifact.hyperparameters
            hyperparameters = {name: known[name] for name in sorted(names) if name in known}
            predictor.graphs_ = GraphPredictor.from_artifact(replace(artifact, hyperparameters=hyperparameters))
            return predictor
        artifact.require_features(FEATURE_VERSION)
        space = SPACES.get(artifact.vocabulary_entry("space"))
        if space is None:
            raise ArtifactError(
                f"The artifact is of the search space {artifact.vocabulary_entry('space')!r}, which is not known."
            )
        arrays = {name: artifact.array(name, ndim=ndim) for name, ndim in _PRIOR_ARRAYS.items()}
        predictor.targets_ = tuple(artifact.vocabulary_entry("targets"))
        predictor._install(DevicePrior(space=space, **arrays))
        if f"{_ADAPTED}mean" in artifact.arrays:
            scale, noise, rounding, tail = (float(value) for value in artifact.array(f"{_ADAPTED}scalars", ndim=1))
            predictor.adapted_ = Posterior(
                scale_ms=scale,
                mean=artifact.array(f"{_ADAPTED}mean", ndim=1),
                covariance=artifact.array(f"{_ADAPTED}covariance", ndim=2),
                noise=noise,
                rounding=rounding,
                tail_scale=tail,
            )
        return predictor

    def _graph_predictor(self) -> GraphPredictor:
        return GraphPredictor(width=self.width, epochs=self.epochs, trees=self.trees, folds=self.folds, seed=self.seed)

    @property
    def _prior(self) -> DevicePrior:
        self.require_fitted("prior_")
        assert self.prior_ is not None  # noqa: S101 - just checked
        return self.prior_

    def _install(self, prior: DevicePrior) -> None:
        """Everything that follows from the prior and the hyperparameters, once, so that threads only read."""
        self.prior_ = prior
        settings = MixtureSettings(
            members=self.members,
            unlike=self.unlike,
            scale_spread=self.scale_spread,
            unlike_spread=self.unlike_spread,
            noise=self.noise,
            noise_spread=self.noise_spread,
        )
        self._new_device = prior if self.transfer else prior.without_sources()
        self._mixture: Mixture = self._new_device.mixture(settings)
        self._design_factor = _factor(self._new_device.covariance(self.design_unlike))
        self._stranger = _stranger(self._new_device, self.unlike)

    def _unadapted(self, target: TargetId) -> Posterior:
        if target not in self.targets_:
            return self._stranger
        prior, index = self._prior, self.targets_.index(target)
        mean = np.append(prior.profiles[index], prior.intercepts[index])
        return Posterior(
            scale_ms=float(prior.scales_ms[index]),
            mean=mean,
            covariance=np.zeros((len(mean),) * 2),
            noise=float(prior.log_stds[index] ** 2),
            rounding=0.0,
            tail_scale=1.0,
        )


def _stranger(prior: DevicePrior, unlike: float) -> Posterior:
    """A device of which nothing is known: the sources' mean, with their spread of speeds as doubt."""
    covariance = np.zeros((len(prior.mean) + 1,) * 2)
    covariance[:-1, :-1] = prior.covariance(unlike)
    speeds = np.log(prior.scales_ms)
    return Posterior(
        scale_ms=float(np.exp(speeds.mean())),
        mean=np.append(prior.mean, 0.0),
        covariance=covariance,
        noise=float(speeds.var(ddof=1) + np.mean(prior.log_stds**2)) if len(speeds) > 1 else 1.0,
        rounding=0.0,
        tail_scale=1.0,
    )


def _factor(covariance: FloatArray) -> FloatArray:
    """F with F·Fᵀ the covariance, without directions that have next to no variance: float64 (p, r)."""
    values, vectors = np.linalg.eigh(covariance)
    kept = values > 1e-9 * values.max()
    return np.asarray(vectors[:, kept] * np.sqrt(values[kept]))

"""Costs of operators as the only thing to learn of a device: few positive numbers, told from few latencies."""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Self

import numpy as np
from scipy.special import softmax
from scipy.stats import norm
from scipy.stats import t as student

from latcast.schema import DeviceEvidence, InputError, MissingEvidenceError, Target, TargetId
from predictors.artifact import Artifact
from predictors.base import Capabilities, FloatArray, LatencyDataset, Prediction, Predictor, Progress, Provenance, Query
from predictors.data.splits import dataset_digest, rows_by_target
from predictors.inference.blas_threads import products_on_one_thread
from predictors.inference.conformal import calibrated_scale
from predictors.kinds.operator_costs.posterior import Costs, Design, Prior, fitted, size_of
from predictors.kinds.operator_costs.readings import READINGS, VERSION, Reading, readings_of
from predictors.kinds.universal.cells.queries import SPACES, common_space, source_rows, texts_of
from profilers.progress import no_progress

__all__ = ["OperatorCostsPredictor"]

_OPERATOR_STD, _QUANTITY_STD, _LEVEL_STD = 1.3, 0.8, 3.0
"""Of logarithms, on a device that is like no source: operators differ by two orders of magnitude."""
_OVERHEAD, _OVERHEAD_STD = 0.2, 1.2
_BESIDE_SOURCES, _BESIDE_ONE = 0.3, 0.6
"""By how much a device differs from sources beyond what these differ, where there are several, and one."""

_NOISES, _PLACES = (0.003, 0.008, 0.02, 0.05, 0.12), (0.02, 0.1, 0.4)
_SOURCE_NOISES, _SOURCE_PLACES = (0.01, 0.03, 0.1), (0.05, 0.4)
_FIRST = (0.03, 0.1)
"""Noise and factors of places by which readings and priors are compared first."""
_BEHIND = 12.0
"""Log evidence by which one has to be behind there for the rest not to be asked."""
_NEGLIGIBLE = 0.02
_SOURCE_ROWS = 300
_PRIOR_ERRORS = 10.0
"""How many left-out errors the belief that the variances are right is worth."""
_QUANTILE = 0.95
_DESIGN_LEVEL = 0.1
"""Standard deviation of a device's level that the choice of samples assumes: a level ranks nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """A device of training: by the reading that fits best, its costs; of every reading the logarithms.

    Args:
        reading: index of the reading.
        logs: float64 (d,), places: float64 (p,), see `Costs`.
        log_std: of rows that were left out.
    """

    reading: int
    logs: FloatArray
    places: FloatArray
    log_std: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    """One explanation of a device's latencies, and how far it is believed."""

    reading: int
    costs: Costs
    weight: float


class OperatorCostsPredictor(Predictor):
    """Latency as an overhead and a sum over places of what the operator there costs on the device, times its work.

    A device is a cost of each operator, a rate of each quantity of work (multiply-adds, traffic, launches) and an
    overhead, all positive and each within orders of magnitude; what a runtime executes of a cell is one of several
    readings. With 10 to 16 numbers a device that is like no source is told from 20 latencies. Beyond them each place
    may be off by a factor of its own. Readings, priors (like the sources, or like none of them), noises and sizes of
    these factors are averaged by the evidence of the measurements.

    Source: operators' efficiencies under a roofline, Williams, Waterman and Patterson, Communications of the ACM 52,
    2009; model averaging by evidence, MacKay 2003, chapter 28.

    Args:
        seed: of the rows of a source that its costs are found on.
    """

    kind: ClassVar[str] = "operator_costs"
    capabilities: ClassVar[Capabilities] = Capabilities(
        inputs=frozenset({"architecture"}), spaces=tuple(READINGS), uncertainty=True
    )

    def __init__(self, *, seed: int = 0) -> None:
        super().__init__(seed=seed)
        self.sources_: dict[TargetId, _Source] | None = None
        self.members_: tuple[_Member, ...] | None = None
        self.tail_scale_ = 1.0

    def fit(
        self, data: LatencyDataset, *, validation: LatencyDataset | None = None, progress: Progress | None = None
    ) -> Self:
        """Costs of each device; there is nothing to validate.

        Raises:
            InputError: no rows, rows of other spaces, or too few of a device.
        """
        report, space = progress or no_progress, common_space(data.queries) if len(data) else None
        if space is None or space.name not in READINGS:
            known = ", ".join(READINGS)
            raise InputError(f"Operators' costs are learned from architectures of one search space: {known}.")
        rows = {target: source_rows(space, data.subset(index), target) for target, index in data.targets().items()}
        self.space_, self.readings_ = space.name, readings_of(space.name)
        self.usual_ = np.array(
            [np.mean([one.counts(texts).sum(axis=1).mean() for texts, _ in rows.values()]) for one in self.readings_]
        )
        self.seen_ = np.any([space.features(texts)[:, space.places].any(axis=0) for texts, _ in rows.values()], axis=0)
        sources, logs = dict[TargetId, _Source](), list[list[FloatArray]]()
        for place, (target, (texts, latency_ms)) in enumerate(rows.items()):
            rng = np.random.default_rng([self.seed, place])
            chosen = np.sort(rng.permutation(len(texts))[:_SOURCE_ROWS])
            with products_on_one_thread():  # many small matrices: threads would wait for each other at each
                source, of_readings = self._source([texts[row] for row in chosen], np.log(latency_ms[chosen]))
            sources[target] = source
            logs.append(of_readings)
            report((place + 1) / len(rows), f"costs of {target}")
        self.usual_logs_ = tuple(np.array([one[place] for one in logs]) for place in range(len(self.readings_)))
        self.sources_, self.members_ = sources, None
        self.levels_ = np.array([np.log(latency_ms).mean() for _, latency_ms in rows.values()])
        self.provenance_ = Provenance(dataset_digest=dataset_digest(data))
        return self

    def adapt(self, target: Target, support: LatencyDataset, evidence: DeviceEvidence | None = None) -> Self:
        """The costs that the rows allow, by every reading that they allow.

        Raises:
            NotFittedError: before `fit`.
            MissingEvidenceError: there are no rows.
            UnsupportedGraphError: rows of another space.
        """
        self.require_fitted("sources_")
        if len(support) == 0:
            raise MissingEvidenceError("Adapting takes at least one measured row of the target; measure one.")
        texts, log_ms = texts_of(support.queries, SPACES[self.space_]), np.log(support.latency_ms)
        adapted = copy(self)
        with products_on_one_thread():
            adapted.members_ = self._explained(texts, log_ms)
        adapted.tail_scale_ = _tail_scale(adapted.members_)
        return adapted

    def predict(self, queries: Sequence[Query]) -> Prediction:
        """Forecasts; before `adapt`, devices of training by their own costs, others by the sources' mean."""
        self.require_fitted("sources_")
        texts = texts_of(queries, SPACES[self.space_])
        if self.members_ is not None:
            return self._mixture(texts)
        median, spread = np.empty(len(texts)), np.empty(len(texts))
        for target, rows in rows_by_target(queries).items():
            median[rows], spread[rows] = self._unadapted(target, [texts[row] for row in rows])
        return Prediction(median_ms=median, log_std=spread)

    def with_interval_scale(self, factor: float) -> Self:
        """The adapted predictor, with intervals that are so many times as wide."""
        scaled = copy(self)
        scaled.tail_scale_ = self.tail_scale_ * factor
        return scaled

    def coverage(self, queries: Sequence[Query]) -> FloatArray:
        """Share of an architecture's places whose operator training has seen there."""
        self.require_fitted("sources_")
        space = SPACES[self.space_]
        hot = space.features(texts_of(queries, space))[:, space.places]
        return np.asarray(hot @ self.seen_.astype(np.float64) / np.maximum(hot.sum(axis=1), 1.0))

    def adaptation_features(self, queries: Sequence[Query]) -> FloatArray:
        """Float64 (n, d): inner products of rows are prior covariances of log latency on a device like no source."""
        self.require_fitted("sources_")
        prior = self._priors(0)[-1]
        slopes = self._design(0, texts_of(queries, SPACES[self.space_])).forecast(prior.mean)[1]
        return np.asarray(slopes * np.append(prior.std[:-1], _DESIGN_LEVEL))

    def fitted_capabilities(self) -> Capabilities:
        """The capabilities, with the one search space that it was fitted on."""
        self.require_fitted("sources_")
        return replace(self.capabilities, spaces=(self.space_,))

    def to_artifact(self) -> Artifact:
        """The sources' costs; of an adapted predictor also its own."""
        self.require_fitted("sources_")
        assert self.sources_ is not None  # noqa: S101 - just checked
        arrays: dict[str, Any] = {"usual": self.usual_, "seen": self.seen_, "levels": self.levels_}
        arrays |= {f"logs.{place}": logs for place, logs in enumerate(self.usual_logs_)}
        for place, source in enumerate(self.sources_.values()):
            arrays |= {f"source.{place}.logs": source.logs, f"source.{place}.places": source.places}
            arrays[f"source.{place}.scalars"] = np.array([source.reading, source.log_std])
        for place, member in enumerate(self.members_ or ()):
            arrays |= {f"member.{place}.{one.name}": np.asarray(getattr(member.costs, one.name))
                       for one in fields(Costs)}  # fmt: skip
            arrays[f"member.{place}.scalars"] = np.array([member.reading, member.weight])
        return self.make_artifact(
            arrays=arrays,
            vocabulary={
                "space": self.space_,
                "targets": list(self.sources_),
                "members": len(self.members_ or ()),
                "tail_scale": self.tail_scale_,
            },
            feature_version=VERSION,
        )

    @classmethod
    def from_artifact(cls, artifact: Artifact) -> Self:
        """The predictor that `to_artifact` described."""
        predictor = cls.from_header(artifact)
        artifact.require_features(VERSION)
        predictor.space_ = str(artifact.vocabulary_entry("space"))
        predictor.readings_ = readings_of(predictor.space_)
        predictor.usual_, predictor.levels_ = artifact.array("usual", ndim=1), artifact.array("levels", ndim=1)
        predictor.seen_ = artifact.array("seen", ndim=1)
        predictor.usual_logs_ = tuple(
            artifact.array(f"logs.{place}", ndim=2) for place in range(len(predictor.readings_))
        )
        predictor.sources_ = {
            target: _source_from(artifact, place) for place, target in enumerate(artifact.vocabulary_entry("targets"))
        }
        count = int(artifact.vocabulary_entry("members"))
        predictor.members_ = tuple(_member_from(artifact, place) for place in range(count)) or None
        predictor.tail_scale_ = float(artifact.vocabulary_entry("tail_scale"))
        return predictor

    def _design(self, place: int, texts: Sequence[str]) -> Design:
        reading = self.readings_[place]
        return Design(counts=reading.counts(texts) / self.usual_[place], reading=reading)

    def _source(self, texts: Sequence[str], log_ms: FloatArray) -> tuple[_Source, list[FloatArray]]:
        """A device of training; and the logarithms of its costs by each reading, its level relative to its mean."""
        best, logs = list[tuple[int, Costs]](), list[FloatArray]()
        for place, reading in enumerate(self.readings_):
            design, wide, found = self._design(place, texts), _wide(reading), list[Costs]()
            for noise in _SOURCE_NOISES:
                for places in _SOURCE_PLACES:
                    start = found[-1].logs if found else None
                    found.append(fitted(design, log_ms, replace(wide, noise=noise, places=places), start=start))
            costs = max(found, key=_evidence)
            best.append((place, costs))
            logs.append(costs.logs - np.eye(len(costs.logs))[-1] * log_ms.mean())
        place, costs = max(best, key=lambda one: one[1].log_evidence)
        log_std = max(calibrated_scale(np.abs(costs.errors), 0.9), 1e-4)
        return _Source(reading=place, logs=costs.logs, places=costs.places, log_std=log_std), logs

    def _priors(self, place: int) -> tuple[Prior, Prior]:
        """A device like the sources, and one like none of them, as a reading has them."""
        logs, wide = self.usual_logs_[place], _wide(self.readings_[place])
        apart, beside = np.zeros(len(wide.mean)), _BESIDE_ONE
        if len(logs) > 1:
            apart, beside = logs.var(axis=0, ddof=1), _BESIDE_SOURCES
        std = np.sqrt(apart + beside**2)
        return replace(wide, mean=logs.mean(axis=0), std=np.append(std[:-1], _LEVEL_STD)), wide

    def _explained(self, texts: Sequence[str], log_ms: FloatArray) -> tuple[_Member, ...]:
        first = [
            (place, prior, fitted(self._design(place, texts), log_ms, prior))
            for place in range(len(self.readings_))
            for prior in self._priors(place)
        ]
        most = max(costs.log_evidence for _, _, costs in first)
        found = list[tuple[int, Costs]]()
        for place, prior, costs in first:
            if costs.log_evidence < most - _BEHIND:
                continue
            design = self._design(place, texts)
            for noise in _NOISES:
                for places in _PLACES:
                    asked = replace(prior, noise=noise, places=places)
                    found.append((place, fitted(design, log_ms, asked, start=costs.logs)))
        weights = softmax([costs.log_evidence for _, costs in found])
        weights = np.where(weights < _NEGLIGIBLE * weights.max(), 0.0, weights)
        return tuple(
            _Member(reading=place, costs=costs, weight=float(weight / weights.sum()))
            for (place, costs), weight in zip(found, weights, strict=True)
            if weight > 0
        )

    def _mixture(self, texts: Sequence[str]) -> Prediction:
        assert self.members_ is not None  # noqa: S101 - of an adapted predictor
        designs = {place: self._design(place, texts) for place in {member.reading for member in self.members_}}
        weights = np.array([member.weight for member in self.members_])
        parts = [member.costs.forecast(designs[member.reading]) for member in self.members_]
        means, variances = (np.array(part) for part in zip(*parts, strict=True))
        mean = weights @ means
        variance = weights @ (variances + (means - mean) ** 2)
        return Prediction(median_ms=np.exp(mean), log_std=np.sqrt(variance), tail_scale=self.tail_scale_)

    def _unadapted(self, target: TargetId, texts: Sequence[str]) -> tuple[FloatArray, FloatArray]:
        """Median in ms and standard deviation of log latency, float64 (n,) each."""
        assert self.sources_ is not None  # noqa: S101 - of a fitted predictor
        source = self.sources_.get(target)
        if source is not None:
            mean, _, shares = self._design(source.reading, texts).forecast(source.logs)
            return np.exp(mean + shares @ source.places), np.full(len(texts), source.log_std)
        place = int(np.bincount([one.reading for one in self.sources_.values()]).argmax())
        prior = self._priors(place)[0]
        mean, slopes, _ = self._design(place, texts).forecast(prior.mean)
        spread = float(self.levels_.var(ddof=1)) if len(self.levels_) > 1 else 1.0
        own = ((slopes[:, :-1] * prior.std[:-1]) ** 2).sum(axis=1)
        return np.exp(mean + self.levels_.mean()), np.sqrt(own + spread)


def _wide(reading: Reading) -> Prior:
    """A device that is like no source."""
    size, quantities = size_of(reading), reading.work.shape[1]
    std = np.full(size, _OPERATOR_STD)
    std[-quantities - 2 : -2] = _QUANTITY_STD
    std[-2:] = _OVERHEAD_STD, _LEVEL_STD
    mean = np.zeros(size)
    mean[-2:] = np.log(_OVERHEAD), -np.log1p(_OVERHEAD)
    noise, places = _FIRST
    return Prior(mean=mean, std=std, noise=noise, places=places)


def _evidence(costs: Costs) -> float:
    return costs.log_evidence


def _tail_scale(members: Sequence[_Member]) -> float:
    """By what widths are multiplied so that they are as wide as left-out errors are, with Student's tails.

    Squared standardised errors update a scaled inverse χ² prior around one (Gelman et al., Bayesian Data Analysis,
    section 3.3).
    """
    weights = np.array([member.weight for member in members])
    errors, variances = (np.array([getattr(one.costs, name) for one in members]) for name in ("errors", "variances"))
    centre = weights @ errors
    squared = centre**2 / (weights @ (variances + (errors - centre) ** 2))
    freedom = _PRIOR_ERRORS + len(squared)
    widened = np.sqrt((_PRIOR_ERRORS + squared.sum()) / freedom)
    return float(widened * student.ppf(_QUANTILE, freedom) / norm.ppf(_QUANTILE))


def _source_from(artifact: Artifact, place: int) -> _Source:
    reading, log_std = artifact.array(f"source.{place}.scalars", ndim=1)
    return _Source(
        reading=int(reading),
        logs=artifact.array(f"source.{place}.logs", ndim=1),
        places=artifact.array(f"source.{place}.places", ndim=1),
        log_std=float(log_std),
    )


def _member_from(artifact: Artifact, place: int) -> _Member:
    reading, weight = artifact.array(f"member.{place}.scalars", ndim=1)
    arrays: dict[str, Any] = {one.name: artifact.array(f"member.{place}.{one.name}") for one in fields(Costs)}
    arrays |= {name: float(arrays[name]) for name in ("noise", "log_evidence")}
    return _Member(reading=int(reading), costs=Costs(**arrays), weight=float(weight))

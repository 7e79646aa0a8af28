"""The stack: what several predictors of a target say together, each believed as far as the evidence allows."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np

from latcast.schema import (
    BackendUnavailableError,
    DeviceEvidence,
    InputError,
    LatcastError,
    MissingEvidenceError,
    Target,
)
from predictors.artifact import Artifact
from predictors.base import (
    Capabilities,
    FloatArray,
    LatencyDataset,
    Prediction,
    Predictor,
    Progress,
    Provenance,
    Query,
)
from predictors.data.splits import dataset_digest, group_folds
from predictors.evaluation.metrics import absolute_percentage_error
from predictors.explanation import Explains, KernelForecasts
from predictors.kinds.stack.contest import Contender, Contest, Standing, contest
from predictors.kinds.stack.weights import mixed_prediction
from predictors.registry import load_predictor, predictor_class
from predictors.samplers.base import HasAdaptationFeatures, query_features
from profilers.progress import no_progress

__all__ = ["StackPredictor"]

_RECORD_SAMPLES = 10
"""Rows of a held-out target that a contender is adapted to for its record."""
_RECORD_ROWS = 300
"""Rows of a held-out target that are forecast for it, at most."""
_SEPARATOR = "+"


class StackPredictor(Predictor):
    """Contenders of several kinds, fitted on the same rows; adapted, the mixture of their forecasts.

    `adapt` adapts each, judges it by its forecasts of the support's rows when these are left out, and weighs it by
    that beside its record: its error on targets that were held out of training (`predictors.kinds.stack.weights`).
    With few rows the record decides; where one is far ahead it answers alone. The answer is a log-normal with the
    mixture's mean and variance, as wide as its left-out errors are.

    Args:
        kinds: of the contenders, joined by `+`; those that cannot learn from the rows take no part.
        record_folds: parts of the targets, each held out once for the records; fewer than two leave records out.
        seed: of the contenders and of the folds.
    """

    kind: ClassVar[str] = "stack"
    capabilities: ClassVar[Capabilities] = Capabilities(
        inputs=frozenset({"architecture", "graph"}), uncertainty=True, kernels=True,
        features=frozenset({"kernels", "flat", "costs"}),
    )  # fmt: skip

    def __init__(
        self,
        *,
        kinds: str = "universal+operator_costs+boosted_trees+lookup_table",
        record_folds: int = 3,
        seed: int = 0,
    ) -> None:
        super().__init__(seed=seed)
        if not kinds.strip(_SEPARATOR):
            raise InputError(f"A stack is made of kinds joined by {_SEPARATOR}, such as universal+boosted_trees.")
        self.kinds, self.record_folds = kinds, record_folds
        self.contenders_: tuple[Contender, ...] | None = None
        self.contest_: Contest | None = None

    @classmethod
    def of(cls, contenders: Sequence[Contender]) -> Self:
        """The stack of predictors that are fitted already.

        Raises:
            InputError: there are none.
        """
        stack = cls(kinds=_SEPARATOR.join(dict.fromkeys(one.predictor.kind for one in contenders)))
        stack.contenders_ = tuple(contenders)
        return stack

    @classmethod
    def alone(cls, adapted: Predictor, *, scale: float) -> Self:
        """The stack of one adapted predictor, whose intervals are so many times as wide."""
        stack = cls.of([Contender(name=adapted.kind, predictor=adapted)])
        standing = Standing(name=adapted.kind, kind=adapted.kind, record=None, weight=1.0)
        stack.contest_ = Contest(
            standings=(standing,), adapted=(adapted,), weights=np.ones(1), scale=scale, median_ape=None
        )
        return stack

    def fit(
        self, data: LatencyDataset, *, validation: LatencyDataset | None = None, progress: Progress | None = None
    ) -> Self:
        """Fit the contenders, and find their records on held-out targets.

        All of them are asked at once, so they read the same: where the first that learns from the rows reads
        architectures, the others get no graphs either, and who reads nothing in common with it takes no part.

        Args:
            data: rows that one of the kinds at least learns from.
            validation: passed on to the contenders.
            progress: called after each contender.

        Raises:
            InputError: none of the kinds learns from the rows; says why the first does not.
            UnknownNameError: a kind is not registered.
        """
        report = progress or no_progress
        kinds, contenders = self.kinds.split(_SEPARATOR), list[Contender]()
        digest = dataset_digest(data)
        refused: LatcastError | ImportError | None = None
        for place, kind in enumerate(kinds):
            try:
                _require_alike(kind, predictor_class(kind).capabilities, contenders)
                predictor = self._fitted(kind, data, validation)
                _require_alike(kind, predictor.fitted_capabilities(), contenders)
                record = self._record(kind, data)
            except (InputError, MissingEvidenceError, BackendUnavailableError, ImportError) as error:
                refused = refused or error
            else:
                contenders.append(Contender(name=kind, predictor=predictor, record=record))
                if "graph" not in predictor.fitted_capabilities().inputs:
                    data, validation = _of_texts(data), validation and _of_texts(validation)
            report((place + 1) / len(kinds), kind)
        if not contenders:
            raise InputError(f"None of the kinds {', '.join(kinds)} learns from these rows. {refused}")
        self.contenders_, self.contest_ = tuple(contenders), None
        self.provenance_ = Provenance(dataset_digest=digest)
        return self

    def adapt(self, target: Target, support: LatencyDataset, evidence: DeviceEvidence | None = None) -> Self:
        """The contenders adapted to the support, weighed.

        Raises:
            NotFittedError: before `fit`.
            InputError: an empty support.
            LatcastError: none of the contenders can be adapted to it.
        """
        if len(support) == 0:
            raise InputError("A stack is adapted to measured rows: measure one at least.")
        adapted = copy(self)
        adapted.contest_ = contest(self.contenders, target, support, evidence)
        return adapted

    def predict(self, queries: Sequence[Query]) -> Prediction:
        """The mixture's forecasts; before `adapt`, those of the contender with the best record."""
        if self.contest_ is None:
            return self._first().predict(queries)
        return mixed_prediction(
            [one.predict(queries) for one in self.contest_.adapted], self.contest_.weights, scale=self.contest_.scale
        )

    def with_interval_scale(self, factor: float) -> Self:
        """The adapted stack, with intervals that are so many times as wide."""
        assert self.contest_ is not None  # noqa: S101 - adapted
        scaled = copy(self)
        scaled.contest_ = replace(self.contest_, scale=self.contest_.scale * factor)
        return scaled

    def coverage(self, queries: Sequence[Query]) -> FloatArray:
        """Mean of the contenders' coverage, each as far as it is believed."""
        if self.contest_ is None:
            return self._first().coverage(queries)
        return np.asarray(self.contest_.weights @ [one.coverage(queries) for one in self.contest_.adapted])

    def unknown_operators(self, query: Query) -> tuple[str, ...]:
        """Those that no contender which is asked has seen."""
        unknown = [set(one.unknown_operators(query)) for one in self._asked()]
        return tuple(sorted(set[str].intersection(*unknown)))

    def device_descriptor(self) -> str | None:
        """That of the first predictor that is asked and has one."""
        return next((found for one in self._asked() if (found := one.device_descriptor())), None)

    def explain(self, query: Query) -> KernelForecasts:
        """The kernels of the query's graph as the first contender has them that sums over kernels, in a sum that is the
        forecast.

        Raises:
            InputError: none of them does.
        """
        explaining = [one for one in self._asked() if isinstance(one, Explains)]
        if not explaining:
            raise InputError("None of the stack's predictors forecasts by kernel, so it cannot be explained.")
        parts, total = explaining[0].explain(query), float(self.predict([query]).median_ms[0])
        return replace(parts, latency_ms=parts.latency_ms * (total / float(parts.latency_ms.sum())))

    def adaptation_features(self, queries: Sequence[Query]) -> FloatArray:
        """Those of the first contender that has some."""
        stating = [one.predictor for one in self.contenders if isinstance(one.predictor, HasAdaptationFeatures)]
        return stating[0].adaptation_features(queries) if stating else query_features(queries)

    def targets_asked(self, target: Target) -> tuple[Target, ...]:
        """Those of all contenders that are asked."""
        return tuple({each.id: each for one in self._asked() for each in one.targets_asked(target)}.values())

    def references(self) -> tuple[str, ...]:
        """Those of all contenders, in their order, each once. A contender takes no part without its own, and the others
        do without them.
        """
        return tuple(dict.fromkeys(key for one in self.contenders for key in one.predictor.references()))

    def training_capabilities(self) -> Capabilities:
        """With the features and the evidence of every kind that is installed."""
        of_kinds = [self.capabilities]
        for kind in self.kinds.split(_SEPARATOR):
            with suppress(ImportError):
                of_kinds.append(predictor_class(kind).capabilities)
        reading = [one for one in of_kinds if "graph" in one.inputs]  # of texts no features are read
        return replace(self.capabilities, useful_evidence=_evidence(of_kinds), features=_features(reading))

    def fitted_capabilities(self) -> Capabilities:
        """What all contenders read, with the features and evidence of any of them."""
        all_of = [one.predictor.fitted_capabilities() for one in self.contenders]
        spaces = [set(one.spaces) for one in all_of if one.spaces]
        return Capabilities(
            inputs=frozenset.intersection(*(one.inputs for one in all_of)),
            spaces=tuple(sorted(set.intersection(*spaces))) if spaces else (),
            uncertainty=True,
            useful_evidence=_evidence(all_of),
            kernels=any(one.kernels for one in all_of),
            absolute_prior=any(one.absolute_prior for one in all_of),
            trains_to_adapt=any(one.trains_to_adapt for one in all_of),
            features=_features(all_of),
        )

    @property
    def standings(self) -> tuple[Standing, ...]:
        """How each contender did in the last adaptation; empty before one."""
        return () if self.contest_ is None else self.contest_.standings

    def to_artifact(self) -> Artifact:
        """The contenders' artifacts, each as its file; adapted, those of what is believed, with the standings."""
        if self.contest_ is None:
            members, vocabulary = [one.predictor for one in self.contenders], self._entered()
        else:
            members = list(self.contest_.adapted)
            vocabulary = {
                "standings": [standing.to_plain() for standing in self.contest_.standings],
                "weights": self.contest_.weights.tolist(),
                "scale": self.contest_.scale,
                "median_ape": self.contest_.median_ape,
            }
        files = [np.frombuffer(one.to_artifact().to_bytes(), dtype=np.uint8) for one in members]
        return self.make_artifact(
            arrays={f"member.{place}": file for place, file in enumerate(files)}, vocabulary=vocabulary
        )

    @classmethod
    def from_artifact(cls, artifact: Artifact) -> Self:
        """The predictor that `to_artifact` described; of an adapted one the contenders are those that were believed."""
        stack = cls.from_header(artifact)
        if "entered" in artifact.vocabulary:
            entered = artifact.vocabulary_entry("entered")
            stack.contenders_ = tuple(
                Contender(predictor=_member(artifact, place), **names) for place, names in enumerate(entered)
            )
            return stack
        weights = np.array(artifact.vocabulary_entry("weights"), dtype=np.float64)
        members = [_member(artifact, place) for place in range(len(weights))]
        standings = tuple(Standing.from_plain(one) for one in artifact.vocabulary_entry("standings"))
        believed = [standing for standing in standings if standing.weight > 0]
        stack.contenders_ = tuple(
            Contender(name=standing.name, predictor=one, record=standing.record)
            for one, standing in zip(members, believed, strict=True)
        )
        stack.contest_ = Contest(
            standings=standings,
            adapted=tuple(members),
            weights=weights,
            scale=float(artifact.vocabulary_entry("scale")),
            median_ape=artifact.vocabulary_entry("median_ape"),
        )
        return stack

    @property
    def contenders(self) -> tuple[Contender, ...]:
        """The fitted contenders.

        Raises:
            NotFittedError: before `fit`.
        """
        self.require_fitted("contenders_")
        assert self.contenders_ is not None  # noqa: S101 - just checked
        return self.contenders_

    def _entered(self) -> dict[str, Any]:
        return {"entered": [{"name": one.name, "record": one.record} for one in self.contenders]}

    def _asked(self) -> Sequence[Predictor]:
        return self.contest_.adapted if self.contest_ is not None else [self._first()]

    def _first(self) -> Predictor:
        return min(self.contenders, key=lambda one: np.inf if one.record is None else one.record).predictor

    def _fitted(self, kind: str, data: LatencyDataset, validation: LatencyDataset | None = None) -> Predictor:
        return predictor_class(kind)(seed=self.seed).fit(data, validation=validation)

    def _record(self, kind: str, data: LatencyDataset) -> float | None:
        """Median error on held-out targets, each adapted to some of its rows, as a share; None of fewer than three."""
        targets = [query.target.id for query in data.queries]
        if self.record_folds < 2 or len(set(targets)) < 3:
            return None
        errors = list[FloatArray]()
        for inner, outer in group_folds(targets, self.record_folds, seed=self.seed):
            predictor = self._fitted(kind, data.subset(inner))
            for rows in data.subset(outer).targets().values():
                errors.append(self._errors(predictor, data.subset(outer[rows])))
        return float(np.median(np.concatenate(errors)))

    def _errors(self, predictor: Predictor, rows: LatencyDataset) -> FloatArray:
        order = np.random.default_rng(self.seed).permutation(len(rows))
        support, rest = rows.subset(order[:_RECORD_SAMPLES]), rows.subset(order[_RECORD_SAMPLES:][:_RECORD_ROWS])
        if len(rest) == 0:
            return np.empty(0)
        target = rows.queries[0].target
        adapted = predictor.adapt(target, support, rows.evidence.get(target.id))
        return absolute_percentage_error(rest.latency_ms, adapted.predict(rest.queries).median_ms)


def _of_texts(data: LatencyDataset) -> LatencyDataset:
    """The rows as architectures alone: who reads either reads these."""
    queries = [Query(target=query.target, architecture=query.architecture) if query.architecture else query
               for query in data.queries]  # fmt: skip
    return replace(data, queries=queries, kernels=None, kernel_ms=None)


def _require_alike(kind: str, own: Capabilities, contenders: Sequence[Contender]) -> None:
    """Raise `InputError` where a kind reads nothing that all contenders read."""
    for other in (one.predictor.fitted_capabilities() for one in contenders):
        if not own.inputs & other.inputs or (own.spaces and other.spaces and not set(own.spaces) & set(other.spaces)):
            raise InputError(f"{kind} reads other networks than {contenders[0].predictor.kind}.")


def _evidence(all_of: Iterable[Capabilities]) -> frozenset[str]:
    """What any of them needs or can use."""
    return frozenset().union(*(one.useful_evidence | one.evidence | one.any_evidence for one in all_of))


def _features(all_of: Iterable[Capabilities]) -> frozenset[str]:
    return frozenset().union(*(one.features for one in all_of))


def _member(artifact: Artifact, place: int) -> Predictor:
    return load_predictor(Artifact.from_bytes(artifact.array(f"member.{place}", ndim=1).tobytes()))

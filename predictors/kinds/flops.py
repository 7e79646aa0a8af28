"""The baseline: log latency is linear in log FLOPs and log bytes moved, with coefficients of each target's own."""

from collections.abc import Sequence
from copy import copy
from typing import ClassVar, Self

import numpy as np

from latcast.schema import DeviceEvidence, InputError, MissingEvidenceError, Target
from latcast.schema.counting import counted
from predictors.artifact import Artifact
from predictors.base import Capabilities, FloatArray, LatencyDataset, Prediction, Predictor, Progress, Query
from predictors.data.splits import row_keys
from predictors.features.coverage import OperatorRanges
from predictors.features.flat import FEATURE_NAMES, FEATURE_VERSION, flat_features
from predictors.inference.linear_effects import LinearEffects

__all__ = ["FlopsPredictor"]

_COLUMNS = [FEATURE_NAMES.index(name) for name in ("flops", "moved_bytes")]

_SCALE = (2.0, 0.3, 0.3)
"""How much level and exponents differ between targets, as guessed before any is seen."""


class FlopsPredictor(Predictor):
    """Latency = c · FLOPs^a · bytes^b.

    The weights (log c, a, b) vary between targets around a common mean, which training learns together with their
    spread; adaptation is the Bayesian update from there, and the intervals are its posterior predictive, calibrated
    on held-out rows (see `predictors.inference.linear_effects`).

    Args:
        folds: of the cross-validation that calibrates the intervals.
        seed: of the folds.
    """

    kind: ClassVar[str] = "flops"
    capabilities: ClassVar[Capabilities] = Capabilities(
        inputs=frozenset({"graph"}), uncertainty=True, features=frozenset({"flat", "costs"})
    )

    def __init__(self, *, folds: int = 5, seed: int = 0) -> None:
        super().__init__(seed=seed)
        self.folds = folds
        self.effects_: LinearEffects | None = None

    def fit(
        self,
        data: LatencyDataset,
        *,
        validation: LatencyDataset | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Learn exponents and levels; `validation` adds to the rows that calibrate the intervals."""
        if len(data) == 0:
            raise InputError("There are no rows to learn from.")
        raw, y = _raw(data.queries), np.log(data.latency_ms)
        self.centre_ = raw.mean(axis=0)
        x, targets = _design(raw, self.centre_), _target_ids(data.queries)
        if progress:
            progress(0.0, f"{counted(self.folds, 'fold')}")
        effects = LinearEffects.fit_calibrated(
            x, y, targets, row_keys(data), scale=_SCALE, folds=self.folds, seed=self.seed
        )
        if validation is not None:
            rows = _design(_raw(validation.queries), self.centre_)
            scores = effects.scored(rows, np.log(validation.latency_ms), _target_ids(validation.queries))
            effects = effects.calibrated(scores)
        self.effects_ = effects
        self.seen_ = OperatorRanges.of({query.network.hash: query.network for query in data.queries}.values())
        if progress:
            progress(1.0, "fitted")
        return self

    def adapt(self, target: Target, support: LatencyDataset, evidence: DeviceEvidence | None = None) -> Self:
        """The Bayesian update with the support's rows."""
        effects = self._learned()
        if len(support) == 0:
            raise MissingEvidenceError("Adapting takes at least one measured row of the target; measure one.")
        adapted = copy(self)
        x = _design(_raw(support.queries), self.centre_)
        adapted.effects_ = effects.adapted(x, np.log(support.latency_ms), target.id)
        return adapted

    def predict(self, queries: Sequence[Query]) -> Prediction:
        """Forecasts; a target without measurements gets the average over targets, with their spread as variance."""
        return self._learned().predict(_design(_raw(queries), self.centre_), _target_ids(queries))

    def coverage(self, queries: Sequence[Query]) -> FloatArray:
        """Share of each graph's cost in operators and sizes of training."""
        self._learned()
        return self.seen_.shares(query.network for query in queries)

    def adaptation_features(self, queries: Sequence[Query]) -> FloatArray:
        """Rows whose inner products are prior covariances of log latency: for samplers."""
        return self._learned().features(_design(_raw(queries), self.centre_))

    def to_artifact(self) -> Artifact:
        """Mean and posteriors."""
        effects = self._learned()
        return self.make_artifact(
            arrays={**effects.to_arrays(), "centre": self.centre_},
            vocabulary={"targets": effects.target_names(), "operators": self.seen_.to_vocabulary()},
            feature_version=FEATURE_VERSION,
        )

    @classmethod
    def from_artifact(cls, artifact: Artifact) -> Self:
        """The predictor that `to_artifact` described."""
        predictor = cls.from_header(artifact)
        artifact.require_features(FEATURE_VERSION)
        predictor.effects_ = LinearEffects.from_artifact(artifact, artifact.vocabulary_entry("targets"))
        predictor.seen_ = OperatorRanges.from_vocabulary(artifact.vocabulary_entry("operators"))
        predictor.centre_ = artifact.array("centre", ndim=1)
        return predictor

    def _learned(self) -> LinearEffects:
        self.require_fitted("effects_")
        assert self.effects_ is not None  # noqa: S101 - just checked
        return self.effects_


def _raw(queries: Sequence[Query]) -> FloatArray:
    return flat_features([query.network for query in queries])[:, _COLUMNS]


def _design(raw: FloatArray, centre: FloatArray) -> FloatArray:
    return np.hstack([np.ones((len(raw), 1)), raw - centre])


def _target_ids(queries: Sequence[Query]) -> list[str]:
    return [query.target.id for query in queries]

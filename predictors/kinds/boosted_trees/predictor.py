"""Boosted trees on whole networks, over a smooth part that extrapolates: the baseline that others have to beat.

Trees on tabular encodings match neural predictors (Luo et al., Neural architecture search with GBDT, 2020). Trees do
not extrapolate, so they learn the residual of a smooth model: a roofline of graphs, a ridge regression of encodings
(`predictors.kinds.boosted_trees.trends`). Each target's level and a few contrasts are taken out before and learned
with shrinkage (`predictors.inference.linear_effects`), which is also how the predictor adapts.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import lightgbm
import numpy as np

from latcast.schema import ArtifactError, DeviceEvidence, InputError, MissingEvidenceError, Target
from predictors.artifact import Artifact, text_from_array, text_to_array
from predictors.base import Capabilities, FloatArray, LatencyDataset, Prediction, Predictor, Progress, Query
from predictors.data.splits import group_folds, row_keys
from predictors.inference.linear_effects import LinearEffects
from predictors.kinds.boosted_trees.trends import EncodingReader, GraphReader, Reader, reader_from_artifact

__all__ = ["BoostedTreesPredictor"]

_MIN_ROWS = 10
_LEVEL_SCALE, _SLOPE_SCALE = 2.0, 0.1


@dataclass(frozen=True, slots=True)
class _Member:
    """One fold's model: weights of the smooth part (p,), and ensembles of trees for what it leaves, by seed."""

    weights: FloatArray
    boosters: tuple[lightgbm.Booster, ...]


class BoostedTreesPredictor(Predictor):
    """Mean over cross-validation folds of smooth part plus trees, then a linear map of each target's own.

    Rows outside a fold's training give held-out residuals: from these the map's weights, their spread between targets
    and the intervals are learned. Where part of a graph's cost was never seen (`coverage`), the intervals widen by
    what the smooth part alone leaves unexplained.

    Args:
        reads: `graph`, `architecture` (encodings of one search space; no graph is built), or `auto`: architectures
            when training has nothing but architectures of one space.
        trees: boosting rounds.
        learning_rate: shrinkage of each tree.
        leaves: of a tree at most.
        boosters: ensembles of trees for each fold, of different seeds; with one, the mean over folds is so much
            better than each held-out forecast that the intervals come out too wide.
        folds: of the cross-validation.
        seed: of folds and of the trees' samples of rows and features.
    """

    kind: ClassVar[str] = "boosted_trees"
    capabilities: ClassVar[Capabilities] = Capabilities(
        inputs=frozenset({"architecture", "graph"}), uncertainty=True, features=frozenset({"flat", "costs"})
    )

    def __init__(
        self,
        *,
        reads: str = "auto",
        trees: int = 150,
        learning_rate: float = 0.07,
        leaves: int = 12,
        boosters: int = 2,
        folds: int = 6,
        seed: int = 0,
    ) -> None:
        super().__init__(seed=seed)
        if reads not in {"auto", "graph", "architecture"}:
            raise InputError(f"reads is 'auto', 'graph' or 'architecture', not {reads!r}.")
        if min(trees, boosters) < 1 or min(leaves, folds) < 2 or learning_rate <= 0:
            raise InputError("Boosted trees take trees and boosters ≥ 1, leaves and folds ≥ 2, and learning_rate > 0.")
        self.reads, self.trees, self.learning_rate = reads, trees, learning_rate
        self.leaves, self.boosters, self.folds = leaves, boosters, folds
        self.effects_: LinearEffects | None = None

    def fit(
        self,
        data: LatencyDataset,
        *,
        validation: LatencyDataset | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Learn from ten rows or more; `validation` adds to the rows that calibrate the intervals."""
        keys = row_keys(data)
        if len(set(keys)) < _MIN_ROWS:
            raise InputError(f"Boosted trees take at least {_MIN_ROWS} different networks, not {len(set(keys))}.")
        self.reader_ = self._choose_reader(data.queries).fit(data.queries)
        features, y, targets = self.reader_.features(data.queries), np.log(data.latency_ms), _target_ids(data.queries)
        level_free, weights = self._without_levels(features, y, targets)
        self.directions_ = self.reader_.fit_contrasts(features, level_free, targets, weights)
        self.unseen_std_ = float(np.std(level_free - self.reader_.smooth(features, weights)))
        held_out = self._fit_members(features, level_free, keys, progress)
        self.centre_ = np.concatenate([[held_out.mean()], self._contrasts(features).mean(axis=0)])
        x = self._design(features, held_out)
        scale = (_LEVEL_SCALE, _SLOPE_SCALE, *[self.reader_.contrast_scale] * (x.shape[1] - 2))
        effects = LinearEffects.fit_calibrated(x, y, targets, keys, scale=scale, folds=self.folds, seed=self.seed)
        self.effects_ = effects if validation is None else self._recalibrated(effects, validation)
        if progress:
            progress(1.0, "fitted")
        return self

    def adapt(self, target: Target, support: LatencyDataset, evidence: DeviceEvidence | None = None) -> Self:
        """Level, slope and contrasts of the target by Bayesian update; the trees stay."""
        effects = self._learned()
        if len(support) == 0:
            raise MissingEvidenceError("Adapting takes at least one measured row of the target; measure one.")
        adapted = copy(self)
        adapted.effects_ = effects.adapted(self._rows(support.queries), np.log(support.latency_ms), target.id)
        return adapted

    def predict(self, queries: Sequence[Query]) -> Prediction:
        """Forecasts; a target without measurements gets the average over targets, with their spread as variance."""
        effects = self._learned()
        if not queries:
            return Prediction(median_ms=np.empty(0), log_std=np.empty(0))
        unseen = 1 - self.reader_.coverage(queries)
        extra = np.square(unseen * self.unseen_std_)
        return effects.predict(self._rows(queries), _target_ids(queries), extra_variance=extra)

    def coverage(self, queries: Sequence[Query]) -> FloatArray:
        """Graphs: share of cost in operators and sizes of training. Encodings: share of places with known values."""
        self._learned()
        return self.reader_.coverage(queries)

    def adaptation_features(self, queries: Sequence[Query]) -> FloatArray:
        """Rows whose inner products are prior covariances of log latency: for samplers."""
        return self._learned().features(self._rows(queries))

    def fitted_capabilities(self) -> Capabilities:
        """Graphs, or architectures of the one search space that it was fitted on."""
        self._learned()
        if isinstance(self.reader_, EncodingReader):
            return replace(self.capabilities, inputs=frozenset({"architecture"}), spaces=(self.reader_.space,))
        return replace(self.capabilities, inputs=frozenset({"graph"}))

    def to_artifact(self) -> Artifact:
        """Smooth weights, trees as text, the targets' maps."""
        effects = self._learned()
        arrays: dict[str, Any] = {}
        for index, member in enumerate(self.members_):
            arrays[f"smooth.{index}"] = member.weights
            for number, booster in enumerate(member.boosters):
                arrays[f"trees.{index}.{number}"] = text_to_array(booster.model_to_string())
        arrays |= {"directions": self.directions_, "centre": self.centre_, "doubt": np.array(self.unseen_std_)}
        return self.make_artifact(
            arrays=arrays | effects.to_arrays(),
            vocabulary={
                "reads": self.reader_.name,
                "features": self.reader_.to_vocabulary(),
                "targets": effects.target_names(),
                "members": len(self.members_),
            },
            feature_version=self.reader_.feature_version,
        )

    @classmethod
    def from_artifact(cls, artifact: Artifact) -> Self:
        """The predictor that `to_artifact` described."""
        predictor = cls.from_header(artifact)
        predictor.reader_ = reader_from_artifact(artifact)
        predictor.members_ = [
            _member(artifact, i, predictor.boosters) for i in range(int(artifact.vocabulary_entry("members")))
        ]
        predictor.directions_ = artifact.array("directions")
        predictor.centre_ = artifact.array("centre", ndim=1)
        predictor.unseen_std_ = float(artifact.array("doubt", ndim=0))
        predictor.effects_ = LinearEffects.from_artifact(artifact, artifact.vocabulary_entry("targets"))
        return predictor

    def _choose_reader(self, queries: Sequence[Query]) -> type[Reader]:
        spaces = {query.architecture.space for query in queries if query.architecture and not query.has_graph}
        bare = len(spaces) == 1 and all(query.architecture and not query.has_graph for query in queries)
        return EncodingReader if self.reads == "architecture" or (self.reads == "auto" and bare) else GraphReader

    def _without_levels(
        self, features: FloatArray, y: FloatArray, targets: Sequence[str]
    ) -> tuple[FloatArray, FloatArray]:
        """(log latency without each target's level (n,), weights of the smooth part): by turns, until they agree."""
        names = np.asarray(targets)
        free = y.copy()
        for name in set(targets):
            free[names == name] -= y[names == name].mean()
        for _ in range(5):
            weights = self.reader_.fit_smooth(features, free)
            left = y - self.reader_.smooth(features, weights)
            for name in set(targets):
                free[names == name] = y[names == name] - np.median(left[names == name])
        return free, self.reader_.fit_smooth(features, free)

    def _fit_members(
        self, features: FloatArray, y: FloatArray, keys: Sequence[str], progress: Progress | None
    ) -> FloatArray:
        """Fit every fold's model; returns the forecast of each row by the model that did not see it, (n,)."""
        self.members_: list[_Member] = []
        held_out = np.empty(len(y))
        for fold, (inner, outer) in enumerate(group_folds(keys, self.folds, seed=self.seed)):
            if progress:
                progress(fold / (self.folds + 1), f"trees of fold {fold + 1} of {self.folds}")
            weights = self.reader_.fit_smooth(features[inner], y[inner])
            left = y[inner] - self.reader_.smooth(features[inner], weights)
            boosters = (self._boost(features[inner], left, number) for number in range(self.boosters))
            member = _Member(weights, tuple(boosters))
            held_out[outer] = self._member_forecast(member, features[outer])
            self.members_.append(member)
        return held_out

    def _boost(self, features: FloatArray, residual: FloatArray, number: int) -> lightgbm.Booster:
        settings = {
            "objective": "huber", "alpha": 0.5, "learning_rate": self.learning_rate, "num_leaves": self.leaves,
            "min_data_in_leaf": max(2, min(10, len(residual) // 20)), "lambda_l2": 1.0, "feature_fraction": 0.6,
            "bagging_fraction": 0.8, "bagging_freq": 1, "seed": self.seed * self.boosters + number,
            "deterministic": True, "num_threads": 1, "force_row_wise": True, "verbosity": -1,
        }  # fmt: skip
        return lightgbm.train(settings, lightgbm.Dataset(features, residual), num_boost_round=self.trees)

    def _member_forecast(self, member: _Member, features: FloatArray) -> FloatArray:
        left = np.mean(
            [booster.predict(features, num_threads=1) for booster in member.boosters], axis=0, dtype=np.float64
        )
        return self.reader_.smooth(features, member.weights) + left

    def _rows(self, queries: Sequence[Query]) -> FloatArray:
        features = self.reader_.features(queries)
        return self._design(features, np.mean([self._member_forecast(m, features) for m in self.members_], axis=0))

    def _contrasts(self, features: FloatArray) -> FloatArray:
        return self.reader_.contrasts(features, self.directions_)

    def _design(self, features: FloatArray, forecast: FloatArray) -> FloatArray:
        inner = np.column_stack([forecast, self._contrasts(features)]) - self.centre_
        return np.column_stack([np.ones(len(features)), inner])

    def _recalibrated(self, effects: LinearEffects, validation: LatencyDataset) -> LinearEffects:
        x, y = self._rows(validation.queries), np.log(validation.latency_ms)
        scores = effects.scored(x, y, _target_ids(validation.queries))
        return effects.calibrated(scores)

    def _learned(self) -> LinearEffects:
        self.require_fitted("effects_")
        assert self.effects_ is not None  # noqa: S101 - just checked
        return self.effects_


def _member(artifact: Artifact, index: int, boosters: int) -> _Member:
    texts = [text_from_array(artifact.array(f"trees.{index}.{number}", ndim=1)) for number in range(boosters)]
    try:
        read = tuple(lightgbm.Booster(model_str=text) for text in texts)
    except (lightgbm.basic.LightGBMError, ValueError) as error:
        raise ArtifactError(f"The trees in the artifact cannot be read: {error}.") from error
    return _Member(artifact.array(f"smooth.{index}", ndim=1), read)


def _target_ids(queries: Sequence[Query]) -> list[str]:
    return [query.target.id for query in queries]

"""Boosted trees: the conformance suite, extrapolation and intervals."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from predictors.base import Query
from predictors.kinds.boosted_trees.predictor import BoostedTreesPredictor
from predictors.evaluation.metrics import median_ape
from predictors.testing import (
    DEVICES,
    PredictorSuite,
    Workload,
    architecture_workload,
    foreign_graph,
    measure,
    random_graph,
)
from predictors.testing.workload import default_workload
from latcast.schema import ArtifactError, InputError


@pytest.mark.slow
class TestBoostedTrees(PredictorSuite):
    def make(self, **hyperparameters: Any) -> BoostedTreesPredictor:
        return BoostedTreesPredictor(**hyperparameters)


@pytest.mark.slow
class TestBoostedTreesOnArchitectures(PredictorSuite):
    def make(self, **hyperparameters: Any) -> BoostedTreesPredictor:
        return BoostedTreesPredictor(trees=60, **hyperparameters)

    def workload(self) -> Workload:
        return architecture_workload()


@pytest.fixture(scope="module")
def fitted() -> BoostedTreesPredictor:
    return BoostedTreesPredictor(trees=60).fit(default_workload().train)


def test_what_was_never_seen_is_doubted(fitted: BoostedTreesPredictor) -> None:
    known = default_workload().held_out.queries[0]
    foreign = Query(target=known.target, graph=foreign_graph())
    spread = fitted.predict([known, foreign]).log_std
    assert spread is not None
    assert spread[1] > 1.5 * spread[0]


def test_the_smooth_part_extrapolates() -> None:
    graphs = [random_graph(np.random.default_rng(seed)) for seed in range(400)]
    order = sorted(graphs, key=lambda graph: graph.flops)
    small, large = order[:300], order[360:]
    rng = np.random.default_rng(0)
    fitted = BoostedTreesPredictor(trees=60).fit(measure(small, DEVICES[:1], rng))
    beyond = measure(large, DEVICES[:1], rng)
    assert median_ape(beyond.latency_ms, fitted.predict(beyond.queries).median_ms) < 0.25


def test_validation_rows_calibrate_the_intervals(fitted: BoostedTreesPredictor) -> None:
    data = default_workload()
    rng = np.random.default_rng(1)
    loud = measure([query.graph for query in data.held_out.queries[:200]], DEVICES[:1], rng)
    loud.latency_ms[:] *= np.exp(0.5 * rng.standard_normal(200))
    wider = BoostedTreesPredictor(trees=60).fit(data.train, validation=loud)
    asked = data.held_out.queries[:5]
    first, second = fitted.predict(asked), wider.predict(asked)
    assert first.log_std is not None
    assert second.log_std is not None
    assert (second.median_ms == first.median_ms).all()
    assert (second.log_std > 1.3 * first.log_std).all()


def test_too_few_networks_are_refused() -> None:
    data = default_workload().train
    with pytest.raises(InputError, match="at least 10 different networks"):
        BoostedTreesPredictor().fit(data.subset([0] * 50))


@pytest.mark.parametrize("wrong", [{"trees": 0}, {"leaves": 1}, {"folds": 1}, {"learning_rate": 0.0}, {"boosters": 0}])
def test_hyperparameters_have_bounds(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="take trees"):
        BoostedTreesPredictor(**wrong)


def test_damaged_trees_are_refused(fitted: BoostedTreesPredictor) -> None:
    artifact = fitted.to_artifact()
    for name, damaged in (("trees.0.0", np.array([255], dtype=np.uint8)), ("smooth.1", np.zeros((2, 2)))):
        with pytest.raises(ArtifactError):
            BoostedTreesPredictor.from_artifact(replace(artifact, arrays={**artifact.arrays, name: damaged}))

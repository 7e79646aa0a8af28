"""The kernel sum passes the suite, and its parts do what they say."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from predictors.base import LatencyDataset, Query
from predictors.kinds.kernel_sum import KernelSumPredictor
from predictors.kinds.kernel_sum.multipliers import Multipliers
from predictors.testing import DEVICES, NEW_DEVICE, PredictorSuite, foreign_graph, measure, random_graph
from latcast.schema import Target


class TestKernelSum(PredictorSuite):
    def make(self, **hyperparameters: Any) -> KernelSumPredictor:
        return KernelSumPredictor(**{"trees": 50, "folds": 3, **hyperparameters})


def small_data(seed: int = 3, count: int = 40) -> LatencyDataset:
    rng = np.random.default_rng(seed)
    return measure([random_graph(rng) for _ in range(count)], DEVICES[:1], rng)


@pytest.fixture(scope="module")
def fitted() -> KernelSumPredictor:
    return KernelSumPredictor(trees=20, folds=2).fit(small_data())


def test_rows_without_kernel_timings_teach_too() -> None:
    data = small_data(count=60)
    bare = LatencyDataset(queries=data.queries, latency_ms=data.latency_ms)
    held_out = small_data(seed=4)
    forecast = KernelSumPredictor(trees=20, folds=2).fit(bare).predict(held_out.queries).median_ms
    assert np.median(np.abs(forecast / held_out.latency_ms - 1)) < 0.25


def test_a_target_that_training_has_seen_stays_what_it_was_unless_told_otherwise(fitted: KernelSumPredictor) -> None:
    known, asked = DEVICES[0].target, small_data(seed=9, count=12).queries
    support = small_data(seed=10, count=4)
    odd = replace(support, latency_ms=support.latency_ms * np.array([1.4, 1.0, 1.5, 0.9]), kernels=None)
    slower = replace(support, latency_ms=support.latency_ms * 1.5, kernels=None)
    before = fitted.predict(asked).median_ms

    def moved(rows: LatencyDataset, target: Target) -> float:
        there = [Query(target=target, graph=query.graph) for query in rows.queries]
        adapted = fitted.adapt(target, replace(rows, queries=there))
        after = adapted.predict([Query(target=target, graph=query.graph) for query in asked]).median_ms
        return float(np.median(np.log(after / before)))

    assert abs(moved(odd, known)) < 0.7 * abs(moved(odd, NEW_DEVICE.target))
    assert moved(slower, known) > 0.8 * np.log(1.5)


def test_names_the_operators_it_does_not_know(fitted: KernelSumPredictor) -> None:
    query = Query(target=DEVICES[0].target, graph=foreign_graph(0.5))
    assert fitted.unknown_operators(query) == ("Sinkhorn",)
    assert (
        fitted.predict([query]).log_std > fitted.predict([Query(target=query.target, graph=foreign_graph(0.0))]).log_std
    )


def test_samplers_get_rows_of_prior_covariances(fitted: KernelSumPredictor) -> None:
    rng = np.random.default_rng(0)
    queries = [Query(target=NEW_DEVICE.target, graph=random_graph(rng)) for _ in range(5)]
    rows = fitted.adaptation_features(queries)
    assert rows.shape == (5, len(Multipliers.guessed(tilts=2).effects.mean))
    assert (np.square(rows).sum(axis=1) > 1.0).all()

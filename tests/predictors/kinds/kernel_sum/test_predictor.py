"""The kernel sum passes the suite, and its parts do what they say."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from predictors.base import LatencyDataset, Query
from predictors.features.kernels import CLASSES
from predictors.kinds.kernel_sum import KernelSumPredictor
from predictors.kinds.kernel_sum.likelihood import Likelihood
from predictors.kinds.kernel_sum.multipliers import Multipliers
from predictors.kinds.kernel_sum.roofline import WORK_TERMS, Roofline
from predictors.kinds.kernel_sum.sums import Kernels, Labels
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


def test_the_roofline_extrapolates_in_proportion_to_work() -> None:
    rng = np.random.default_rng(0)
    work = np.zeros((200, len(WORK_TERMS)))
    work[:, 0], work[:, 1] = 1.0, 10 ** rng.uniform(3, 7, 200)
    kinds = np.full(200, CLASSES.index("gemm"))
    time = 1e-3 + work[:, 1] * 2e-8
    roofline = Roofline.fit(work, kinds, np.log(time), np.ones(200))
    far = np.array([[1.0, 1e10, *[0.0] * (len(WORK_TERMS) - 2)]])
    assert_allclose(np.exp(roofline.log_time(far, kinds[:1])), 200.0, rtol=0.05)


def test_sums_are_by_graph_and_graphs_without_kernels_have_none() -> None:
    kinds = np.array([CLASSES.index("conv"), CLASSES.index("gemm"), CLASSES.index("conv")])
    kernels = Kernels(
        log_time=np.zeros(3),
        kinds=kinds,
        tilt=np.zeros((3, 1)),
        rows=np.array([1, 1, 3]),
        count=5,
        unknown_variance=np.zeros(3),
    )
    values = np.array([[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]])
    assert_allclose(kernels.sums(values), [[0, 0], [3, 30], [0, 0], [4, 40], [0, 0]])
    by_class = kernels.by_class(values[:, 0])
    assert by_class.shape == (5, len(CLASSES))
    assert_allclose(by_class[[1, 1, 3], kinds], [1, 2, 4])
    assert by_class.sum() == 7
    assert kernels.pick([0, 1, 2, 3, 4]) is kernels
    assert kernels.pick([3]).rows.tolist() == [0]


def kernels_of_two_classes(rng: np.random.Generator, graphs: int) -> Kernels:
    kinds = np.array([CLASSES.index("conv"), CLASSES.index("gemm")])
    return Kernels(
        log_time=rng.normal(0, 1, 2 * graphs),
        kinds=np.tile(kinds, graphs),
        tilt=np.zeros((2 * graphs, 2)),
        rows=np.repeat(np.arange(graphs), 2),
        count=graphs,
        unknown_variance=np.zeros(2 * graphs),
    )


@pytest.mark.parametrize("timed", [True, False])
def test_multipliers_of_classes_are_found(timed: bool) -> None:
    """A machine three times slower, with convolutions another 1.6 times."""
    kernels = kernels_of_two_classes(np.random.default_rng(1), 12)
    factor = np.where(kernels.kinds == CLASSES.index("conv"), 4.8, 3.0)
    times = np.exp(kernels.log_time) * factor
    labels = Labels(latency=kernels.totals(times), kernel_time=times if timed else np.full(24, np.nan))
    state = (
        Multipliers(effects=Multipliers.guessed(tilts=2).effects, likelihood=Likelihood(graph_std=0.02))
        .adapted(kernels, labels, "new")
        .effects.of("new")
    )
    assert_allclose(kernels.times(state.mean), times, rtol=0.2 if timed else 0.3)
    assert state.mean[0] == pytest.approx(np.log(3.5), abs=0.5)


def test_one_far_out_graph_moves_little() -> None:
    kernels = kernels_of_two_classes(np.random.default_rng(2), 12)
    latency = kernels.totals(kernels.times(Multipliers.guessed(tilts=2).effects.mean))
    latency[0] *= 20
    labels = Labels(latency=latency, kernel_time=np.full(24, np.nan))
    state = Multipliers.guessed(tilts=2).adapted(kernels, labels, "new").effects.of("new")
    rest = kernels.pick(np.arange(1, 12))
    assert_allclose(np.log(rest.totals(rest.times(state.mean)) / latency[1:]), 0.0, atol=0.15)

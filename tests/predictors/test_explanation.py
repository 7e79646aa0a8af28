"""Explanations: parts that add up, rooflines, and the measurement that helps most."""

import numpy as np
import pytest

from latcast.schema import InputError
from predictors.base import Query
from predictors.explanation import Peaks, explain, measure_next, profile_distance
from predictors.kinds.flops import FlopsPredictor
from predictors.kinds.kernel_sum import KernelSumPredictor
from predictors.testing.devices import DEVICES, NEW_DEVICE, measure
from predictors.testing.graphs import foreign_graph, random_graph


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    return measure([random_graph(rng) for _ in range(60)], DEVICES[:1], rng)


@pytest.fixture(scope="module")
def predictor(data):
    return KernelSumPredictor(trees=20, folds=2).fit(data)


def test_the_parts_are_the_forecast(predictor, data):
    query = data.queries[3]
    found = explain(predictor, query)
    assert found.latency_ms == pytest.approx(predictor.predict([query]).median_ms[0])
    assert sum(kernel.latency_ms for kernel in found.kernels) == pytest.approx(found.latency_ms)
    assert sum(kernel.share for kernel in found.kernels) == pytest.approx(1.0)
    assert found.interval_ms[0] < found.latency_ms < found.interval_ms[1]
    for attribute in ("kind", "operator", "bound"):
        shares = found.shares(attribute)
        assert sum(shares.values()) == pytest.approx(1.0)
        assert list(shares.values()) == sorted(shares.values(), reverse=True)
    assert found.shares("kind").keys() >= {"call"}
    named = {name for kernel in found.kernels for name in kernel.nodes}
    assert named


def test_an_adapted_predictor_explains_its_own_forecast(predictor):
    rng = np.random.default_rng(5)
    support = measure([random_graph(rng) for _ in range(8)], [NEW_DEVICE], rng)
    adapted = predictor.adapt(support.queries[0].target, support)
    query = Query(target=support.queries[0].target, graph=random_graph(rng))
    found = explain(adapted, query)
    assert found.latency_ms == pytest.approx(adapted.predict([query]).median_ms[0])
    assert sum(kernel.latency_ms for kernel in found.kernels) == pytest.approx(found.latency_ms)


def test_each_kernel_stands_somewhere_on_the_roofline(predictor, data):
    found = explain(predictor, data.queries[0])
    assert found.peaks.gflops > 0
    assert found.peaks.gbytes > 0
    assert any(not (kernel.flops or kernel.moved_bytes) for kernel in found.kernels)  # the call itself
    for kernel in found.kernels:
        assert kernel.bound in {"compute", "memory", "launch"}
        assert 0 <= kernel.efficiency <= 1
        if kernel.bound == "compute":
            assert kernel.intensity >= found.peaks.ridge
        if not (kernel.flops or kernel.moved_bytes):
            assert kernel.bound == "launch"
        if kernel.flops and kernel.repeats == 1:
            assert kernel.gflops == pytest.approx(kernel.flops / kernel.latency_ms / 1e6)


def test_unknown_operators_are_marked(predictor, data):
    graph = foreign_graph()
    found = explain(predictor, Query(target=data.queries[0].target, graph=graph))
    assert found.unknown_operators
    strange = [kernel for kernel in found.kernels if kernel.operator in found.unknown_operators]
    assert strange
    assert not any(kernel.known for kernel in strange)
    assert found.coverage < 1


def test_a_predictor_that_knows_no_kernels_says_so(data):
    with pytest.raises(InputError, match="kernel_sum"):
        explain(FlopsPredictor().fit(data), data.queries[0])


def test_the_graph_itself_helps_most_until_it_is_measured(predictor, data):
    target = NEW_DEVICE
    rng = np.random.default_rng(9)
    queries = measure([random_graph(rng) for _ in range(12)], [target], rng).queries
    ranked = measure_next(predictor, queries[0], queries)
    assert ranked[0][0] == 0
    assert {index for index, _ in ranked} == set(range(12))
    shares = [share for _, share in ranked]
    assert shares == sorted(shares, reverse=True)
    assert 0 <= shares[-1] <= shares[0] <= 1
    again = measure_next(predictor, queries[0], queries, measured=[queries[0]])
    assert again[0][1] < shares[0]
    assert measure_next(FlopsPredictor().fit(data), queries[0], []) == []


def test_distance_of_profiles():
    assert profile_distance({"conv": 1.0}, {"conv": 1.0}) == 0
    assert profile_distance({"conv": 1.0}, {"gemm": 1.0}) == 1
    assert profile_distance({"conv": 0.5, "gemm": 0.5}, {"gemm": 1.0}) == pytest.approx(0.5)
    assert Peaks(gflops=100, gbytes=20, launch_ms=0.001).ridge == 5

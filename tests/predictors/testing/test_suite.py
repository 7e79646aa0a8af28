"""The suite finds what is wrong with broken predictors, and its graphs and devices are what they say."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
import pytest
from numpy.testing import assert_allclose

from latcast.schema import DTYPE_BYTES, DeviceEvidence, Target
from predictors.base import FloatArray, LatencyDataset, Prediction, Query
from predictors.kinds.flops import FlopsPredictor
from predictors.testing import (
    DEVICES,
    NEW_DEVICE,
    AnalyticDevice,
    PredictorSuite,
    foreign_graph,
    measure,
    random_graph,
    shuffled,
)
from predictors.testing.workload import default_workload


class MutatesOnAdapt(FlopsPredictor):
    def adapt(self, target: Target, support: LatencyDataset, evidence: DeviceEvidence | None = None) -> Self:
        self.effects_ = super().adapt(target, support, evidence).effects_
        return self


class BatchDependent(FlopsPredictor):
    def predict(self, queries: Sequence[Query]) -> Prediction:
        prediction = super().predict(queries)
        return replace(prediction, median_ms=prediction.median_ms * (1 + 1e-3 * len(queries)))


class NameDependent(FlopsPredictor):
    def predict(self, queries: Sequence[Query]) -> Prediction:
        prediction = super().predict(queries)
        lengths = np.array([len(query.graph.nodes[0].name) for query in queries], dtype=np.float64)
        return replace(prediction, median_ms=prediction.median_ms * lengths)


class OverConfident(FlopsPredictor):
    def predict(self, queries: Sequence[Query]) -> Prediction:
        prediction = super().predict(queries)
        return replace(prediction, tail_scale=0.35)


class Timid(FlopsPredictor):
    def predict(self, queries: Sequence[Query]) -> Prediction:
        prediction = super().predict(queries)
        return replace(prediction, tail_scale=3.0)


class BlindToTheForeign(FlopsPredictor):
    def coverage(self, queries: Sequence[Query]) -> FloatArray:
        return np.ones(len(super().coverage(queries)))


class KnowsMilliseconds(FlopsPredictor):
    def predict(self, queries: Sequence[Query]) -> Prediction:
        prediction = super().predict(queries)
        return replace(prediction, median_ms=prediction.median_ms + 1.0)


class Unseeded(FlopsPredictor):
    def fit(self, data: LatencyDataset, **options: Any) -> Self:
        super().fit(data, **options)
        self.centre_ = self.centre_ + np.random.default_rng().standard_normal(2)
        return self


class IgnoresSupport(FlopsPredictor):
    def adapt(self, target: Target, support: LatencyDataset, evidence: DeviceEvidence | None = None) -> Self:
        return super().adapt(Target(device="another", backend="x"), support, evidence)


BROKEN: list[tuple[type[FlopsPredictor], Callable[..., None]]] = [
    (MutatesOnAdapt, PredictorSuite.test_adapting_leaves_the_original_untouched),
    (BatchDependent, PredictorSuite.test_a_batch_equals_its_singles),
    (NameDependent, PredictorSuite.test_node_order_and_names_do_not_matter),
    (OverConfident, PredictorSuite.test_intervals_hold_what_they_claim),
    (Timid, PredictorSuite.test_intervals_hold_what_they_claim),
    (OverConfident, PredictorSuite.test_adapted_intervals_hold_what_they_claim),
    (BlindToTheForeign, PredictorSuite.test_coverage_knows_what_is_foreign),
    (KnowsMilliseconds, PredictorSuite.test_a_thousand_times_slower_is_a_thousand_times_slower),
    (Unseeded, PredictorSuite.test_same_seed_same_forecasts),
    (IgnoresSupport, PredictorSuite.test_adapting_improves_on_a_new_device),
]


@pytest.mark.slow
@pytest.mark.parametrize(("broken", "check"), BROKEN, ids=lambda item: item.__name__)
def test_the_suite_finds_the_fault(broken: type[FlopsPredictor], check: Callable[..., None]) -> None:
    def run(cls: type[FlopsPredictor]) -> None:
        class Suite(PredictorSuite):
            def make(self, **hyperparameters: Any) -> FlopsPredictor:
                return cls(**hyperparameters)

        data = default_workload()
        fitted = cls().fit(data.train)
        given = {
            "data": data,
            "fitted": fitted,
            "adapted": fitted.adapt(data.support.queries[0].target, data.support),
            "queries": list(data.held_out.queries[:10]),
        }
        wanted = check.__code__.co_varnames[1 : check.__code__.co_argcount]
        check(Suite(), **{name: given[name] for name in wanted})

    run(FlopsPredictor)
    with pytest.raises(AssertionError):
        run(broken)


def test_graphs_are_consistent() -> None:
    rng = np.random.default_rng(1)
    graphs = [random_graph(rng) for _ in range(30)] + [foreign_graph()]
    assert len({graph.hash for graph in graphs}) == 31
    for graph in [*graphs, *(shuffled(graph, rng) for graph in graphs)]:
        ready = {*graph.inputs, *graph.initializers}
        for node in graph.nodes:
            assert ready.issuperset(node.inputs)
            ready.update(node.outputs)
            assert node.output_bytes == sum(graph.tensors[i].elements * DTYPE_BYTES["float32"] for i in node.outputs)
            assert node.flops >= 2 * node.macs
        assert ready == set(range(len(graph.tensors)))


def test_shuffling_changes_everything_but_the_work() -> None:
    graph = random_graph(np.random.default_rng(2))
    other = shuffled(graph, np.random.default_rng(3))
    assert other.hash != graph.hash
    assert [node.name for node in other.nodes] != [node.name for node in graph.nodes]
    assert (other.flops, other.activation_bytes, other.parameter_bytes, other.operators) == (
        graph.flops, graph.activation_bytes, graph.parameter_bytes, graph.operators,
    )  # fmt: skip


def test_devices_are_rooflines() -> None:
    device = AnalyticDevice(name="d", flops_per_ms=100, bytes_per_ms=10, overhead_ms=0.5, depthwise_efficiency=0.1)
    graph = random_graph(np.random.default_rng(4))
    relu = next(node for node in graph.nodes if node.operator == "Relu")
    assert device.node_ms(replace(relu, flops=1000, input_bytes=10, output_bytes=10)) == 10.5
    assert device.node_ms(replace(relu, flops=10, input_bytes=10, output_bytes=10)) == 2.5
    conv = replace(relu, operator="Conv", attributes={"group": 4}, flops=1000)
    assert device.node_ms(replace(conv, input_bytes=0, output_bytes=0)) == 100.5


def test_kernels_add_up_to_the_latency() -> None:
    graphs = [random_graph(np.random.default_rng(seed)) for seed in range(3)]
    data = measure(graphs, [*DEVICES, NEW_DEVICE], np.random.default_rng(0), noise=False)
    assert len(data) == 12
    assert data.kernels is not None
    for kernels, latency, query in zip(data.kernels, data.latency_ms, data.queries, strict=True):
        assert kernels is not None
        assert sum(kernel.time_ms for kernel in kernels) == pytest.approx(latency)
        assert sum(kernel.share for kernel in kernels) == pytest.approx(1.0)
        assert [kernel.node for kernel in kernels] == list(range(len(query.graph.nodes)))


def test_noise_is_what_the_device_says() -> None:
    graphs = [random_graph(np.random.default_rng(5))] * 400
    exact = measure(graphs, DEVICES[:1], np.random.default_rng(1), noise=False).latency_ms
    noisy = measure(graphs, DEVICES[:1], np.random.default_rng(1)).latency_ms
    assert_allclose(np.std(np.log(noisy / exact)), DEVICES[0].noise_log, rtol=0.1)

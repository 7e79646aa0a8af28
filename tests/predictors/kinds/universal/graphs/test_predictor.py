"""Universal on whole graphs passes the suite, and its parts do what they say."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

pytest.importorskip("torch")

from predictors.base import LatencyDataset, Query
from predictors.kinds.kernel_sum.observations import tabulate
from predictors.kinds.kernel_sum.residual import ResidualTrees
from predictors.kinds.kernel_sum.training_set import KernelBatch
from predictors.evaluation.metrics import median_ape
from predictors.registry import load_predictor
from predictors.testing import DEVICES, NEW_DEVICE, PredictorSuite, measure, random_graph
from predictors.kinds.universal import UniversalPredictor
from predictors.kinds.universal.graphs.predictor import GraphPredictor
from predictors.kinds.universal.graphs.kernel_network import KernelEnsemble, KernelNetwork
from predictors.kinds.universal.graphs.network_correction import NetworkCorrection
from latcast.schema import ArtifactError, InputError
from tests.predictors.kinds.kernel_sum.test_predictor import small_data


class TestUniversalOnGraphs(PredictorSuite):
    def make(self, **hyperparameters: Any) -> UniversalPredictor:
        return UniversalPredictor(**{"width": 32, "epochs": 24, "trees": 200, **hyperparameters})


def _small(**hyperparameters: Any) -> UniversalPredictor:
    return UniversalPredictor(**{"width": 16, "epochs": 4, "trees": 60, "folds": 2, **hyperparameters})


def correction_of(predictor: UniversalPredictor) -> NetworkCorrection:
    assert isinstance(predictor.fitted, GraphPredictor)
    correction = predictor.fitted.model.correction
    assert isinstance(correction, NetworkCorrection)
    return correction


def batch_of(predictor: UniversalPredictor, queries: Sequence[Query]) -> KernelBatch:
    assert isinstance(predictor.fitted, GraphPredictor)
    roofline = predictor.fitted.model.shared.roofline
    return KernelBatch.of(tabulate(queries), [query.target for query in queries], roofline)


@pytest.fixture(scope="module")
def fitted() -> UniversalPredictor:
    return _small().fit(small_data(count=60))


def test_what_it_reads_follows_from_what_it_learned(fitted: UniversalPredictor) -> None:
    known = fitted.fitted_capabilities()
    assert (known.inputs, known.spaces) == (frozenset({"graph"}), ())
    assert load_predictor(fitted.to_artifact()).fitted_capabilities() == known


def test_networks_side_by_side_say_what_each_says_alone(fitted: UniversalPredictor) -> None:
    correction, queries = correction_of(fitted), small_data(seed=6, count=5).queries
    assert len(correction.networks) == 2
    batch = batch_of(fitted, queries)
    inputs = correction.encoding.encode(batch.table, batch.targets, batch.costs)
    alone = np.mean([network.predict(inputs) for network in correction.networks], axis=0)
    assert np.ptp(alone) > 0.01
    assert_allclose(KernelEnsemble.of(correction.networks).predict(inputs), alone, atol=1e-5)


def test_a_graph_is_forecast_alike_alone_and_among_others(fitted: UniversalPredictor) -> None:
    queries = small_data(seed=7, count=6).queries
    alone = np.concatenate([fitted.predict([query]).median_ms for query in queries])
    assert_allclose(fitted.predict(queries).median_ms, alone, rtol=1e-5)


def test_kernels_add_up_to_the_forecast(fitted: UniversalPredictor) -> None:
    for query in small_data(seed=5, count=4).queries:
        parts = fitted.explain(query)
        assert_allclose(parts.latency_ms.sum(), fitted.predict([query]).median_ms[0], rtol=1e-9)


def test_cells_are_not_explained_by_kernels() -> None:
    from predictors.testing.architectures import architecture_workload

    data = architecture_workload("fbnet", train=60, held_out=20)
    with pytest.raises(InputError, match="as text, not as kernels"):
        UniversalPredictor().fit(data.train).explain(data.support.queries[0])


def test_adapting_follows_a_slower_machine(fitted: UniversalPredictor) -> None:
    rng = np.random.default_rng(8)
    data = measure([random_graph(rng) for _ in range(30)], [NEW_DEVICE], rng)
    support, rest = data.subset(range(10)), data.subset(range(10, 30))
    adapted = fitted.adapt(data.queries[0].target, support)
    before = median_ape(rest.latency_ms, fitted.predict(rest.queries).median_ms)
    after = median_ape(rest.latency_ms, adapted.predict(rest.queries).median_ms)
    assert after < min(0.25, before)


def test_rows_without_kernel_timings_teach_too() -> None:
    data = small_data(count=60)
    predictor = _small(epochs=20).fit(replace(data, kernels=None))
    assert median_ape(data.latency_ms, predictor.predict(data.queries).median_ms) < 0.2


def test_a_profiler_that_exaggerates_moves_nothing(fitted: UniversalPredictor) -> None:
    """Kernel times of a support that are all half too long say something of the profiler, not of the latency."""
    rng = np.random.default_rng(9)
    data = measure([random_graph(rng) for _ in range(40)], DEVICES[:1], rng)
    kernels = [tuple(replace(one, time_ms=1.5 * one.time_ms) for one in row or ()) for row in data.kernels or ()]
    support, rest = replace(data, kernels=kernels).subset(range(20)), data.subset(range(20, 40))
    adapted = fitted.adapt(data.queries[0].target, support)
    assert abs(np.median(adapted.predict(rest.queries).median_ms / rest.latency_ms) - 1) < 0.1


def test_an_operator_that_training_never_saw_widens_the_interval(fitted: UniversalPredictor) -> None:
    query = small_data(seed=6, count=1).queries[0]
    graph = query.graph
    nodes = [
        replace(node, operator="Wavelet", domain="elsewhere", macs=0, flops=0) if node.operator == "Conv" else node
        for node in graph.nodes
    ]
    strange = Query(target=query.target, graph=replace(graph, nodes=tuple(nodes), hash="g1-strange"))
    assert "Wavelet" in " ".join(fitted.unknown_operators(strange))
    low, high = fitted.predict([query, strange]).interval_ms()
    assert high[1] / low[1] > high[0] / low[0]
    assert fitted.coverage([strange])[0] < fitted.coverage([query])[0]


@pytest.fixture(scope="module")
def with_trees() -> UniversalPredictor:
    """Taught by graphs of which the larger half takes 1.6 times as long as its kernels explain."""
    return _small(epochs=12).fit(_larger_is_slower(small_data(count=220)))


def _larger_is_slower(data: LatencyDataset) -> LatencyDataset:
    nodes = np.array([len(query.graph.nodes) for query in data.queries])
    return replace(data, latency_ms=data.latency_ms * np.where(nodes > 8, 1.6, 1.0), kernels=None)


def test_trees_learn_what_alike_graphs_have_in_common(with_trees: UniversalPredictor) -> None:
    data = _larger_is_slower(small_data(seed=11, count=60))
    forecast = with_trees.predict(data.queries).median_ms
    assert isinstance(with_trees.fitted, GraphPredictor)
    correction = replace(correction_of(with_trees), whole_graphs=ResidualTrees(boosters=()))
    without = replace(with_trees.fitted.model, correction=correction)
    assert median_ape(data.latency_ms, forecast) < median_ape(data.latency_ms, without.predict(data.queries).median_ms)


def test_trees_survive_the_artifact_to_the_bit(with_trees: UniversalPredictor) -> None:
    queries = small_data(seed=7, count=5).queries
    again = load_predictor(with_trees.to_artifact())
    assert_array_equal(again.predict(queries).median_ms, with_trees.predict(queries).median_ms)


def test_a_graph_is_read_the_same_in_any_company(with_trees: UniversalPredictor) -> None:
    queries = small_data(seed=12, count=6).queries
    together = with_trees.predict(queries).median_ms
    assert_allclose(together, [with_trees.predict([query]).median_ms[0] for query in queries], rtol=1e-6)


def test_forecasts_survive_the_artifact_to_the_bit(fitted: UniversalPredictor) -> None:
    queries = small_data(seed=7, count=5).queries
    again = load_predictor(fitted.to_artifact())
    assert_array_equal(again.predict(queries).median_ms, fitted.predict(queries).median_ms)


def test_a_network_of_another_vocabulary_is_refused(fitted: UniversalPredictor) -> None:
    artifact = fitted.to_artifact()
    encoding = replace(correction_of(fitted).encoding, operators=("Conv",))
    with pytest.raises(ArtifactError, match="corrupt"):
        KernelNetwork.from_artifact(artifact, "network.0.", encoding)


def test_no_rows_are_refused() -> None:
    with pytest.raises(InputError, match="no rows"):
        _small().fit(LatencyDataset(queries=[], latency_ms=np.empty(0)))


def test_an_artifact_from_before_a_hyperparameter_still_loads(fitted: UniversalPredictor) -> None:
    artifact = fitted.to_artifact()
    known = {name: value for name, value in artifact.hyperparameters.items() if name != "trees"}
    queries = small_data(seed=7, count=5).queries
    again = load_predictor(replace(artifact, hyperparameters=known))
    assert_array_equal(again.predict(queries).median_ms, fitted.predict(queries).median_ms)

"""The contract's records: queries, data sets, forecasts, and what every predictor inherits."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from latcast.schema import Architecture, ArtifactError, DeviceEvidence, Graph, InputError, NotFittedError, Target
from predictors.artifact import Artifact
from predictors.base import LatencyDataset, Prediction, Provenance, Query, normal_quantile
from predictors.kinds.flops import FlopsPredictor
from predictors.testing import random_graph
from profilers.search_spaces.nasbench201 import NASBench201

HERE, THERE = Target(device="a", backend="tract"), Target(device="b", backend="tract")


def graph(seed: int = 0) -> Graph:
    return random_graph(np.random.default_rng(seed))


def rows() -> LatencyDataset:
    queries = [Query(target=target, graph=graph(seed)) for seed, target in enumerate((HERE, THERE, HERE))]
    evidence = {HERE.id: DeviceEvidence(microbench={"gemm_ms": 1.0})}
    return LatencyDataset(queries=queries, latency_ms=np.array([1.0, 2.0, 3.0]), noise_log=np.array([0.1, 0.2, 0.3]),
                          kernels=[None, (), None], evidence=evidence)  # fmt: skip


def test_a_graph_is_built_once_and_only_when_asked_for() -> None:
    built: list[Architecture] = []

    def build(architecture: Architecture) -> Graph:
        built.append(architecture)
        return graph()

    architecture = NASBench201().parse(NASBench201.example)
    query = Query(target=HERE, architecture=architecture, graph_builder=build)
    assert not query.has_graph
    assert built == []
    assert query.graph is query.graph
    assert built == [architecture]
    whole = Query(target=HERE, graph=graph(), graph_builder=build)
    assert whole.has_graph
    assert whole.graph.nodes
    assert len(built) == 1


def test_a_query_crosses_to_another_process_with_its_graph() -> None:
    architecture = NASBench201().parse(NASBench201.example)
    query = Query(target=HERE, architecture=architecture, graph_builder=lambda _: graph(3))
    for asked in (query, query.on(THERE)):
        twin = pickle.loads(pickle.dumps(asked))  # noqa: S301 - our own
        assert (twin.target, twin.architecture, twin.graph) == (asked.target, architecture, graph(3))
        assert not twin.has_graph
    text = pickle.loads(pickle.dumps(Query(target=HERE, architecture=architecture)))  # noqa: S301
    assert "graph" not in vars(text), "whoever reads texts builds none"
    assert text.graph.macs > 0


def test_architectures_are_built_through_their_search_space() -> None:
    query = Query(target=HERE, architecture=NASBench201().parse(NASBench201.example))
    assert query.graph.macs > 0


def test_a_query_is_of_something() -> None:
    with pytest.raises(InputError, match="an architecture or a graph"):
        Query(target=HERE)


def test_subsets_keep_everything_of_their_rows_in_the_asked_order() -> None:
    part = rows().subset([2, 1])
    assert part.latency_ms.tolist() == [3.0, 2.0]
    assert part.noise_log is not None
    assert part.noise_log.tolist() == [0.3, 0.2]
    assert part.kernels == [None, ()]
    assert [query.target for query in part.queries] == [HERE, THERE]
    assert part.evidence == rows().evidence
    assert rows().targets() == {HERE.id: [0, 2], THERE.id: [1]}
    assert len(rows().subset([])) == 0


@pytest.mark.parametrize("latency_ms", [[1.0, 2.0], [1.0, 2.0, 0.0], [1.0, 2.0, np.nan], [1.0, 2.0, np.inf]])
def test_latencies_are_positive_and_one_for_each_query(latency_ms: list[float]) -> None:
    with pytest.raises(InputError):
        LatencyDataset(queries=rows().queries, latency_ms=np.array(latency_ms))


def test_quantiles_are_log_normal_with_scaled_tails() -> None:
    prediction = Prediction(median_ms=np.array([2.0, 5.0]), log_std=np.array([0.1, 0.3]), tail_scale=1.5)
    assert_allclose(prediction.quantile_ms(0.5), prediction.median_ms)
    low, high = prediction.interval_ms(0.9)
    assert_allclose(low * high, prediction.median_ms**2)
    assert_allclose(np.log(high / prediction.median_ms), 1.6448536 * 1.5 * np.array([0.1, 0.3]))
    assert normal_quantile(0.95) == pytest.approx(1.6448536)
    with pytest.raises(InputError, match="no claim"):
        Prediction(median_ms=np.ones(1)).quantile_ms(0.9)


def test_headers_carry_hyperparameters_seed_and_provenance() -> None:
    predictor = FlopsPredictor(folds=3, seed=7)
    predictor.provenance_ = Provenance(dataset_digest="d", metrics={"error": 0.1})
    artifact = predictor.make_artifact(arrays={"a": np.ones(2)}, vocabulary={"v": ["x"]}, feature_version="1")
    assert (artifact.kind, artifact.seed, dict(artifact.hyperparameters)) == ("flops", 7, {"folds": 3})
    again = FlopsPredictor.from_header(artifact)
    assert again.hyperparameters() == {"folds": 3, "seed": 7}
    assert again.provenance_ == predictor.provenance_
    assert_array_equal(artifact.array("a"), np.ones(2))


def test_headers_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ArtifactError, match="do not fit 'flops'"):
        FlopsPredictor.from_header(Artifact(kind="flops", hyperparameters={"colour": "red"}, arrays={}))
    with pytest.raises(ArtifactError, match="holds a 'help' predictor"):
        FlopsPredictor.from_header(Artifact(kind="help", hyperparameters={}, arrays={}))


def test_what_is_not_fitted_says_so() -> None:
    predictor = FlopsPredictor()
    with pytest.raises(NotFittedError, match="'flops' is not fitted"):
        predictor.require_fitted("effects_")
    assert predictor.fitted_capabilities() is predictor.capabilities
    assert predictor.unknown_operators(rows().queries[0]) == ()


def test_intervals_are_quantiles_around_the_median() -> None:
    prediction = Prediction(median_ms=np.array([1.0, 10.0]), log_std=np.array([0.1, 0.0]))
    low, high = prediction.interval_ms(0.9)
    assert low * high == pytest.approx([1.0, 100.0])
    assert low[0] == pytest.approx(np.exp(-0.1 * 1.6448536))
    assert prediction.claimed_intervals_ms(0.9) == [(low[0], high[0]), (10.0, 10.0)]
    assert all(type(bound) is float for pair in prediction.claimed_intervals_ms() if pair for bound in pair)


def test_tails_widen_intervals() -> None:
    narrow, wide = (Prediction(median_ms=np.ones(1), log_std=np.ones(1), tail_scale=scale) for scale in (1.0, 2.0))
    assert np.log(wide.interval_ms(0.5)[1]) == pytest.approx(2 * np.log(narrow.interval_ms(0.5)[1]))


def test_where_nothing_is_claimed_there_are_no_quantiles() -> None:
    prediction = Prediction(median_ms=np.ones(2))
    assert prediction.claimed_intervals_ms(0.9) == [None, None]
    with pytest.raises(InputError, match="no quantiles"):
        prediction.interval_ms()

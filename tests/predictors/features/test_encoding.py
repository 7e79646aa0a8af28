"""Features of encodings, and boosted trees that read them."""

import json

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from latcast.schema import Architecture, Graph, InputError, Target, UnsupportedGraphError
from predictors.base import LatencyDataset, Query
from predictors.evaluation.metrics import spearman
from predictors.features.encoding import EncodingTable, common_space
from predictors.kinds.boosted_trees.predictor import BoostedTreesPredictor
from predictors.testing import DEVICES, random_graph
from profilers.search_spaces import get_space

SPACE = get_space("nasbench201")
TARGET = DEVICES[0].target


def _refuse(architecture: Architecture) -> Graph:
    raise AssertionError(f"no graph is needed for {architecture.text}")


def cells(count: int, seed: int = 0, target: Target = TARGET) -> list[Query]:
    rng = np.random.default_rng(seed)
    return [Query(target=target, architecture=SPACE.sample(rng), graph_builder=_refuse) for _ in range(count)]


def latencies(queries: list[Query], seed: int = 0) -> LatencyDataset:
    """Each operator at each place adds its own time."""
    rng = np.random.default_rng(9)
    cost = rng.uniform(0.1, 2.0, (6, 5))
    speed = {device.target.id: 4.0**index for index, device in enumerate(DEVICES)}
    noise = np.exp(0.02 * np.random.default_rng(seed).standard_normal(len(queries)))
    chosen = [SPACE.encode(query.architecture)["operators"] for query in queries if query.architecture]
    exact = [cost[np.arange(6), operators].sum() for operators in chosen]
    scale = np.array([speed[query.target.id] for query in queries])
    return LatencyDataset(queries=queries, latency_ms=np.array(exact) * scale * noise)


def test_columns_are_what_varied() -> None:
    table = EncodingTable.of(cells(200))
    features = table.features(cells(50, seed=1))
    assert features.shape == (50, len(table.columns))
    assert (np.ptp(table.features(cells(200)), axis=0) > 0).all()
    assert EncodingTable.from_vocabulary(json.loads(json.dumps(table.to_vocabulary()))) == table
    assert table.features([]).shape == (0, len(table.columns))


def test_different_cells_have_different_features() -> None:
    queries = cells(200)
    texts = {query.architecture.text for query in queries if query.architecture}
    assert len(np.unique(EncodingTable.of(queries).features(queries), axis=0)) == len(texts)


def test_unseen_values_lower_coverage() -> None:
    without = [q for q in cells(300) if q.architecture and "nor_conv_3x3" not in q.architecture.text]
    table = EncodingTable.of(without)
    assert_array_equal(table.coverage(without), np.ones(len(without)))
    assert table.coverage([q for q in cells(50) if q.architecture and "nor_conv_3x3" in q.architecture.text]).max() < 1


def test_other_spaces_are_refused() -> None:
    table = EncodingTable.of(cells(20))
    graph = Query(target=TARGET, graph=random_graph(np.random.default_rng(0)))
    zoo = Query(target=TARGET, architecture=Architecture(space="zoo", text="x"))
    for queries in ([graph], [zoo], [*cells(2), graph]):
        with pytest.raises(UnsupportedGraphError, match="nasbench201"):
            table.features(queries)
        with pytest.raises(InputError, match="one search space"):
            EncodingTable.of([*cells(2), graph, zoo])
    assert common_space([*cells(2), zoo]) is None


def test_boosted_trees_learn_from_architectures_alone() -> None:
    train = latencies([query for device in DEVICES[:2] for query in cells(200, target=device.target)])
    fitted = BoostedTreesPredictor(trees=40).fit(train)
    held_out = latencies(cells(150, seed=5), seed=1)
    assert spearman(held_out.latency_ms, fitted.predict(held_out.queries).median_ms) > 0.97
    with pytest.raises(UnsupportedGraphError):
        fitted.predict([Query(target=TARGET, graph=random_graph(np.random.default_rng(0)))])
    again = BoostedTreesPredictor.from_artifact(fitted.to_artifact())
    assert_array_equal(again.predict(held_out.queries).median_ms, fitted.predict(held_out.queries).median_ms)
    assert_array_equal(again.coverage(held_out.queries), fitted.coverage(held_out.queries))


def test_boosted_trees_on_encodings_adapt() -> None:
    train = latencies([query for device in DEVICES[:2] for query in cells(150, target=device.target)])
    fitted = BoostedTreesPredictor(trees=30, reads="architecture").fit(train)
    new = latencies(cells(170, seed=6, target=DEVICES[2].target), seed=2)
    adapted = fitted.adapt(DEVICES[2].target, new.subset(range(10)))
    rest = new.subset(range(10, 170))
    error = np.abs(np.log(adapted.predict(rest.queries).median_ms / rest.latency_ms))
    assert np.median(error) < 0.05
    assert np.median(np.abs(np.log(fitted.predict(rest.queries).median_ms / rest.latency_ms))) > 0.5


def test_reading_has_to_be_of_a_known_kind() -> None:
    with pytest.raises(InputError, match="reads"):
        BoostedTreesPredictor(reads="tea leaves")

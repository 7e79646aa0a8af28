"""Encoders of networks: cells one-hot, graphs by a frozen graph network; both come back from an artifact."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from latcast.schema import InputError
from predictors.artifact import Artifact
from predictors.base import Capabilities, LatencyDataset, Query
from predictors.features.cells import cell_architectures, layer_one_hot
from predictors.kinds.flops import FlopsPredictor
from predictors.kinds.network_encoders import CellEncoder, GraphEncoder, NetworkEncoder, are_cells, stored_encoder
from predictors.testing import DEVICES, architecture_workload, measure, random_graph

CELLS = architecture_workload(train=20, held_out=20, support=5).train
EITHER = Capabilities(inputs=frozenset({"architecture", "graph"}), spaces=("nasbench201", "fbnet"))


def graphs(count: int, *, seed: int = 0) -> LatencyDataset:
    rng = np.random.default_rng(seed)
    return measure([random_graph(rng) for _ in range(count)], DEVICES[:2], rng)


def stored(encoder: NetworkEncoder) -> Artifact:
    """An artifact with what the encoder writes, as a predictor would have it."""
    written = FlopsPredictor().make_artifact(
        arrays=encoder.to_arrays(), vocabulary=encoder.vocabulary(), feature_version=encoder.feature_version
    )
    return Artifact.from_bytes(written.to_bytes())


def test_rows_of_one_space_are_cells_and_nothing_else_is() -> None:
    graph = graphs(1).queries[:1]
    other = architecture_workload("fbnet", train=2, held_out=2, support=2).train.queries[:1]
    assert are_cells(CELLS.queries)
    assert not are_cells([*CELLS.queries, *graph])
    assert not are_cells([*CELLS.queries, *other])
    assert not are_cells(graph)


def test_cells_are_read_one_hot_and_come_back() -> None:
    encoder = CellEncoder.fit(CELLS)
    again = stored_encoder(stored(encoder))
    encoded = again.encode(CELLS.queries)
    assert_array_equal(encoded.features, layer_one_hot(cell_architectures(CELLS.queries)))
    assert not encoded.start.any()
    assert encoded.features.shape[1] == again.width
    assert_allclose(again.coverage(CELLS.queries), 1.0)
    assert again.rehearsal(np.random.default_rng(0), 7).features.shape == (7, again.width)
    assert again.narrowed(EITHER) == replace(EITHER, inputs=frozenset({"architecture"}), spaces=("nasbench201",))
    with pytest.raises(InputError):
        again.encode(graphs(1).queries)


def test_artifacts_of_before_there_were_encoders_hold_cells() -> None:
    encoder = CellEncoder.fit(CELLS)
    former = replace(stored(encoder), vocabulary={"space": "nasbench201"})
    assert stored_encoder(former).to_arrays()["seen"].tolist() == encoder.seen.tolist()


def test_graphs_are_read_by_standardised_components_and_a_forecast_and_come_back() -> None:
    pytest.importorskip("torch_geometric", reason="the extra [torch] is not installed")
    data = graphs(14)
    encoder = GraphEncoder.fit(data, epochs=2, width=8, layers=1, seed=0)
    networks = data.queries[:14]
    encoded = encoder.encode(networks)
    assert encoded.features.shape == (14, encoder.width)
    assert_allclose(encoded.features.mean(axis=0), 0, atol=1e-9)
    assert encoded.features.std(axis=0).max() == pytest.approx(1.0)
    assert np.corrcoef(encoded.start, np.log(data.latency_ms[:14]))[0, 1] > 0.8
    assert encoder.narrowed(EITHER) == replace(EITHER, inputs=frozenset({"graph"}), spaces=())
    again = stored_encoder(stored(encoder))
    new = [Query(target=DEVICES[0].target, graph=random_graph(np.random.default_rng(9)))]
    assert_allclose(again.encode(new).features, encoder.encode(new).features, rtol=1e-9)
    assert_allclose(again.coverage(new), encoder.coverage(new))
    drawn = again.rehearsal(np.random.default_rng(0), 30)
    assert {tuple(row) for row in drawn.features.tolist()} <= {tuple(row) for row in encoded.features.tolist()}
    with pytest.raises(InputError, match="at least 10 different networks"):
        GraphEncoder.fit(graphs(5), epochs=1, width=8, layers=1, seed=0)

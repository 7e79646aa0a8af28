"""A query of the service has its graph before a predictor is asked, or says that it lacks it."""

import pytest

from latcast.schema import Architecture, LatcastError
from predictors.base import Capabilities, Query
from predictors.foreign.features import features_asked
from predictors.kinds.flops import FlopsPredictor
from predictors.networks import RECORD, GraphFeatures
from predictors.registry import pretrained
from profilers.onnx_graph import load_graph
from service.graphs.queries import NetworkQuery, reads_natively, wants_graph
from tests.service.helpers import CELL, TARGET, model

TEXT = Architecture(space="nasbench201", text=CELL)
GRAPH = load_graph(model())
READ = GraphFeatures(hash=GRAPH.hash, flops=GRAPH.flops, size=GRAPH.size, features={RECORD: GRAPH})


def test_a_graph_is_never_built_while_a_predictor_answers() -> None:
    query = NetworkQuery(target=TARGET, architecture=TEXT)
    assert not query.is_complete
    with pytest.raises(LatcastError, match="was not read"):
        _ = query.graph
    assert query.reading(READ).graph is GRAPH
    assert query.reading(READ).features == {RECORD}


def test_a_graph_that_was_built_of_a_text_is_not_one_that_was_stored() -> None:
    assert not NetworkQuery(target=TARGET, architecture=TEXT).reading(READ).has_graph
    stored = NetworkQuery(target=TARGET, architecture=TEXT, graph_hash=GRAPH.hash)
    assert not stored.has_graph
    assert stored.reading(READ).has_graph
    assert stored.reading(READ).architecture == TEXT


def test_a_query_is_about_something() -> None:
    with pytest.raises(LatcastError, match="text or the hash"):
        NetworkQuery(target=TARGET)


def test_predictors_of_cells_read_texts_and_those_of_graphs_want_graphs() -> None:
    cells, graphs = pretrained("universal-nasbench201"), pretrained("universal-graphs")
    text = NetworkQuery(target=TARGET, architecture=TEXT)
    assert reads_natively(cells, "nasbench201")
    assert not reads_natively(cells, "fbnet")
    assert not reads_natively(graphs, "nasbench201")
    assert not wants_graph(cells, text)
    assert wants_graph(graphs, text)
    assert wants_graph(cells, Query(target=TARGET, graph=GRAPH))


def test_predictors_say_what_they_read_of_graphs() -> None:
    (kernels,) = features_asked(pretrained("universal-graphs"), TARGET)
    assert kernels[0] == "kernels"
    assert features_asked(FlopsPredictor(), TARGET) == [("costs",), ("flat",)]
    assert features_asked(Strange(), TARGET, also=["flat"]) == [("flat",), RECORD]


class Strange(FlopsPredictor):
    """A predictor of somebody else, which says nothing."""

    capabilities = Capabilities(inputs=frozenset({"graph"}))

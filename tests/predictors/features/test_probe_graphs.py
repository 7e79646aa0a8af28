"""Probe graphs are what the reader of ONNX makes of the same networks."""

from dataclasses import replace

import pytest

from latcast.schema import Graph
from predictors.features import probe_graphs
from profilers.onnx_graph import load_graph
from profilers.search_spaces.builder import GraphBuilder


def product() -> GraphBuilder:
    rows, inner, columns = probe_graphs.PRODUCT
    graph = GraphBuilder("product")
    x = graph.input("x", (rows, inner))
    graph.output(graph.op("MatMul", [x, graph.weight(inner, columns)], (rows, columns)))
    return graph


def total() -> GraphBuilder:
    shape = (probe_graphs.SUM_BYTES // 4096, 1024)
    graph = GraphBuilder("sum")
    graph.output(graph.op("Add", [graph.input("x", shape), graph.input("y", shape)]))
    return graph


def chain() -> GraphBuilder:
    graph = GraphBuilder("chain")
    value = graph.input("x", (1, 8))
    for index in range(probe_graphs.LAUNCHES):
        value = graph.op("Softmax" if index % 2 else "Tanh", [value])
    graph.output(value)
    return graph


@pytest.mark.parametrize(
    ("probe", "written"),
    [
        (probe_graphs.product_graph(), product()),
        (probe_graphs.sum_graph(), total()),
        (probe_graphs.launch_graph(), chain()),
    ],
)
def test_probes_equal_what_is_read_of_their_onnx(probe: Graph, written: GraphBuilder) -> None:
    assert probe == replace(load_graph(written.to_bytes()), hash=probe.hash)

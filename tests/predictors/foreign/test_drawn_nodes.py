"""Nodes as columns are the nodes, whatever graph they are of."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latcast.schema import InvalidModelError
from predictors.foreign.child import read_here
from predictors.foreign.drawn_nodes import LARGEST, NODES, DrawnNodes, node_columns
from predictors.foreign.features import FEATURES, unpacked
from predictors.testing.graphs import random_graph
from profilers.onnx_graph import load_graph
from profilers.onnx_graph.isolated.pool import ModelText
from profilers.search_spaces import get_space

SPACE = get_space("zoo")
EXAMPLE = SPACE.parse(SPACE.example)
GRAPH = load_graph(SPACE.to_onnx(EXAMPLE))


def crossed(nodes: DrawnNodes, **changed: object) -> DrawnNodes:
    """The nodes as they come out of a pipe, with other arrays where these are named."""
    plain = [list(nodes.names), *map(list, zip(*nodes.kinds, strict=True))]
    names = ("kind", "input_counts", "inputs", "ranks", "sizes", "numbers")
    value: DrawnNodes = unpacked(NODES, plain, {**{name: getattr(nodes, name) for name in names}, **changed})
    return value


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_every_node_is_told(seed: int) -> None:
    graph = random_graph(np.random.default_rng(seed))
    nodes = list(node_columns(graph))
    assert nodes == list(crossed(node_columns(graph)))
    assert [node.operator for node in nodes] == [node.operator for node in graph.nodes]
    for drawn, node in zip(nodes, graph.nodes, strict=True):
        first = next((graph.tensors[output] for output in node.outputs if output >= 0), None)
        assert drawn.shape == (None if first is None else first.shape)
        assert drawn.dtype == (first.dtype if first else "")
        assert (drawn.flops, drawn.parameter_bytes) == (node.flops, node.parameter_bytes)
        assert (drawn.input_bytes, drawn.output_bytes) == (node.input_bytes, node.output_bytes)
        made = {output for place in drawn.inputs for output in graph.nodes[place].outputs}
        makers = {output for each in graph.nodes for output in each.outputs if output >= 0}
        assert made & set(node.inputs) == makers & set(node.inputs)


def test_they_come_out_of_the_reader() -> None:
    read = read_here(ModelText(architecture=EXAMPLE), [NODES])
    assert list(read.feature(NODES)) == list(node_columns(GRAPH))


def test_counts_beyond_64_bits_are_cut_off() -> None:
    nodes = (replace(GRAPH.nodes[0], flops=2**70), *GRAPH.nodes[1:])
    assert next(iter(node_columns(replace(GRAPH, nodes=nodes)))).flops == LARGEST


@pytest.mark.parametrize(
    "changed",
    [
        {"kind": np.full(len(GRAPH.nodes), 10_000, dtype=np.int32)},
        {"inputs": node_columns(GRAPH).inputs + len(GRAPH.nodes)},
        {"inputs": node_columns(GRAPH).inputs[:-1]},
        {"input_counts": -node_columns(GRAPH).input_counts},
        {"ranks": node_columns(GRAPH).ranks[:-1]},
        {"sizes": node_columns(GRAPH).sizes[1:]},
        {"numbers": np.zeros((len(GRAPH.nodes), 3), dtype=np.int64)},
        {"numbers": np.zeros((len(GRAPH.nodes), 4))},
    ],
    ids=str,
)
def test_columns_that_do_not_fit_are_refused(changed: dict[str, object]) -> None:
    with pytest.raises(InvalidModelError):
        crossed(node_columns(GRAPH), **changed)


def test_no_nodes_are_none() -> None:
    empty = node_columns(replace(GRAPH, nodes=()))
    plain, arrays = FEATURES["nodes"].pack(replace(GRAPH, nodes=()))
    assert list(empty) == list(unpacked(NODES, plain, arrays)) == []

"""Nodes may stand in any order: the network is the same, and so is its hash."""

import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from latcast.schema import InvalidModelError
from profilers.onnx_graph import load_graph
from tests.profilers.onnx_graph.models import F, made

node = helper.make_node
WEIGHTS = [("w", np.ones((8, 3, 3, 3), np.float32)), ("v", np.ones((8, 8, 1, 1), np.float32))]


def body(name: str, read: str) -> object:
    nodes = [node("Relu", [f"{name}_a"], [f"{name}_b"]), node("Abs", [read], [f"{name}_a"])]  # not in order, either
    return helper.make_graph(nodes, name, [], [helper.make_tensor_value_info(f"{name}_b", F, None)])


NODES = [
    node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1]),
    node("Relu", ["a"], ["b"]),
    node("Conv", ["b", "v"], ["c"]),
    node("Add", ["b", "c"], ["d"]),
    node("If", ["q"], ["e"], then_branch=body("then", "d"), else_branch=body("other", "b")),
    node("GlobalAveragePool", ["e"], ["y"]),
]


def model(nodes: list[object]) -> bytes:
    inputs = [("x", F, (1, 3, 16, 16)), ("q", TensorProto.BOOL, ())]
    return made(nodes, inputs, [("y", F)], WEIGHTS)


@given(st.permutations(range(len(NODES))))
@settings(max_examples=40, deadline=None)
def test_the_order_of_a_file_does_not_matter(order: list[int]) -> None:
    usual, other = load_graph(model(NODES)), load_graph(model([NODES[at] for at in order]))
    assert other.hash == usual.hash
    assert (other.macs, other.parameters) == (usual.macs, usual.parameters)
    assert sorted(one.operator for one in other.nodes) == sorted(one.operator for one in usual.nodes)
    places = {tensor: at for at, one in enumerate(other.nodes) for tensor in one.outputs}
    assert all(places.get(tensor, -1) < at for at, one in enumerate(other.nodes) for tensor in one.inputs)


def test_nodes_that_are_in_order_stay_where_they_are() -> None:
    nodes = [node("Abs", ["x"], ["b"]), node("Neg", ["x"], ["a"]), node("Add", ["a", "b"], ["y"])]
    graph = load_graph(made(nodes, [("x", F, (2,))], [("y", F)]))
    assert [one.operator for one in graph.nodes] == ["Abs", "Neg", "Add"]


def test_a_long_chain_that_stands_backwards_is_read() -> None:
    names = ["x", *(f"t{at}" for at in range(3_000)), "y"]
    nodes = [node("Relu", [read], [write]) for read, write in pairwise(names)]
    random.Random(0).shuffle(nodes)
    assert len(load_graph(made(nodes, [("x", F, (2,))], [("y", F)])).nodes) == len(nodes)


@pytest.mark.parametrize(
    "nodes",
    [
        [node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"]), node("Abs", ["b"], ["y"])],
        [node("Add", ["x", "nowhere"], ["y"])],
        [node("Add", ["x", "y"], ["y"])],
    ],
)
def test_circles_and_loose_ends_are_refused(nodes: list[object]) -> None:
    with pytest.raises(InvalidModelError, match="edge dangles, or the graph has a cycle"):
        load_graph(made(nodes, [("x", F, (2,))], [("y", F)]))

"""Graphs as arrays: nodes, tensors between them, and shares of cost."""

import numpy as np
import pytest

from latcast.schema import Graph, Node, TensorSpec
from predictors.kinds.gcn.arrays import NODE_FEATURES, GraphArrays, roofline_cost

TENSORS = tuple(TensorSpec(name=name, dtype="float32", shape=(1, 8, 4, 4)) for name in ("x", "w", "a", "b"))
CONV = Node(
    operator="Conv", inputs=(0, 1), outputs=(2,), flops=10**6, macs=5 * 10**5, output_bytes=512,
    attributes={"kernel_shape": (3, 3), "group": 8, "strides": ("odd",)},
)  # fmt: skip
RELU = Node(operator="Relu", inputs=(2, -1), outputs=(3,), output_bytes=512, input_bytes=512)
GRAPH = Graph(hash="g", tensors=TENSORS, inputs=(0,), outputs=(3,), initializers=frozenset({1}), nodes=(CONV, RELU))


def test_nodes_and_the_tensors_between_them() -> None:
    arrays = GraphArrays.of(GRAPH, {"::Relu": 1})
    assert arrays.operators.tolist() == [0, 1]
    assert (arrays.sources.tolist(), arrays.sinks.tolist()) == ([0], [1])
    assert arrays.edges[0, 0] == pytest.approx(np.log1p(8 * 16 * 4))
    values = dict(zip(NODE_FEATURES, np.expm1(arrays.nodes[0]), strict=True))
    assert values["kernel"] == pytest.approx(9)
    assert values["group"] == pytest.approx(8)
    assert values["stride"] == pytest.approx(1), "an attribute that holds no numbers counts as left out"
    assert values["channels"] == pytest.approx(8)
    assert arrays.share.sum() == pytest.approx(1)
    assert arrays.share[0] == pytest.approx(roofline_cost(CONV) / (roofline_cost(CONV) + roofline_cost(RELU)))
    assert np.expm1(arrays.whole[0]) == pytest.approx(roofline_cost(CONV) + roofline_cost(RELU))


def test_impossible_sizes_are_numbers_all_the_same() -> None:
    odd = Node(
        operator="Conv", inputs=(0,), outputs=(2,), flops=10**400, attributes={"group": -1, "strides": (np.nan,)}
    )
    arrays = GraphArrays.of(Graph(hash="g", tensors=TENSORS, inputs=(0,), outputs=(2,), nodes=(odd,)), {})
    assert np.isfinite(arrays.nodes).all()
    assert np.isfinite(arrays.whole).all()


def test_a_graph_without_nodes_is_one_that_does_nothing() -> None:
    arrays = GraphArrays.of(Graph(hash="g", tensors=TENSORS, inputs=(0,), outputs=(0,), nodes=()), {})
    assert arrays.operators.tolist() == [0]
    assert arrays.edges.shape == (0, 1)
    assert arrays.share.tolist() == [1.0]

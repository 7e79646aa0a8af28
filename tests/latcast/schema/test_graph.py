"""What graphs and tensors compute of themselves."""

import pytest

from latcast.schema import Graph, Node, TensorSpec


def test_graph_totals_count_bodies():
    weight = TensorSpec(name="w", dtype="int4", shape=(3, 4))
    inner = Graph(hash="g1-0", tensors=(weight,), inputs=(), outputs=(), initializers=frozenset({0}),
                  nodes=(Node(operator="Relu", inputs=(), outputs=()),))  # fmt: skip
    node = Node(operator="Loop", inputs=(0,), outputs=(1,), macs=5, flops=12, output_bytes=8, bodies=(inner,), trips=3)
    tensors = (TensorSpec(name="x", dtype="float32", shape=(2,)), TensorSpec(name="y", dtype="float32", shape=None))
    graph = Graph(hash="g1-1", tensors=tensors, inputs=(0,), outputs=(1,), nodes=(node,))
    assert (graph.macs, graph.flops, graph.activation_bytes, graph.parameter_bytes) == (5, 12, 16, 6)
    assert graph.operators == {"Loop": 1, "Relu": 1}
    assert graph.arithmetic_intensity == pytest.approx(12 / 22)


def test_sizes_of_tensors_that_are_unknown_count_as_none() -> None:
    assert TensorSpec(name="x", dtype="float16", shape=(2, 3)).size_bytes == 12
    assert TensorSpec(name="x", dtype="float32", shape=()).elements == 1
    assert TensorSpec(name="x", dtype="float32", shape=None).size_bytes == 0


def test_a_graph_without_work_has_no_intensity() -> None:
    assert Graph(hash="g1-0", tensors=(), inputs=(), outputs=(), nodes=()).arithmetic_intensity == 0.0

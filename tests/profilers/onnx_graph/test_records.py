"""Records that are made quickly equal those that are constructed."""

from dataclasses import fields

from latcast.schema import (
    Node,
    TensorSpec,
)
from profilers.onnx_graph.records import make_node, make_tensor


def test_records_are_those_of_the_schema():
    assert make_tensor("x", "float32", (1, 2)) == TensorSpec(name="x", dtype="float32", shape=(1, 2))
    made = make_node(
        operator="Relu", domain="d", name="n", inputs=(1,), outputs=(2,), attributes={"a": 1}, work=(3, 4, 5, 6, 7),
        bodies=(), trips=8,
    )  # fmt: skip
    assert made == Node(
        operator="Relu", domain="d", name="n", inputs=(1,), outputs=(2,), attributes={"a": 1}, macs=3, flops=4,
        parameter_bytes=5, input_bytes=6, output_bytes=7, bodies=(), trips=8,
    )  # fmt: skip
    assert all(hasattr(made, field.name) for field in fields(Node))

"""Shapes and constants: against onnx's own inference, and where onnx gives up."""

import numpy as np
import pytest
from hypothesis import given, settings
from onnx import ModelProto, checker, helper, shape_inference

from latcast.schema import InvalidModelError, UnsupportedOperatorError
from profilers.onnx_graph import load_graph
from tests.profilers.onnx_graph.models import I64, F, made, shapes_of
from tests.strategies import onnx_protos


@settings(max_examples=60, deadline=None)
@given(onnx_protos())
def test_shapes_agree_with_onnx(proto: ModelProto):
    checker.check_model(proto)
    inferred = shape_inference.infer_shapes(proto, data_prop=True)
    graph = load_graph(proto.SerializeToString())
    ours = shapes_of(graph)
    for info in (*inferred.graph.value_info, *inferred.graph.output):
        dims = tuple(dim.dim_value for dim in info.type.tensor_type.shape.dim)
        assert ours[info.name] == dims
    assert len(graph.nodes) == len(proto.graph.node)


def test_data_dependent_shapes_are_none():
    nodes = [helper.make_node("NonZero", ["x"], ["i"]), helper.make_node("Transpose", ["i"], ["y"])]
    graph = load_graph(made(nodes, [("x", F, (3, 4))], [("y", I64)]))
    assert shapes_of(graph)["i"] is None
    assert shapes_of(graph)["y"] is None


def test_shapes_flow_past_what_onnx_does_not_know():
    nodes = [
        helper.make_node("FastGelu", ["x"], ["g"], domain="com.microsoft"),
        helper.make_node("MatMul", ["g", "w"], ["y"]),
    ]
    model = made(nodes, [("x", F, (2, 3))], [("y", F)], [("w", np.ones((3, 5), np.float32))], domains=["com.microsoft"])
    assert shapes_of(load_graph(model))["y"] == (2, 5)


def test_misfitting_shapes_name_the_node():
    node = helper.make_node("MatMul", ["a", "b"], ["y"], name="proj")
    with pytest.raises(InvalidModelError, match="'proj'"):
        load_graph(made([node], [("a", F, (2, 3)), ("b", F, (4, 5))], [("y", F)]))


def test_unknown_operators_are_named():
    node = helper.make_node("Frobnicate", ["a"], ["y"])
    with pytest.raises(UnsupportedOperatorError, match="Frobnicate"):
        load_graph(made([node], [("a", F, (2, 3))], [("y", F)]))

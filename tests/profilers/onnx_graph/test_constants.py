"""Constants: large ones stay a type and a shape, small ones are read, lying ones refused."""

import tracemalloc

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from latcast.schema import (
    InvalidModelError,
)
from profilers.onnx_graph import (
    load_graph,
)
from tests.profilers.onnx_graph.models import I64, F, made, proto_of, relu, shapes_of


def test_big_constants_are_specs():
    nodes = [helper.make_node("ConstantOfShape", ["s"], ["big"]), helper.make_node("Add", ["x", "big"], ["y"])]
    graph = load_graph(made(nodes, [("x", F, (1,))], [("y", F)], [("s", np.array([12_000, 12_000]))]))
    assert graph.nodes[0].parameter_bytes == 4 * 12_000 * 12_000
    assert graph.parameters == {"int64": 2}
    assert [node.operator for node in graph.nodes] == ["Add"]


def test_a_constant_without_elements_is_known():
    """Exporters reshape to a scalar by an empty shape, which is stored without any bytes."""
    empty = TensorProto(name="s", dims=[0], data_type=I64)
    nodes = [helper.make_node("Reshape", ["x", "s"], ["y"])]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", F, (1,))],
        [helper.make_tensor_value_info("y", F, None)],
        [empty],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    assert shapes_of(load_graph(model.SerializeToString()))["y"] == ()


def test_weights_may_simply_be_left_out():
    """A network whose weights are gone has the same graph; a shape that is gone is missed."""

    def model(weight: TensorProto, *, shape: bool):
        nodes = [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Reshape", ["h", "s"], ["y"])]
        target = (
            numpy_helper.from_array(np.array([8, -1]), "s") if shape else TensorProto(name="s", dims=[2], data_type=I64)
        )
        graph = helper.make_graph(
            nodes, "g", [helper.make_tensor_value_info("x", F, (2, 8))],
            [helper.make_tensor_value_info("y", F, None)], [weight, target],
        )  # fmt: skip
        opsets = [helper.make_opsetid("", 17)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()

    without = TensorProto(name="w", dims=[8, 4], data_type=F)
    full = numpy_helper.from_array(np.ones((8, 4), np.float32), "w")
    assert load_graph(model(without, shape=True)) == load_graph(model(full, shape=True))
    with pytest.raises(InvalidModelError, match="holds 0 of the 2 values"):
        load_graph(model(without, shape=False))


def test_a_big_constant_takes_no_memory():
    shape = numpy_helper.from_array(np.array([12_000, 12_000]), "s")
    model = proto_of([helper.make_node("ConstantOfShape", ["s"], ["b"]), relu()], initializers=[shape])
    tracemalloc.start()
    load_graph(model.SerializeToString())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**22

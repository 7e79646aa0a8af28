"""Sizes are bound in a whole model as they are in the model without its weights."""

from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from latcast.onnx_files import read_model
from latcast.onnx_files.declarations import declared_as
from latcast.onnx_files.wire import Bytes, MalformedError, encoded_field, encoded_number
from latcast.schema import InvalidModelError
from profilers.onnx_graph import bind_shapes

F = TensorProto.FLOAT


def model() -> ModelProto:
    """y = relu(x · w) · v, with open sizes, and a declared tensor between."""
    weights = [numpy_helper.from_array(np.arange(32, dtype=np.float32).reshape(4, 8), "w")]
    weights.append(numpy_helper.from_array(np.arange(24, dtype=np.float32).reshape(8, 3), "v"))
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("MatMul", ["r", "v"], ["y"]), helper.make_node("Mul", ["y", "s"], ["z"]),
    ]  # fmt: skip
    inputs = [helper.make_tensor_value_info("x", F, ["n", 4]), helper.make_tensor_value_info("s", F, ["n", 3])]
    outputs = [helper.make_tensor_value_info("z", F, ["n", 3])]
    declared = [helper.make_tensor_value_info("h", F, ["n", 8])]
    graph = helper.make_graph(nodes, "g", inputs, outputs, weights, value_info=declared)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def test_a_whole_model_is_bound_as_its_stripped_form(tmp_path: Path) -> None:
    path, whole = tmp_path / "m.onnx", model().SerializeToString()
    path.write_bytes(whole)
    declared = bind_shapes(read_model(path), {"x": (5, 4)})
    bound = read_model(path, weights=True, declared=declared)
    assert ModelProto.FromString(bound) == ModelProto.FromString(bind_shapes(whole, {"x": (5, 4)}))


def test_another_model_is_refused() -> None:
    proto, fewer = model(), model()
    del fewer.graph.input[1]
    with pytest.raises(InvalidModelError, match="inputs and outputs"):
        declared_as(Bytes(proto.SerializeToString()), fewer.SerializeToString())
    twice = proto.SerializeToString() * 2
    with pytest.raises(InvalidModelError, match="not in one piece"):
        declared_as(Bytes(twice), proto.SerializeToString())
    broken = encoded_field(7, encoded_number(11, 3))
    with pytest.raises(MalformedError):
        declared_as(Bytes(broken), proto.SerializeToString())

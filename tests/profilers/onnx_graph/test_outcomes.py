"""What is kept of nodes that were read changes nothing but the time."""

import numpy as np
from hypothesis import given, settings
from onnx import ModelProto, helper, numpy_helper

from profilers.onnx_graph import (
    load_graph,
    operations,
    outcomes,
)
from tests.profilers.onnx_graph.models import F
from tests.strategies import onnx_protos

_SETTINGS = settings(max_examples=40, deadline=None)


@_SETTINGS
@given(onnx_protos())
def test_a_model_gives_the_same_graph_whatever_was_read_before(proto: ModelProto):
    model = proto.SerializeToString()
    after_others = load_graph(model)
    operations._read.cache_clear()
    outcomes._outcomes.cache_clear()
    assert load_graph(model) == after_others == load_graph(model)


def test_constants_of_one_shape_are_told_apart():
    """Two Reshapes that differ in nothing but the values of the shape."""

    def model(*shape: int) -> bytes:
        value = helper.make_tensor_value_info
        graph = helper.make_graph(
            [helper.make_node("Reshape", ["x", "s"], ["y"])], "g", [value("x", F, (2, 6))], [value("y", F, None)],
            [numpy_helper.from_array(np.array(shape), "s")],
        )  # fmt: skip
        opsets = [helper.make_opsetid("", 17)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()

    for shape in ((3, 4), (4, 3), (3, 4), (12, 1)):
        (node,) = (graph := load_graph(model(*shape))).nodes
        assert graph.tensors[node.outputs[0]].shape == shape

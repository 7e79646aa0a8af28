"""What models declare of their inputs and outputs."""

import onnx
import pytest
from onnx import TensorProto, helper

from latcast.schema import InvalidModelError, TensorSpec
from profilers.backends.declared import declared_tensors, parsed_graph


def model(*nodes: onnx.NodeProto) -> bytes:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ("batch", 3))
    w = helper.make_tensor_value_info("w", TensorProto.FLOAT, (3,))
    y = helper.make_tensor_value_info("y", TensorProto.INT64, ())
    weight = helper.make_tensor("w", TensorProto.FLOAT, (3,), [1.0, 2.0, 3.0])
    return bytes(helper.make_model(helper.make_graph(list(nodes), "g", [x, w], [y], [weight])).SerializeToString())


def test_weights_are_no_inputs_and_unknown_sizes_count_as_one() -> None:
    inputs, outputs = declared_tensors(parsed_graph(model(helper.make_node("Add", ["x", "w"], ["y"])), "A runtime"))
    assert inputs == (TensorSpec(name="x", dtype="float32", shape=(1, 3)),)
    assert outputs == (TensorSpec(name="y", dtype="int64", shape=()),)


@pytest.mark.parametrize(("data", "words"), [(b"\x00no", "A runtime refuses the model"), (model(), "it has no nodes")])
def test_what_is_no_model_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(InvalidModelError, match=words):
        parsed_graph(data, "A runtime")

"""What is stored of a model holds the network alone: no doc strings, no metadata, no unknown fields."""

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from profilers.onnx_graph import load_graph, strip_weights
from profilers.quantisation.marks import MARK

SECRET = "s3cret"


def commented() -> ModelProto:
    """A model that says the secret in every place that a runtime does not read."""
    branch = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["b"], doc_string=SECRET)], "branch", [],
        [helper.make_tensor_value_info("b", TensorProto.FLOAT, [2], doc_string=SECRET)], doc_string=SECRET,
    )  # fmt: skip
    choice = helper.make_node("If", ["c"], ["z"], then_branch=branch, else_branch=branch, doc_string=SECRET)
    for attribute in choice.attribute:
        attribute.doc_string = SECRET
    weights = [numpy_helper.from_array(np.ones((2, 32), np.float32), "w")]
    weights += [numpy_helper.from_array(np.array(True), "c"), numpy_helper.from_array(np.ones(32, np.float32), "v")]
    for tensor in weights:
        tensor.doc_string = SECRET
    nodes = [choice, helper.make_node("MatMul", ["x", "w"], ["m"]), helper.make_node("Add", ["m", "v"], ["y"])]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2], doc_string=SECRET)]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("y", "z")]
    graph = helper.make_graph(nodes, "g", inputs, outputs, weights, doc_string=SECRET)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9, doc_string=SECRET)
    model.metadata_props.add(key="author", value=SECRET)
    model.metadata_props.add(key=MARK, value="int8_dynamic")
    return model


def with_training(model: ModelProto) -> ModelProto:
    """The model with data of its training in another file."""
    outside = model.training_info.add().algorithm.initializer.add(name="t", data_type=TensorProto.FLOAT, dims=[9])
    outside.data_location = TensorProto.EXTERNAL
    outside.external_data.add(key="location", value=f"/etc/{SECRET}")
    return model


def test_nothing_is_stored_but_the_network() -> None:
    whole = with_training(commented()).SerializeToString()
    unknown = b"\xfa\x3f" + bytes([len(SECRET)]) + SECRET.encode()  # field 1023 of a model
    stripped = strip_weights(whole + unknown)
    assert SECRET.encode() in whole
    assert SECRET.encode() not in stripped
    assert not ModelProto.FromString(stripped).training_info
    assert load_graph(stripped).hash == load_graph(whole).hash


def test_marks_of_this_project_stay() -> None:
    stripped = ModelProto.FromString(strip_weights(commented().SerializeToString()))
    assert [(entry.key, entry.value) for entry in stripped.metadata_props] == [(MARK, "int8_dynamic")]
    again = ModelProto.FromString(strip_weights(stripped.SerializeToString()))
    assert [tensor.doc_string for tensor in again.graph.initializer] == [
        "latcast:refill=normal",
        "",
        "latcast:refill=normal",
    ]

"""Names of nodes and the version of the format: one form in what is stored, and none that a runtime refuses."""

import numpy as np
import onnxruntime
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from profilers.onnx_graph import load_graph, refill_weights, strip_weights


def model(*names: str, ir_version: int = 8, opset: int = 17, weight_is_input: bool = False) -> bytes:
    """A product, an activation and a choice between two bodies, whose nodes have the given names."""
    first, second, third = names

    def body(operator: str) -> object:
        output = helper.make_tensor_value_info("b", TensorProto.FLOAT, [2, 32])
        nodes = [
            helper.make_node(operator, ["r"], ["t"], name=third),
            helper.make_node("Abs", ["t"], ["b"], name=third),
        ]
        return helper.make_graph(nodes, operator, [], [output])

    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["m"], name=first),
        helper.make_node("Relu", ["m"], ["r"], name=second),
        helper.make_node("If", ["c"], ["y"], name=first, then_branch=body("Neg"), else_branch=body("Exp")),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 32])]
    weights = [
        numpy_helper.from_array(np.ones((32, 32), np.float32), "w"),
        numpy_helper.from_array(np.array(True), "c"),
    ]
    if weight_is_input:
        inputs += [helper.make_tensor_value_info("w", TensorProto.FLOAT, [32, 32])]
        inputs += [helper.make_tensor_value_info("c", TensorProto.BOOL, [])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 32])]
    graph = helper.make_graph(nodes, "g", inputs, outputs, weights)
    opsets = [helper.make_opsetid("", opset)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=ir_version).SerializeToString())


TWINS, DISTINCT = ("conv", "conv", "conv"), ("a", "b", "c")


def is_opened(data: bytes) -> bool:
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return bool(np.isfinite(session.run(None, {"x": np.ones((2, 32), np.float32)})[0]).all())


@pytest.mark.parametrize(
    "other", [model(*TWINS), model("", "", ""), model(*DISTINCT, ir_version=99), model(*DISTINCT, ir_version=7)]
)
def test_models_of_one_hash_are_stored_as_the_same_bytes(other: bytes) -> None:
    good = model(*DISTINCT)
    assert load_graph(other).hash == load_graph(good).hash
    assert strip_weights(other) == strip_weights(good)
    assert load_graph(strip_weights(other)).hash == load_graph(good).hash
    assert is_opened(refill_weights(strip_weights(other)))


def test_what_is_stored_once_more_stays_as_it_is() -> None:
    once = strip_weights(model(*TWINS))
    assert strip_weights(once) == once


def test_initializers_of_old_formats_remain_constants() -> None:
    old = model(*DISTINCT, ir_version=3, opset=11, weight_is_input=True)
    stripped = strip_weights(old)
    assert load_graph(stripped).hash == load_graph(old).hash
    assert ModelProto.FromString(stripped).ir_version == 3


@pytest.mark.parametrize("refused", [model(*TWINS), model(*DISTINCT, ir_version=99)])
def test_a_whole_model_that_runtimes_would_refuse_is_measured(refused: bytes) -> None:
    with pytest.raises(Exception, match=r"same node name|IR version"):
        is_opened(refused)
    assert is_opened(refill_weights(refused))


def test_a_whole_model_that_runtimes_read_is_measured_as_it_is() -> None:
    good = model("", "x", "")
    assert refill_weights(good) is good

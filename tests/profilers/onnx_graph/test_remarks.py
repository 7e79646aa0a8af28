"""What people are told of a network: training mode, values that decide, unknown work, nothing left, number types."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from profilers.onnx_graph import load_graph
from profilers.onnx_graph.remarks import described, number_type, precision_of, remarks_of, unknown_macs
from tests.profilers.onnx_graph.models import I64, F, made
from tests.profilers.onnx_graph.test_training_mode import normalised

node = helper.make_node
W = ("w", np.ones((16, 8), np.float32))


def graph_of(nodes, inputs, constants=(), outputs=("y",), opset=17):
    return load_graph(made(nodes, inputs, [(name, 0) for name in outputs], constants, opset=opset))


def nms():
    nodes = [
        node("NonMaxSuppression", ["boxes", "scores", "most"], ["chosen"]),
        node("Gather", ["chosen", "two"], ["y"], axis=1),
    ]
    inputs = [("boxes", F, (1, 50, 4)), ("scores", F, (1, 2, 50))]
    return graph_of(nodes, inputs, [("most", np.array([10])), ("two", np.array([2]))])


def quantised(dtype=np.int8):
    nodes = [node("DequantizeLinear", ["q", "s"], ["w"]), node("MatMul", ["x", "w"], ["y"])]
    return graph_of(nodes, [("x", F, (4, 16))], [("q", np.ones((16, 8), dtype)), ("s", np.float32(0.1))])


def test_a_plain_network_needs_no_remark() -> None:
    plain = graph_of([node("MatMul", ["x", "w"], ["y"])], [("x", F, (4, 16))], [W])
    assert remarks_of(plain) == ()
    assert number_type(plain) == ""
    assert described(plain) == {**plain.summary, "precision": "fp32", "unknown_macs_nodes": 0, "remarks": []}


def test_training_mode_is_remarked() -> None:
    assert "call eval() before exporting" in remarks_of(load_graph(normalised(training_mode=1)))[0]


def test_operators_whose_time_depends_on_values_are_named_once() -> None:
    (sentence,) = remarks_of(nms())
    assert "depends on the values of its inputs, not on their shapes alone (NonMaxSuppression)" in sentence


def test_work_that_depends_on_values_is_unknown_and_said_to_be() -> None:
    nodes = [
        node("NonZero", ["x"], ["places"]),
        node("Cast", ["places"], ["found"], to=F),
        node("Transpose", ["found"], ["rows"], perm=[1, 0]),
        node("MatMul", ["rows", "v"], ["y"]),
    ]
    graph = graph_of(nodes, [("x", F, (4, 16))], [("v", np.ones((2, 8), np.float32))])
    assert unknown_macs(graph) == 1
    assert described(graph)["unknown_macs_nodes"] == 1
    assert "MACs unknown of 1 node, whose sizes depend on values." in remarks_of(graph)
    assert "(NonZero)" in remarks_of(graph)[0]


def while_loop(trips: str):
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [node("Identity", ["go"], ["on"]), node("MatMul", ["h", "w"], ["h2"])], "body",
        [info("i", I64, []), info("go", TensorProto.BOOL, []), info("h", F, (4, 4))],
        [info("on", TensorProto.BOOL, []), info("h2", F, (4, 4))],
    )  # fmt: skip
    constants = [("yes", np.bool_(True)), ("ten", np.int64(10)), ("w", np.ones((4, 4), np.float32))]
    inputs = [("x", F, (4, 4)), *([("many", I64, ())] if trips == "many" else [])]
    return graph_of([node("Loop", [trips, "yes", "x"], ["y"], body=body)], inputs, constants)


def test_loops_are_remarked_where_inputs_set_their_trips() -> None:
    assert remarks_of(while_loop("ten")) == ()
    assert "(Loop)" in remarks_of(while_loop("many"))[0]


def test_an_empty_input_is_remarked_unless_it_holds_the_past() -> None:
    def joined(name: str):
        return graph_of([node("Concat", [name, "x"], ["y"], axis=1)], [(name, F, (1, 0, 4)), ("x", F, (1, 1, 4))])

    assert remarks_of(joined("image")) == (
        "The input 'image' has no elements (1×0×4): hardly anything is computed.",
    )  # fmt: skip
    assert remarks_of(joined("past_key_values.0.key")) == ()


def test_a_network_that_is_too_deep_for_its_input_is_remarked() -> None:
    graph = graph_of([node("MaxPool", ["x"], ["y"], kernel_shape=[3, 3])], [("x", F, (1, 3, 2, 2))])
    assert remarks_of(graph) == (
        "Nothing is left behind a MaxPool node, which makes 1×3×0×0: the input is too small for the network.",
    )


@pytest.mark.parametrize(("dtype", "name"), [(np.int8, "int8"), (np.uint8, "uint8")])
def test_a_quantised_model_runs_as_given(dtype: type, name: str) -> None:
    assert number_type(quantised(dtype)) == name
    assert remarks_of(quantised(dtype))[0].startswith(f"It is quantised ({name}): it runs as given")


def test_the_precision_of_a_file_is_that_of_its_weights() -> None:
    assert precision_of(quantised(np.uint8)) == "uint8"
    half = [node("MatMul", ["x", "w"], ["y"])]
    inputs = [("x", TensorProto.FLOAT16, (4, 16))]
    assert precision_of(graph_of(half, inputs, [("w", np.ones((16, 8), np.float16))])) == "fp16"
    assert precision_of(graph_of([node("Relu", ["x"], ["y"])], [("x", TensorProto.DOUBLE, (4,))])) == "fp64"
    assert precision_of(graph_of([node("Identity", ["x"], ["y"])], [("x", I64, (4,))])) == "fp32"


def test_denormal_constants_are_remarked_however_small() -> None:
    graph = graph_of([node("Mul", ["x", "d"], ["y"])], [("x", F, (4, 16))], [("d", np.full(4, 1e-40, np.float32)[:1])])
    assert "denormal" in remarks_of(graph)[0]

"""The quick rules of common operators give what onnx gives."""

import numpy as np
import pytest
from onnx import defs, helper, shape_inference

from profilers.onnx_graph import Limits, load_graph
from profilers.onnx_graph.parsing import read_model
from profilers.onnx_graph.shapes.standard import STANDARD
from profilers.onnx_graph.values import Value
from tests.profilers.onnx_graph.models import F, made

_CASES = [
    ("Relu", [(2, 3)], {}), ("Add", [(2, 3), (3,)], {}), ("Mul", [(2, 1, 4), (3, 1)], {}), ("Less", [(2, 3), ()], {}),
    ("BatchNormalization", [(2, 3, 4), (3,), (3,), (3,), (3,)], {}),
    ("Conv", [(1, 4, 9, 7), (6, 2, 3, 3)], {"group": 2, "strides": [2, 1], "pads": [1, 0, 2, 1], "dilations": [1, 2]}),
    ("Conv", [(1, 4, 9), (6, 4, 3)], {}), ("MaxPool", [(1, 4, 9, 9)], {"kernel_shape": [3, 3], "strides": [2, 2]}),
    ("MaxPool", [(1, 4, 9, 9)], {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}),
    ("AveragePool", [(1, 4, 9, 9)], {"kernel_shape": [3, 3], "pads": [1] * 4}),
    ("Conv", [(1, 4, 9, 9), (6, 4, 3, 3)], {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    ("GlobalAveragePool", [(2, 3, 5, 6)], {}), ("Gemm", [(3, 5), (7, 5)], {"transB": 1}),
    ("Gemm", [(5, 3), (5, 7)], {"transA": 1}), ("MatMul", [(2, 1, 3, 5), (4, 5, 7)], {}),
    ("MatMul", [(5,), (5, 7)], {}),
    ("Transpose", [(2, 3, 4)], {"perm": [2, 0, 1]}), ("Transpose", [(2, 3, 4)], {}),
    ("Concat", [(2, 3), (2, 5)], {"axis": -1}), ("Concat", [(2, 3), (4, 3)], {"axis": 0}),
]  # fmt: skip


@pytest.mark.parametrize(("operator", "shapes", "attributes"), _CASES)
def test_standard_rules_say_what_onnx_says(operator, shapes, attributes):
    names = [f"x{at}" for at in range(len(shapes))]
    node = helper.make_node(operator, names, ["y"], **attributes)
    types = {name: helper.make_tensor_type_proto(F, shape) for name, shape in zip(names, shapes, strict=True)}
    schema = defs.get_schema(operator, max_inclusive_version=17)
    found = shape_inference.infer_node_outputs(schema, node, types, opset_imports=[helper.make_opsetid("", 17)])["y"]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [node], "g", [value(name, F, shape) for name, shape in zip(names, shapes, strict=True)], [value("y", F, None)]
    )
    source = read_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), Limits())
    inputs = [Value(name, "float32", shape) for name, shape in zip(names, shapes, strict=True)]
    ours = STANDARD[operator](inputs, source.graph.nodes[0].operation)
    wanted = Value.from_type("y", found)
    assert ours is None or ours == [(wanted.dtype, wanted.dims)]


def read(operator: str, shape: tuple[int, ...], constants: list[np.ndarray], **attributes: object):
    names = [f"c{at}" for at in range(len(constants))]
    node = helper.make_node(operator, ["x", *names], ["y"], **attributes)
    graph = load_graph(made([node], [("x", F, shape)], [("y", 0)], zip(names, constants, strict=True), opset=17))
    return graph.tensors[graph.outputs[0]].shape


def test_a_transposed_convolution_may_give_less_than_it_takes() -> None:
    """As ONNX Runtime runs it; onnx leaves the sizes out."""
    weights = np.ones((4, 3, 3, 3), np.float32)
    assert read("ConvTranspose", (1, 4, 8, 8), [weights], output_shape=[5, 6], group=2) == (1, 6, 5, 6)


@pytest.mark.parametrize(("attributes", "bins"), [({}, 9), ({"onesided": 1}, 9), ({"onesided": 0}, 16)])
def test_a_spectrogram_has_half_of_the_bins_unless_all_are_asked_for(attributes, bins) -> None:
    """As ONNX Runtime runs it; onnx takes the default for the other one."""
    constants = [np.array(8), np.ones(16, np.float32)]
    assert read("STFT", (1, 128, 1), constants, **attributes) == (1, 15, bins, 2)

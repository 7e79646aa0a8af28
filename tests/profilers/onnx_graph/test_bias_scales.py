"""A quantised convolution's bias counts in the unit of its products, or the node says that it does not."""

import numpy as np
import pytest
from onnx import helper

from latcast.schema import Graph
from profilers.onnx_graph import load_graph, strip_weights
from profilers.onnx_graph.isolated.encoding import decode_graph, encode_graph
from tests.profilers.onnx_graph.models import F, made

CHANNELS = 4
Constants = list[tuple[str, np.ndarray]]


def convolution(data: float, weights: object, bias: object, *, zero: int | None = 0, behind: bool = False) -> bytes:
    """A convolution of which all is unpacked; scales as given, the bias behind an Identity where asked for."""
    nodes, constants = [], Constants()

    def unpacked(name: str, values: np.ndarray, scale: object, zero: int | None) -> str:
        scales = np.asarray(scale, np.float32)
        constants.extend([(name, values), (f"{name}_scale", scales)])
        inputs = [name, f"{name}_scale"]
        if zero is not None:
            constants.append((f"{name}_zero", np.full(scales.shape, zero, values.dtype)))
            inputs.append(f"{name}_zero")
        nodes.append(helper.make_node("DequantizeLinear", inputs, [f"{name}_float"], axis=0))
        return f"{name}_float"

    constants += [("scale", np.float32(data)), ("zero", np.uint8(3))]
    nodes += [helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["packed"])]
    nodes += [helper.make_node("DequantizeLinear", ["packed", "scale", "zero"], ["read"])]
    w = unpacked("w", np.ones((CHANNELS, CHANNELS, 1, 1), np.int8), weights, 0)
    b = unpacked("b", np.ones(CHANNELS, np.int32), bias, zero)
    if behind:
        nodes += [helper.make_node("Identity", [b], ["b_again"])]
    nodes += [helper.make_node("Conv", ["read", w, "b_again" if behind else b], ["y"])]
    return made(nodes, [("x", F, (1, CHANNELS, 8, 8))], [("y", F)], constants, opset=17)


def differs(graph: Graph) -> bool:
    (node,) = [node for node in graph.nodes if node.operator == "Conv"]
    return bool(node.attributes.get("bias_scale_differs", 0))


EQUAL = np.full(CHANNELS, 0.02)
ONE_OFF = np.array([0.01, 0.01, 0.02, 0.01])


@pytest.mark.parametrize(
    ("data", "weights", "bias", "zero", "expected"),
    [
        (0.5, 0.02, 0.01, 0, False),
        (0.5, 0.02, 0.01, None, False),
        (0.5, 0.02, 0.01, 3, True),
        (0.5, 0.02, 0.04, 0, True),
        (0.5, 2.0, 1.0099, 0, False),  # one in a hundred is taken for equal
        (0.5, 2.0, 1.0102, 0, True),
        (0.5, 2e-5, 1.109e-5, 0, False),  # and a millionth
        (0.5, 2e-5, 1.112e-5, 0, True),
        (0.5, EQUAL, EQUAL / 2, 0, False),
        (0.5, EQUAL, 0.01, 0, False),
        (0.5, EQUAL, ONE_OFF, 0, True),
    ],
)
def test_scales_are_compared_as_the_runtime_does(
    data: float, weights: object, bias: object, zero: int | None, expected: bool
) -> None:
    model = convolution(data, weights, bias, zero=zero)
    graph = load_graph(model)
    assert differs(graph) is expected
    assert differs(decode_graph(encode_graph(graph))) is expected
    assert differs(load_graph(strip_weights(model))) is expected  # scales are no weights


def test_a_bias_behind_an_identity_is_the_same_bias() -> None:
    assert differs(load_graph(convolution(0.5, 0.02, 0.04, behind=True)))
    assert not differs(load_graph(convolution(0.5, 0.02, 0.01, behind=True)))

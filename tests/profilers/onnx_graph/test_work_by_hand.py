"""MACs and parameters of twelve small networks against formulas that are written out here, exactly."""

import ml_dtypes
import numpy as np
import pytest
from onnx import TensorProto, helper

from profilers.onnx_graph import load_graph
from tests.profilers.onnx_graph.models import I64, F, made

node = helper.make_node
info = helper.make_tensor_value_info
F16, U8 = TensorProto.FLOAT16, TensorProto.UINT8
MS = "com.microsoft"


def w(*shape: int, dtype: object = np.float32) -> np.ndarray:
    return np.ones(shape, dtype)


def convolutional() -> bytes:
    """Image 3×32×32: 16 filters of 3×3 at stride 2, then pooled and 10 classes."""
    nodes = [
        node("Conv", ["x", "k", "b"], ["c"], strides=[2, 2], pads=[1, 1, 1, 1]),
        node("Relu", ["c"], ["r"]),
        node("GlobalAveragePool", ["r"], ["p"]),
        node("Flatten", ["p"], ["f"]),
        node("Gemm", ["f", "d", "e"], ["y"], transB=1),
    ]
    weights = [("k", w(16, 3, 3, 3)), ("b", w(16)), ("d", w(10, 16)), ("e", w(10))]
    return made(nodes, [("x", F, (1, 3, 32, 32))], [("y", F)], weights)


def half() -> bytes:
    """Two layers in float16, batch 4."""
    nodes = [node("MatMul", ["x", "a"], ["h"]), node("Relu", ["h"], ["r"]), node("MatMul", ["r", "b"], ["y"])]
    weights = [("a", w(64, 256, dtype=np.float16)), ("b", w(256, 32, dtype=np.float16))]
    return made(nodes, [("x", F16, (4, 64))], [("y", F16)], weights)


def quantise_dequantise() -> bytes:
    """Int8 weights in front of a convolution in floats."""
    nodes = [node("DequantizeLinear", ["q", "s", "z"], ["k"]), node("Conv", ["x", "k"], ["y"])]
    weights = [("q", w(8, 4, 3, 3, dtype=np.int8)), ("s", np.float32(0.1)), ("z", np.int8(0))]
    return made(nodes, [("x", F, (1, 4, 10, 10))], [("y", F)], weights)


def quantised_operator() -> bytes:
    """QLinearMatMul of uint8 rows and int8 weights."""
    names = ["x", "s", "z", "q", "s", "o", "s", "z"]
    weights = [("q", w(48, 24, dtype=np.int8)), ("s", np.float32(0.1)), ("z", np.uint8(3)), ("o", np.int8(0))]
    return made([node("QLinearMatMul", names, ["y"])], [("x", U8, (5, 48))], [("y", U8)], weights)


def dynamically_quantised() -> bytes:
    """Rows are quantised on the way, multiplied in integers, and scaled."""
    nodes = [
        node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        node("MatMulInteger", ["q", "k", "z"], ["i"]),
        node("Cast", ["i"], ["f"], to=F),
        node("Mul", ["f", "s"], ["y"]),
    ]
    return made(nodes, [("x", F, (3, 20))], [("y", F)], [("k", w(20, 30, dtype=np.int8))])


def four_bits() -> bytes:
    """Blocks of 32 weights of 4 bits, each with a scale, in front of a product."""
    packed = np.zeros((128, 64), ml_dtypes.int4)
    nodes = [node("DequantizeLinear", ["q", "s"], ["k"], axis=0, block_size=32), node("MatMul", ["x", "k"], ["y"])]
    return made(nodes, [("x", F, (2, 128))], [("y", F)], [("q", packed), ("s", w(4, 64))], opset=21)


def fused_four_bits() -> bytes:
    """MatMulNBits of ONNX Runtime: 64 outputs, 4 blocks each of 32 weights in 16 bytes."""
    fused = node("MatMulNBits", ["x", "q", "s"], ["y"], domain=MS, K=128, N=64, bits=4, block_size=32)
    weights = [("q", w(64, 4, 16, dtype=np.uint8)), ("s", w(256))]
    return made([fused], [("x", F, (2, 128))], [("y", F)], weights, domains=(MS,))


def recurrent() -> bytes:
    """A bidirectional LSTM of 32 units over 10 steps of 2 sequences of 16 numbers, with biases."""
    lstm = node("LSTM", ["x", "a", "b", "c"], ["y"], hidden_size=32, direction="bidirectional")
    weights = [("a", w(2, 128, 16)), ("b", w(2, 128, 32)), ("c", w(2, 256))]
    return made([lstm], [("x", F, (10, 2, 16))], [("y", F)], weights)


def looped() -> bytes:
    """Seven rounds of a product with weights that the body holds."""
    held = helper.make_tensor("k", F, (24, 24), np.ones(576, np.float32))
    body = helper.make_graph(
        [node("Identity", ["go"], ["on"]), node("MatMul", ["h", "k"], ["m"])], "body",
        [info("i", I64, []), info("go", TensorProto.BOOL, []), info("h", F, (3, 24))],
        [info("on", TensorProto.BOOL, []), info("m", F, (3, 24))], [held],
    )  # fmt: skip
    constants = [("seven", np.int64(7)), ("yes", np.bool_(True))]
    return made([node("Loop", ["seven", "yes", "x"], ["y"], body=body)], [("x", F, (3, 24))], [("y", F)], constants)


def scanned() -> bytes:
    """Eleven steps of a recurrence that is written out as a Scan."""
    body = helper.make_graph(
        [node("MatMul", ["h", "k"], ["m"]), node("Add", ["m", "t"], ["g"]), node("Identity", ["g"], ["o"])], "body",
        [info("h", F, (1, 8)), info("t", F, (1, 8))], [info("g", F, (1, 8)), info("o", F, (1, 8))],
    )  # fmt: skip
    scan = node("Scan", ["x", "s"], ["last", "y"], body=body, num_scan_inputs=1)
    return made([scan], [("x", F, (1, 8)), ("s", F, (11, 1, 8))], [("y", F)], [("k", w(8, 8))])


def grouped() -> bytes:
    """A depthwise convolution, a grouped one, and a transposed one in groups."""
    nodes = [
        node("Conv", ["x", "a"], ["d"], group=12, pads=[1, 1, 1, 1]),
        node("Conv", ["d", "b"], ["g"], group=3),
        node("ConvTranspose", ["g", "c"], ["y"], group=2, strides=[2, 2]),
    ]
    weights = [("a", w(12, 1, 3, 3)), ("b", w(6, 4, 1, 1)), ("c", w(6, 5, 2, 2))]
    return made(nodes, [("x", F, (1, 12, 9, 9))], [("y", F)], weights)


def tied() -> bytes:
    """An embedding whose table is the output's matrix, too."""
    nodes = [
        node("Gather", ["table", "ids"], ["e"]),
        node("Transpose", ["table"], ["back"], perm=[1, 0]),
        node("MatMul", ["e", "back"], ["y"]),
    ]
    return made(nodes, [("ids", I64, (6,))], [("y", F)], [("table", w(500, 40))])


FORMULAS = [
    (convolutional, (16 * 16 * 16) * (3 * 3 * 3) + 10 * 16, {"float32": 16 * 27 + 16 + 10 * 16 + 10},
     4 * (16 * 27 + 16 + 10 * 16 + 10)),
    (half, 4 * 64 * 256 + 4 * 256 * 32, {"float16": 64 * 256 + 256 * 32}, 2 * (64 * 256 + 256 * 32)),
    (quantise_dequantise, (8 * 8 * 8) * (4 * 3 * 3), {"int8": 8 * 4 * 9 + 1, "float32": 1}, 8 * 4 * 9 + 1 + 4),
    (quantised_operator, 5 * 48 * 24, {"int8": 48 * 24 + 1, "float32": 1, "uint8": 1}, 48 * 24 + 1 + 4 + 1),
    (dynamically_quantised, 3 * 20 * 30, {"int8": 20 * 30}, 20 * 30),
    (four_bits, 2 * 128 * 64, {"int4": 128 * 64, "float32": 4 * 64}, 128 * 64 // 2 + 4 * 4 * 64),
    (fused_four_bits, 2 * 128 * 64, {"uint8": 64 * 4 * 16, "float32": 256}, 64 * 4 * 16 + 4 * 256),
    (recurrent, 2 * 10 * 2 * (4 * 32) * (16 + 32), {"float32": 2 * 128 * (16 + 32 + 2)}, 4 * 2 * 128 * (16 + 32 + 2)),
    (looped, 7 * 3 * 24 * 24, {"float32": 24 * 24, "int64": 1, "bool": 1}, 4 * 24 * 24 + 8 + 1),
    (scanned, 11 * 8 * 8, {"float32": 8 * 8}, 4 * 8 * 8),
    (grouped, 12 * 81 * 9 + 6 * 81 * 4 + 6 * 81 * 5 * 4, {"float32": 12 * 9 + 6 * 4 + 6 * 5 * 4},
     4 * (12 * 9 + 6 * 4 + 6 * 5 * 4)),
    (tied, 6 * 40 * 500, {"float32": 500 * 40}, 4 * 500 * 40),
]  # fmt: skip


@pytest.mark.parametrize(
    ("network", "macs", "parameters", "size_bytes"), FORMULAS, ids=lambda one: getattr(one, "__name__", "")
)
def test_work_and_parameters_are_those_of_the_formulas(network, macs, parameters, size_bytes) -> None:
    graph = load_graph(network())
    assert graph.macs == macs
    assert graph.parameters == parameters
    assert graph.parameter_bytes == size_bytes

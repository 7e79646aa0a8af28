"""Shapes of fused and quantised operators of com.microsoft."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from latcast.schema import InvalidModelError
from profilers.onnx_graph import load_graph
from tests.profilers.onnx_graph.models import F, made, shapes_of


@pytest.mark.parametrize(
    ("operator", "inputs", "attributes", "expected"),
    [
        ("FusedConv", [(1, 3, 8, 8), (4, 3, 3, 3), (4,)], {"activation": "Relu", "pads": [1] * 4}, (1, 4, 8, 8)),
        ("FusedMatMul", [(2, 3, 5), (2, 7, 5)], {"transB": 1}, (2, 3, 7)),
        ("Gelu", [(2, 3)], {}, (2, 3)),
        ("BiasGelu", [(2, 3), (3,)], {}, (2, 3)),
        ("SkipLayerNormalization", [(2, 3, 4), (2, 3, 4), (4,), (4,)], {}, (2, 3, 4)),
        ("Attention", [(2, 5, 8), (8, 24), (24,)], {"num_heads": 2}, (2, 5, 8)),
        ("MultiHeadAttention", [(2, 5, 8), (2, 6, 8), (2, 6, 8)], {"num_heads": 2}, (2, 5, 8)),
        ("MatMulNBits", [(2, 5, 64), (10, 2, 16), (20,)], {"K": 64, "N": 10, "bits": 4, "block_size": 32}, (2, 5, 10)),
        ("NhwcMaxPool", [(1, 8, 8, 3)], {"kernel_shape": [2, 2], "strides": [2, 2]}, (1, 4, 4, 3)),
        ("GroupQueryAttention", [(1, 5, 32), (1, 5, 16), (1, 5, 16)], {"num_heads": 4, "kv_num_heads": 2}, (1, 5, 32)),
        ("PackedAttention", [(7, 8), (8, 24), (24,)], {"num_heads": 2}, (7, 8)),
        ("GatedRelativePositionBias", [(2, 5, 8)], {"num_heads": 2}, (2, 2, 5, 5)),
        ("TorchEmbedding", [(100, 16), (2, 5)], {}, (2, 5, 16)),
        ("QLinearReduceMean", [(2, 3, 4, 4)], {"axes": [2, 3], "keepdims": 0}, (2, 3)),
        ("BiasSplitGelu", [(2, 9, 8), (8,)], {}, (2, 9, 4)),
        ("CDist", [(5, 3), (7, 3)], {}, (5, 7)),
        ("UnfoldTensor", [(2, 10)], {"size": 4, "step": 2}, (2, 4, 4)),
        ("Rfft", [(2, 16)], {"signal_ndim": 1, "onesided": 1, "normalized": 0}, (2, 9, 2)),
        ("NoSuchOperator", [(2, 3)], {}, None),
    ],
)
def test_fused_operators(operator, inputs, attributes, expected):
    names = [f"x{at}" for at in range(len(inputs))]
    node = helper.make_node(operator, names, ["y"], domain="com.microsoft", **attributes)
    data = [(name, F, shape) for name, shape in zip(names, inputs, strict=True)]
    graph = load_graph(made([node], data, [("y", F)], domains=["com.microsoft"]))
    assert shapes_of(graph)["y"] == expected


@pytest.mark.parametrize("reader", ["Add", "Conv", "Concat"])
def test_what_reads_an_unknown_operator_is_not_blamed_for_it(reader):
    attributes = {"axis": 0} if reader == "Concat" else {}
    first = helper.make_node("NoSuchOperator", ["x"], ["h"], domain="com.microsoft")
    second = helper.make_node(reader, ["h", "h"], ["y"], **attributes)
    with pytest.raises(InvalidModelError, match=rf"{reader} node reads 'h', of unknown type and shape: .*value_info"):
        load_graph(made([first, second], [("x", F, (2, 3))], [("y", F)], domains=["com.microsoft"]))


@pytest.mark.parametrize(
    ("operator", "shape", "attributes", "expected"),
    [
        ("QLinearGlobalAveragePool", (1, 16, 7, 7), {}, (1, 16, 1, 1)),
        ("QLinearGlobalAveragePool", (1, 7, 7, 16), {"channels_last": 1}, (1, 1, 1, 16)),
        ("QLinearAveragePool", (1, 16, 8, 8), {"kernel_shape": [2, 2], "strides": [2, 2]}, (1, 16, 4, 4)),
    ],
)
@pytest.mark.parametrize("dtype", [TensorProto.UINT8, TensorProto.INT8])
def test_pools_in_8_bits(operator, shape, attributes, expected, dtype):
    zero = np.uint8(0) if dtype == TensorProto.UINT8 else np.int8(0)
    node = helper.make_node(operator, ["x", "s", "z", "s", "z"], ["y"], domain="com.microsoft", **attributes)
    constants = [("s", np.float32(0.1)), ("z", zero)]
    graph = load_graph(made([node], [("x", dtype, shape)], [("y", dtype)], constants, domains=["com.microsoft"]))
    assert shapes_of(graph)["y"] == expected
    assert graph.tensors[graph.outputs[0]].dtype == graph.tensors[graph.inputs[0]].dtype

"""Networks whose sizes contradict each other are refused with a sentence; what runtimes run is read."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from latcast.schema import InvalidModelError
from profilers.onnx_graph import load_graph
from tests.profilers.onnx_graph.models import F, made

U8 = TensorProto.UINT8
IMAGE = (1, 3, 8, 8)


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


def sizes(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def read(operator: str, shape: tuple[int, ...], *constants: object, opset: int = 17, dtype: int = F, **attributes):
    names = [f"c{place}" for place in range(len(constants))]
    node = helper.make_node(operator, ["x", *names], ["y"], name="odd", **attributes)
    return load_graph(made([node], [("x", dtype, shape)], [("y", 0)], zip(names, constants, strict=True), opset=opset))


SCALES = (np.float32(0.1), np.uint8(3))
"""Of QLinearConv, between its tensors."""

CONTRADICTIONS = [
    ("Reshape", (2, 6), [sizes(5, 3)], {}, "the 12 elements of [2, 6] do not make [5, 3]"),
    ("Reshape", (2, 6), [sizes(0, 5)], {}, "do not make [2, 5]"),
    ("Conv", IMAGE, [ones(4, 5, 3, 3)], {}, "its input has 3 channels, but its filters 5 in each of 1 group"),
    ("Conv", (1, 4, 8, 8), [ones(5, 2, 3, 3)], {"group": 2}, "its 5 filters cannot be shared out among 2 groups"),
    ("Conv", IMAGE, [ones(4, 3, 3, 3), ones(5)], {}, "its bias is [5], but there are 4 channels"),
    ("Conv", IMAGE, [ones(4, 3, 3, 3)], {"kernel_shape": [5, 5]}, "its kernel_shape is [5, 5]"),
    ("Conv", (1, 3, 2, 2), [ones(4, 3, 3, 3)], {}, "smaller than its window"),
    ("ConvTranspose", IMAGE, [ones(4, 5, 3, 3)], {}, "its filters are for 4"),
    ("InstanceNormalization", IMAGE, [ones(4), ones(4)], {}, "its input 1 is [4], but there are 3 channels"),
    ("LayerNormalization", (1, 3, 8), [ones(4)], {}, "cannot be spread over [1, 3, 8]"),
    ("GroupNormalization", IMAGE, [ones(3), ones(3)], {"num_groups": 2, "opset": 21}, "among 2 groups"),
    ("Gemm", (2, 3), [ones(3, 5), ones(4)], {}, "its input 2, [4], cannot be spread over [2, 5]"),
    ("PRelu", (2, 3), [ones(4)], {}, "cannot be spread over [2, 3]"),
    ("LSTM", (5, 1, 3), [ones(1, 32, 4), ones(1, 32, 8)], {"hidden_size": 8}, "its weights are for 4"),
    ("GRU", (5, 1, 3), [ones(1, 24, 3), ones(1, 24, 9)], {"hidden_size": 8}, "do not fit 8 units"),
    ("DepthToSpace", (1, 6, 4, 4), [], {"blocksize": 2}, "cannot be divided into blocks of 2"),
    ("SpaceToDepth", (1, 6, 5, 5), [], {"blocksize": 2}, "cannot be divided into blocks of 2"),
    ("Einsum", (2, 3), [ones(4, 5)], {"equation": "ij,jk->ik"}, "the label 'j' has the sizes 3 and 4"),
    ("ScatterElements", (2, 3), [np.zeros((3, 4), np.int64), ones(2, 2)], {}, "its updates [2, 2]"),
    (
        "QLinearConv", IMAGE, [*SCALES, np.ones((4, 5, 3, 3), np.uint8), *SCALES, *SCALES], {"dtype": U8},
        "its filters 5 in each of 1 group",
    ),
    ("ConvTranspose", IMAGE, [ones(3, 5, 3, 3)], {"kernel_shape": [9, 9]}, "its kernel_shape is [9, 9]"),
    ("Transpose", (2, 3), [], {"perm": [0]}, "its perm [0] does not order the 2 dimensions"),
    ("GatherElements", (2, 6), [np.zeros((2, 6, 1), np.int64)], {}, "its indices are [2, 6, 1], but its data [2, 6]"),
    ("GatherElements", (2, 6), [np.zeros((3, 6), np.int64)], {"axis": 1}, "its indices are [3, 6]"),
    ("ScatterElements", (2, 6), [np.zeros((3, 6), np.int64), ones(3, 6)], {"axis": 1}, "its indices are [3, 6]"),
    ("ScatterND", (2, 6), [np.zeros((1, 3), np.int64), ones(1)], {}, "name more dimensions than there are"),
    ("ScatterND", (2, 6), [np.zeros((1, 1), np.int64), ones(1, 5)], {}, "its updates are [1, 5], instead of [1, 6]"),
    ("NonMaxSuppression", (1, 6, 3), [ones(1, 2, 6)], {}, "its input 0 is [1, 6, 3], instead of (…, 4)"),
    ("RoiAlign", IMAGE, [ones(2, 5), sizes(0, 0)], {}, "its input 1 is [2, 5], instead of (…, 4)"),
    ("ReverseSequence", (2, 6), [sizes(1, 1)], {}, "its lengths are [2] for 6 sequences"),
    ("ReverseSequence", (2, 6), [sizes(1, 1)], {"batch_axis": 1, "time_axis": 1}, "are both 1"),
    ("Split", (2, 6), [], {"num_outputs": 4, "axis": 1, "opset": 18}, "it has 1 output, but its num_outputs is 4"),
    ("RandomUniformLike", (2, 6), [], {"high": -5.0}, "its low is 0.0, and its high -5.0"),
    ("QuantizeLinear", IMAGE, [ones(4), np.zeros(4, np.uint8)], {}, "its scales are [4], instead of [3]"),
    ("QuantizeLinear", IMAGE, [ones(3), np.zeros(4, np.uint8)], {}, "but its zero points [4]"),
    ("QuantizeLinear", IMAGE, [ones(3), np.zeros(3, np.uint8)], {"axis": 9}, "its axis is 9"),
    (
        "QuantizeLinear", IMAGE, [ones(1, 3, 8, 3), np.zeros((1, 3, 8, 3), np.uint8)],
        {"opset": 21, "block_size": 4, "axis": 3}, "instead of [1, 3, 8, 2]",
    ),
    ("LSTM", (5, 1, 3), [ones(1, 32, 3), ones(1, 32, 8)], {"hidden_size": 8, "direction": "bidirectional"},
     "do not fit 2 directions"),
    ("LSTM", (5, 1, 3), [ones(1, 32, 3), ones(1, 32, 8), ones(1, 5)], {"hidden_size": 8}, "instead of [1, 64]"),
    ("GRU", (5, 1, 3), [ones(1, 24, 3), ones(1, 24, 8), ones(1, 48), np.array([5, 5], np.int32)], {"hidden_size": 8},
     "its lengths are [2] for 1 sequence"),
]  # fmt: skip

FUSED = [
    ("MultiHeadAttention", (1, 4, 8), [ones(1, 4, 8), ones(1, 4, 8)], {"num_heads": 3}, "among 3 heads"),
    ("MultiHeadAttention", (1, 4, 8), [ones(1, 4, 6), ones(1, 4, 6)], {"num_heads": 2}, "but its key [1, 4, 6]"),
    ("Attention", (1, 4, 8), [ones(7, 24), ones(24)], {"num_heads": 2}, "its weights are for 7"),
    ("Attention", (1, 4, 8), [ones(8, 24), ones(24)], {"num_heads": 3}, "values of 3 heads"),
    ("SkipLayerNormalization", (1, 4, 8), [ones(1, 4, 8), ones(7)], {}, "its input 2 is [7], but its features are 8"),
    ("BiasGelu", (2, 6), [ones(5)], {}, "its input 1 is [5], but its features are 6"),
    ("MatMulNBits", (2, 32), [np.zeros((8, 2, 8), np.uint8), ones(16)], {"K": 33, "N": 8}, "but its K is 33"),
    ("MatMulNBits", (2, 32), [np.zeros((8, 2, 8), np.uint8), ones(16)], {"K": 32, "N": 9}, "but its N is 9"),
]


@pytest.mark.parametrize(("operator", "shape", "constants", "attributes", "problem"), FUSED)
def test_contradictions_of_fused_operators_are_refused(operator, shape, constants, attributes, problem) -> None:
    with pytest.raises(InvalidModelError) as refused:
        read(operator, shape, *constants, domain="com.microsoft", **attributes)
    assert problem in str(refused.value)


@pytest.mark.parametrize(("operator", "shape", "constants", "attributes", "problem"), CONTRADICTIONS)
def test_what_no_runtime_can_run_is_refused(operator, shape, constants, attributes, problem) -> None:
    with pytest.raises(InvalidModelError) as refused:
        read(operator, shape, *constants, **attributes)
    assert str(refused.value).startswith(f"The {operator} node 'odd': ")
    assert problem in str(refused.value)


@pytest.mark.parametrize(
    ("operator", "shape", "constants", "attributes"),
    [
        ("Reshape", (0, 6), [sizes(0, 2, 3)], {}),
        ("Conv", (1, 4, 8, 8), [ones(6, 2, 3, 3), ones(6)], {"group": 2}),
        ("ConvTranspose", IMAGE, [ones(3, 5, 3, 3), ones(5)], {}),
        ("LayerNormalization", (1, 3, 8), [ones(1, 8)], {}),
        ("Gemm", (2, 3), [ones(3, 5), ones(1)], {}),
        ("PRelu", IMAGE, [ones(3, 1, 1)], {}),
        ("PRelu", IMAGE, [ones(3)], {"opset": 6}),
        ("LSTM", (5, 1, 3), [ones(1, 32, 3), ones(1, 32, 8)], {}),
        ("Einsum", (2, 1), [ones(4, 5)], {"equation": "...j,jk->...k"}),
    ],
)
def test_what_runtimes_run_is_read(operator, shape, constants, attributes) -> None:
    assert read(operator, shape, *constants, **attributes).nodes

"""Attributes that mean nothing are refused with a sentence; every word and number that means something is read."""

import numpy as np
import pytest
from onnx import helper

from latcast.schema import InvalidModelError
from profilers.onnx_graph import load_graph
from profilers.onnx_graph.shapes.attribute_values import odd_attribute
from profilers.onnx_graph.source import Operation
from tests.profilers.onnx_graph.models import F, made


def said(operator: str, rank: int | None = 4, domain: str = "", **plain: object) -> str | None:
    return odd_attribute(Operation(operator, domain, plain=plain, tensors={}), rank)


ODD = [
    ("Conv", {"auto_pad": "SAME"}, "its attribute auto_pad is 'SAME', and has to be NOTSET or SAME_UPPER or"),
    ("Conv", {"auto_pad": b"\xff\x1b[2J"}, r"its attribute auto_pad is b'\xff\x1b[2J'"),
    ("MaxPool", {"kernel_shape": (3, 0)}, "its attribute kernel_shape is [3, 0], and has to be 1 or more each"),
    ("MaxUnpool", {"strides": (0, 0)}, "strides"), ("Conv", {"dilations": (-1, 1)}, "dilations"),
    ("Conv", {"group": 0}, "group"), ("ConvTranspose", {"output_padding": (-1, 0)}, "0 or more each"),
    ("ConvTranspose", {"output_shape": (0, 5)}, "output_shape"), ("LSTM", {"direction": "sideways"}, "bidirectional"),
    ("GRU", {"activations": ("Tanh", "Sine")}, "a function that recurrent layers know each"),
    ("RNN", {"clip": float("nan")}, "its attribute clip is nan"), ("LSTM", {"layout": 5}, "0 or 1"),
    ("Resize", {"mode": "odd"}, "nearest or linear or cubic"), ("Resize", {"nearest_mode": "odd"}, "floor or ceil"),
    ("Resize", {"coordinate_transformation_mode": "odd"}, "half_pixel"), ("Pad", {"mode": "mirror"}, "reflect or edge"),
    ("DepthToSpace", {"mode": "RCD"}, "DCR or CRD"), ("GridSample", {"padding_mode": "odd"}, "zeros or border"),
    ("BitShift", {"direction": "UP"}, "LEFT or RIGHT"), ("LRN", {"size": 0}, "1 or more"),
    ("LpNormalization", {"p": 3}, "1 or 2"), ("Multinomial", {"sample_size": 0}, "1 or more"),
    ("RandomNormalLike", {"scale": -1.0}, "0 or more"), ("RoiAlign", {"sampling_ratio": -1}, "0 or more"),
    ("MatMulNBits", {"block_size": -2}, "a power of two from 16"), ("MatMulNBits", {"block_size": 24}, "power"),
    ("MatMulNBits", {"bits": 3}, "2 or 4 or 8"), ("MatMulNBits", {"N": -8}, "1 or more"),
    ("MultiHeadAttention", {"num_heads": 0}, "1 or more"), ("LinearRegressor", {"targets": -1}, "1 or more"),
    ("TreeEnsembleRegressor", {"n_targets": -1}, "1 or more"), ("Normalizer", {"norm": "L3"}, "MAX or L1 or L2"),
    ("FeatureVectorizer", {"inputdimensions": (-5,)}, "1 or more each"),
    ("LayerNormalization", {"axis": 4}, "its axis is 4, but there are 4 dimensions"),
    ("Softmax", {"axis": 2**62}, "its axis is 4611686018427387904"), ("GatherElements", {"axis": -5}, "its axis is -5"),
    ("MeanVarianceNormalization", {"axes": (0, 9)}, "its axis is 9"),
]  # fmt: skip


@pytest.mark.parametrize(("operator", "plain", "sentence"), ODD)
def test_what_means_nothing_is_told(operator, plain, sentence) -> None:
    problem = said(operator, **plain)
    assert problem is not None
    assert sentence in problem
    assert problem.isprintable()


@pytest.mark.parametrize(
    ("operator", "plain"),
    [
        ("Conv", {"auto_pad": ""}), ("Conv", {"auto_pad": "VALID", "group": 1, "strides": (1, 2)}),
        ("LSTM", {"activations": ("tanh", "HardSigmoid", "Relu"), "clip": 0.0, "layout": 1}),
        ("Resize", {"coordinate_transformation_mode": "tf_half_pixel_for_nn", "nearest_mode": "simple"}),
        ("RoiAlign", {"output_height": 0}), ("MatMulNBits", {"bits": 8, "block_size": 128}),
        ("QuantizeLinear", {"axis": 9, "block_size": 0}), ("Softmax", {"axis": 4}), ("Flatten", {"axis": 4}),
        ("OneHot", {"axis": 4}), ("Gather", {"axis": -4}), ("LRN", {"size": 2}), ("Unheard", {"mode": "odd"}),
    ],
)  # fmt: skip
def test_what_means_something_is_not(operator, plain) -> None:
    assert said(operator, **plain) is None


def test_an_axis_of_a_scalar_or_of_an_unknown_rank_says_nothing() -> None:
    assert said("ArgMax", 0, axis=0) is None
    assert said("ArgMax", None, axis=99) is None


def test_a_model_is_refused_by_the_name_of_its_node() -> None:
    node = helper.make_node("Pad", ["x", "p"], ["y"], name="edge", mode="odd")
    with pytest.raises(InvalidModelError, match=r"The Pad node 'edge': its attribute mode is 'odd'"):
        load_graph(made([node], [("x", F, (2, 6))], [("y", 0)], [("p", np.array([0, 1, 0, 1]))], opset=17))

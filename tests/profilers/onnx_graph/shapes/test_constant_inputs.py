"""Constants from which no size follows are refused with a sentence; those of exporters are read."""

import numpy as np
import pytest
from onnx import helper

from latcast.schema import InvalidModelError
from profilers.onnx_graph import load_graph
from tests.profilers.onnx_graph.models import F, made

IMAGE = (1, 3, 8, 8)
NONE = np.zeros(0, np.float32)


def whole(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def real(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def read(operator: str, shape: tuple[int, ...], constants: list[object], outputs: int = 1, **attributes: object):
    opset = attributes.pop("opset", 19)
    names = [f"c{place}" for place in range(len(constants))]
    inputs = ["x", *("" if value is NONE else name for name, value in zip(names, constants, strict=True))]
    node = helper.make_node(operator, inputs, [f"y{at}" for at in range(outputs)], **attributes)
    kept = [(name, value) for name, value in zip(names, constants, strict=True) if value is not NONE]
    return load_graph(made([node], [("x", F, shape)], [("y0", 0)], kept, opset=opset))


def range_of(*values: object):
    """A Range of constants, beside a node that depends on the input."""
    nodes = [helper.make_node("Range", ["a", "b", "c"], ["r"]), helper.make_node("Relu", ["x"], ["y"])]
    return load_graph(made(nodes, [("x", F, (1,))], [("y", 0)], zip("abc", values, strict=True), opset=17))


ODD = [
    ("Resize", IMAGE, [NONE, NONE, whole(1, 3, -8, -8)], {}, "its sizes are [1, 3, -8, -8], and have to be above zero"),
    ("Resize", IMAGE, [NONE, NONE, whole(1, 3, 0, 0)], {}, "above zero"),
    ("Resize", IMAGE, [NONE, real(1, 1, -1, -1)], {}, "its scales are [1.0, 1.0, -1.0, -1.0]"),
    ("Resize", IMAGE, [NONE, real(1, 1, np.nan, np.inf)], {}, "its scales are [1.0, 1.0, nan, inf]"),
    ("Upsample", IMAGE, [real(1, 1, 0, 0)], {"opset": 9}, "its scales"),
    ("Pad", (2, 6), [whole(-100, 0, 0, 0)], {}, "it takes 100 elements away where there are 2"),
    ("Pad", (2, 6), [], {"pads": [0, -7, 0, 0], "opset": 2}, "it takes 7 elements away where there are 6"),
    ("Pad", (2, 6), [whole(0, 6, 0, 0)], {"mode": "reflect"}, "it cannot mirror 6 of 6 elements"),
    ("Pad", (2, 6), [whole(1, 1), real(0)[0], whole(5)], {}, "Unexpected axis value: 5"),
    ("Split", (2, 6), [whole(-1, 7)], {"axis": 1, "outputs": 2}, "its parts are [-1, 7], and none may be below zero"),
    ("TopK", (2, 6), [whole(-1)], {"outputs": 2}, "its k is -1, and has to be 0 or more"),
    ("CumSum", (2, 6), [np.int64(5)], {}, "its axis is 5, but there are 2 dimensions"),
    ("Dropout", (2, 6), [np.float32(2)], {}, "its ratio is 2.0, and has to be below one"),
    ("DFT", (1, 8, 1), [np.int64(-3)], {"axis": 1}, "its dft_length is -3, and has to be 1 or more"),
    ("STFT", (1, 128, 1), [np.int64(0), np.ones(16, np.float32)], {}, "its frame_step is 0"),
    ("STFT", (1, 8, 1), [np.int64(8), np.ones(16, np.float32)], {}, "its frames of 16 are longer than the signal of 8"),
    ("Col2Im", (1, 27, 36), [whole(-8, 8), whole(3, 3)], {}, "its image_shape is [-8, 8]"),
]  # fmt: skip


@pytest.mark.parametrize(("operator", "shape", "constants", "attributes", "sentence"), ODD)
def test_what_no_size_follows_from_is_refused(operator, shape, constants, attributes, sentence) -> None:
    with pytest.raises(InvalidModelError) as refused:
        read(operator, shape, constants, **attributes)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ((np.int64(0), np.int64(9), np.int64(0)), "its delta is 0"),
        ((real(0)[0], real(np.nan)[0], real(1)[0]), "by what is no number"),
        ((real(0)[0], real(np.inf)[0], real(1)[0]), "by what is no number"),
    ],
)
def test_a_range_without_an_end_is_refused(values, sentence) -> None:
    with pytest.raises(InvalidModelError, match=sentence):
        range_of(*values)


def test_constants_of_exporters_are_read() -> None:
    assert range_of(np.int64(9), np.int64(0), np.int64(1)).nodes
    assert read("Resize", IMAGE, [NONE, real(1, 1, 0.01, 0.01)]).nodes
    assert read("Resize", (0, 3, 8, 8), [NONE, NONE, whole(0, 3, 16, 16)]).nodes
    assert read("Pad", (2, 6), [whole(-1, -2, 0, 3)]).nodes
    assert read("Pad", (2, 6), [whole(0, 5, 0, 5)], mode="reflect").nodes
    assert read("TopK", (2, 6), [whole(0)], outputs=2).nodes
    assert read("Split", (2, 6), [whole(0, 6)], axis=1, outputs=2).nodes
    assert read("CumSum", (2, 6), [np.int64(-2)]).nodes

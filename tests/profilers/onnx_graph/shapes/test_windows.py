"""Windows that do not fit are refused exactly where ONNX Runtime refuses them."""

import numpy as np
import pytest
from onnx import helper

from latcast.schema import InvalidModelError
from profilers.onnx_graph import load_graph
from tests.profilers.onnx_graph.models import F, made

onnxruntime = pytest.importorskip("onnxruntime")
SQUARE = [3, 3]


def model(operator: str, size: int, **attributes: object) -> bytes:
    weights = [("w", np.ones((3, 3, 3, 3), np.float32))] if "Conv" in operator else []
    plain = attributes if weights or operator.startswith(("Global", "Inst")) else {"kernel_shape": SQUARE, **attributes}
    node = helper.make_node(operator, ["x", *(name for name, _ in weights)], ["y"], **plain)
    return made([node], [("x", F, (1, 3, size, size))], [("y", F)], weights, opset=18)


def runs(content: bytes, size: int) -> bool:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        session.run(None, {"x": np.ones((1, 3, size, size), np.float32)})
    except Exception:  # noqa: BLE001 - the runtime's errors have no common base
        return False
    return True


def is_read(content: bytes) -> bool:
    try:
        return bool(load_graph(content).nodes)
    except InvalidModelError:
        return False


CASES = [
    *((operator, size, {"strides": [stride, stride]})
      for operator in ("Conv", "MaxPool", "AveragePool", "LpPool") for size in (0, 1, 2, 3) for stride in (1, 2, 3)),
    *(("ConvTranspose", size, {"pads": [pad] * 4}) for size in (0, 1, 4) for pad in (0, 1, 4)),
    ("ConvTranspose", 4, {"output_padding": [1, 1]}),
    ("ConvTranspose", 4, {"output_padding": [1, 1], "strides": [2, 2]}),
    ("Conv", 8, {"dilations": [100, 100]}), ("Conv", 8, {"auto_pad": "VALID", "dilations": [9, 9]}),
    ("Conv", 1, {"pads": [1] * 4}),
    ("MaxPool", 8, {"kernel_shape": [100, 100]}), ("MaxPool", 8, {"pads": [3] * 4}), ("MaxPool", 8, {"pads": [2] * 4}),
    ("AveragePool", 8, {"pads": [100] * 4}), ("GlobalAveragePool", 0, {}), ("GlobalMaxPool", 1, {}),
]  # fmt: skip


@pytest.mark.parametrize(("operator", "size", "attributes"), CASES)
def test_what_the_runtime_runs_is_read_and_nothing_else(operator, size, attributes) -> None:
    content = model(operator, size, **attributes)
    assert is_read(content) == runs(content, size)


@pytest.mark.parametrize(
    ("operator", "size", "attributes", "sentence"),
    [
        ("Conv", 2, {}, "its input [1, 3, 2, 2] is smaller than its window: nothing would be left"),
        ("MaxPool", 8, {"pads": [3] * 4}, "some of its windows would lie in the padding [3, 3, 3, 3] alone"),
        ("ConvTranspose", 1, {"pads": [4] * 4}, "its padding [4, 4, 4, 4] takes all that it writes"),
        ("ConvTranspose", 4, {"output_padding": [5, 5]}, "its output_padding [5, 5] is no smaller than its strides"),
        ("GlobalMaxPool", 0, {}, "nothing is left of its input [1, 3, 0, 0] to be pooled"),
    ],
)
def test_the_sentence_says_what_does_not_fit(operator, size, attributes, sentence) -> None:
    with pytest.raises(InvalidModelError) as refused:
        load_graph(model(operator, size, **attributes))
    assert sentence in str(refused.value)


def test_whole_pools_and_normalisations_need_more_than_channels() -> None:
    node = helper.make_node("GlobalAveragePool", ["x"], ["y"])
    with pytest.raises(InvalidModelError, match="no dimensions but batch and channels"):
        load_graph(made([node], [("x", F, (1, 3))], [("y", 0)], opset=17))

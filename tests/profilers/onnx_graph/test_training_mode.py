"""Models that were exported without calling `eval()` are told from those that were not."""

import numpy as np
import pytest
from onnx import helper

from profilers.onnx_graph import load_graph
from profilers.onnx_graph.isolated.encoding import decode_graph, encode_graph
from tests.profilers.onnx_graph.models import F, made


def normalised(*, opset: int = 15, **attributes: int) -> bytes:
    outputs = ["y", "mean", "var"] if attributes.get("training_mode") else ["y"]
    node = helper.make_node("BatchNormalization", ["x", *"sbmv"], outputs, **attributes)
    return made([node], [("x", F, (1, 4, 8))], [("y", F)], [(name, np.ones(4, np.float32)) for name in "sbmv"],
                opset=opset)  # fmt: skip


def dropped(training: bool, *, constant: bool = True, opset: int = 12) -> bytes:
    node = helper.make_node("Dropout", ["x", "ratio", "mode"], ["y"])
    constants = [("ratio", np.float32(0.5)), *([("mode", np.bool_(training))] if constant else [])]
    inputs = [("x", F, (1, 4)), *([] if constant else [("mode", 9, ())])]
    return made([node], inputs, [("y", F)], constants, opset=opset)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (normalised(training_mode=1), True),
        (normalised(training_mode=0), False),
        (normalised(opset=9), False),
        (dropped(True), True),
        (dropped(False), False),
        (dropped(True, constant=False), False),
    ],
)
def test_training_mode_is_seen(model: bytes, expected: bool) -> None:
    graph = load_graph(model)
    assert graph.training_mode is expected
    assert decode_graph(encode_graph(graph)).training_mode is expected

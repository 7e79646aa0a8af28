"""Recorded graphs become models that onnx accepts, the same bytes each time."""

import numpy as np
import onnx
import pytest
from onnx import AttributeProto, checker

from profilers.onnx_graph import load_graph, refill_weights
from profilers.search_spaces.builder import GraphBuilder, Style
from profilers.search_spaces.onnx_writer import model_bytes


def recorded(opset: int = 17) -> GraphBuilder:
    graph = GraphBuilder("g", Style(opset=opset))
    x = graph.input("x", (1, 3, 8, 8))
    y = graph.op("Conv", [x, graph.weight(4, 3, 3, 3)], (1, 4, 6, 6), kernel_shape=[3, 3], auto_pad="VALID")
    graph.output(graph.op("LeakyRelu", [y], alpha=0.5))
    return graph


@pytest.mark.parametrize("opset", [11, 17, 20])
def test_models_are_valid_and_read_as_recorded(opset: int) -> None:
    model = model_bytes(recorded(opset).recorded())
    checker.check_model(onnx.load_from_string(refill_weights(model)))
    graph = load_graph(model)
    assert graph.opset == opset
    assert [node.operator for node in graph.nodes] == ["Conv", "LeakyRelu"]
    assert graph.tensors[graph.outputs[0]].shape == (1, 4, 6, 6)


def test_the_same_graph_is_the_same_bytes() -> None:
    assert recorded().to_bytes() == recorded().to_bytes()


def test_attributes_keep_their_kinds() -> None:
    graph = GraphBuilder("g")
    x = graph.input("x", (4,))
    attributes = {"i": 1, "f": 1.0, "s": "a", "ints": [1, 2], "floats": [1.0], "many": list(range(40))}
    graph.output(graph.op("Odd", [x], domain="com.microsoft", tensor=np.ones(2, np.float32), **attributes))
    model = onnx.load_from_string(graph.to_bytes())
    kinds = {item.name: item.type for item in model.graph.node[0].attribute}
    assert kinds == {
        "tensor": AttributeProto.TENSOR, "i": AttributeProto.INT, "f": AttributeProto.FLOAT,
        "s": AttributeProto.STRING, "ints": AttributeProto.INTS, "floats": AttributeProto.FLOATS,
        "many": AttributeProto.INTS,
    }  # fmt: skip
    assert {entry.domain for entry in model.opset_import} == {"", "com.microsoft"}

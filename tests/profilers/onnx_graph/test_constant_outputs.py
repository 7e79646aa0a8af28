"""Outputs that follow from small constants and static shapes alone."""

import numpy as np
from onnx import helper

from profilers.onnx_graph import (
    load_graph,
)
from tests.profilers.onnx_graph.models import F, made, shapes_of


def test_shape_arithmetic_is_folded():
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["n"]),
        helper.make_node("Unsqueeze", ["n", "axes"], ["n1"]),
        helper.make_node("Concat", ["n1", "minus"], ["target"], axis=0),
        helper.make_node("Reshape", ["x", "target"], ["y"]),
    ]
    constants = [("zero", np.int64(0)), ("axes", np.array([0])), ("minus", np.array([-1]))]
    graph = load_graph(made(nodes, [("x", F, (2, 3, 4))], [("y", F)], constants))
    assert [node.operator for node in graph.nodes] == ["Reshape"]
    assert shapes_of(graph)["y"] == (2, 12)

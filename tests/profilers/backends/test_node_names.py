"""Names of nodes that lead back to a model."""

import tracemalloc
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from profilers.backends.node_names import name_nodes_by_output, name_nodes_by_position, position, produced
from profilers.testing.backends import small_models
from tests.profilers.backends.test_onnxruntime_trace import looping


@pytest.mark.parametrize("in_a_file", [True, False])
def test_nodes_are_named_after_their_positions_and_nothing_else_changes(tmp_path: Path, in_a_file: bool) -> None:
    model = next(small_models())[2]
    onnx.save(model, tmp_path / "m.onnx")
    source = tmp_path / "m.onnx" if in_a_file else model.SerializeToString()
    nodes = name_nodes_by_position(source, tmp_path / "named.onnx")
    named = onnx.load(tmp_path / "named.onnx")
    assert [position(node.name) for node in named.graph.node] == list(range(len(nodes)))
    assert [node.output for node in nodes] == [node.output for node in model.graph.node]
    for node in (*named.graph.node, *model.graph.node):
        node.ClearField("name")
    assert named.SerializeToString(deterministic=True) == model.SerializeToString(deterministic=True)


def test_every_node_is_named_after_its_first_output_bodies_included(tmp_path: Path) -> None:
    nodes = name_nodes_by_output(looping(2)[0], tmp_path / "named.onnx")
    graph = onnx.load(tmp_path / "named.onnx").graph
    assert [node.name for node in graph.node] == ["r", "y"]
    assert [node.name for node in graph.node[1].attribute[0].g.node] == ["w", "go_on_out"]
    assert {name for node in nodes for name in node.output} == {"r", "y", "w", "go_on_out"}


def test_weights_are_not_in_memory_while_nodes_are_named(tmp_path: Path) -> None:
    weights = numpy_helper.from_array(np.ones((2048, 2048), np.float32), "w")
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", [], [], [weights])
    onnx.save(helper.make_model(graph), tmp_path / "m.onnx")
    tracemalloc.start()
    name_nodes_by_output(tmp_path / "m.onnx", tmp_path / "named.onnx")
    assert tracemalloc.get_traced_memory()[1] < 4 * 2**20  # of 16
    tracemalloc.stop()
    assert onnx.load(tmp_path / "named.onnx").graph.node[0].name == "y"


@pytest.mark.parametrize(
    ("name", "expected"), [("latcast_12", 12), ("latcast_12/reorder", 12), ("conv", None), ("my_latcast_1", None)]
)
def test_a_position_is_what_a_name_begins_with(name: str, expected: int | None) -> None:
    assert position(name) == expected


def test_what_quantisation_added_is_what_it_belongs_to() -> None:
    assert produced(helper.make_node("Split", ["x"], ["a@latcast:1", "", "a", "b"])) == ("a", "b")

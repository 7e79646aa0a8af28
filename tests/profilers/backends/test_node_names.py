"""Names of nodes that lead back to a model."""

import onnx
import pytest
from onnx import helper

from profilers.backends.node_names import name_nodes_by_position, position, produced
from profilers.testing.backends import small_models


def test_nodes_are_named_after_their_positions() -> None:
    renamed, nodes = name_nodes_by_position(next(small_models())[2].SerializeToString())
    assert [node.name for node in onnx.load_model_from_string(renamed).graph.node] == [node.name for node in nodes]
    assert [position(node.name) for node in nodes] == list(range(len(nodes)))


@pytest.mark.parametrize(
    ("name", "expected"), [("latcast_12", 12), ("latcast_12/reorder", 12), ("conv", None), ("my_latcast_1", None)]
)
def test_a_position_is_what_a_name_begins_with(name: str, expected: int | None) -> None:
    assert position(name) == expected


def test_what_quantisation_added_is_what_it_belongs_to() -> None:
    assert produced(helper.make_node("Split", ["x"], ["a@latcast:1", "", "a", "b"])) == ("a", "b")

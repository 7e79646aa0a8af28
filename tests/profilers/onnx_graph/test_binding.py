"""Dynamic sizes are bound by name and position, one size for each symbol."""

import pytest
from onnx import helper

from latcast.schema import (
    InvalidModelError,
    UnboundDimensionError,
)
from profilers.onnx_graph import (
    load_graph,
)
from tests.profilers.onnx_graph.models import F, dynamic, made, shapes_of


def test_unbound_dimensions_are_listed():
    with pytest.raises(UnboundDimensionError) as caught:
        load_graph(dynamic())
    assert caught.value.dimensions == (("a", 0, "n"), ("b", 1, "m"))


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        ({"c": (1,)}, "no input"),
        ({"a": (1, 3, 1)}, "2 dimensions"),
        ({"a": (2, 4)}, "fixes a\\[1\\] at 3"),
        ({"a": (-1, 3)}, "no integer in"),
        ({"a": (2**40, 3)}, "no integer in"),
    ],
)
def test_bad_shapes_are_explained(shapes, words):
    with pytest.raises(InvalidModelError, match=words):
        load_graph(dynamic(), shapes=shapes)


def test_a_size_may_be_zero_as_of_a_cache_that_is_empty_yet():
    node = helper.make_node("Concat", ["past", "now"], ["y"], axis=0)
    model = made([node], [("past", F, ("n", 4)), ("now", F, (1, 4))], [("y", F)])
    assert shapes_of(load_graph(model, shapes={"past": (0, 4)}))["y"] == (1, 4)


def test_one_symbol_has_one_size():
    node = helper.make_node("Add", ["a", "b"], ["y"])
    model = made([node], [("a", F, ("n",)), ("b", F, ("n",))], [("y", F)])
    with pytest.raises(InvalidModelError, match="one symbol has one size"):
        load_graph(model, shapes={"a": (2,), "b": (1,)})


@pytest.mark.parametrize("symbol", ["?", "-1", "unk", "None"])
def test_a_symbol_that_names_nothing_may_have_many_sizes(symbol):
    node = helper.make_node("Relu", ["a"], ["y"])
    model = made([node], [("a", F, (symbol, symbol))], [("y", F)])
    assert load_graph(model, shapes={"a": (2, 3)}).tensors[0].shape == (2, 3)

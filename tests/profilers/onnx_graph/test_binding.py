"""Dynamic sizes are bound by name and position, or by symbol."""

import numpy as np
import pytest
from onnx import helper

from latcast.schema import (
    InvalidModelError,
    UnboundDimensionError,
)
from profilers.onnx_graph import (
    bind_shapes,
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


ADD = helper.make_node("Add", ["a", "b"], ["y"])


def test_whole_shapes_may_give_one_symbol_two_sizes_as_runtimes_do():
    model = made([ADD], [("a", F, ("n", 4)), ("b", F, ("n", 4))], [("y", F)])
    graph = load_graph(model, shapes={"a": (2, 4), "b": (1, 4)})
    assert shapes_of(graph)["y"] == (2, 4)
    assert shapes_of(load_graph(bind_shapes(model, {"a": (2, 4), "b": (1, 4)})))["y"] == (2, 4)
    with pytest.raises(InvalidModelError):
        load_graph(model, shapes={"a": (2, 4), "b": (3, 4)})


def test_what_follows_from_one_input_is_not_asked_of_another():
    model = made([ADD], [("a", F, ("n", 4)), ("b", F, ("n", "m"))], [("y", F)])
    with pytest.raises(UnboundDimensionError) as caught:
        load_graph(model, shapes={"a": (2, 4)})
    assert caught.value.dimensions == (("b", 1, "m"),)
    assert shapes_of(load_graph(model, shapes={"a": (2, 4)}, dims={"m": 1}))["b"] == (2, 1)


def test_two_sizes_of_one_symbol_say_nothing_of_a_third_input():
    node = helper.make_node("Sum", ["a", "b", "c"], ["y"])
    model = made([node], [(name, F, ("n",)) for name in "abc"], [("y", F)])
    with pytest.raises(UnboundDimensionError) as caught:
        load_graph(model, shapes={"a": (2,), "b": (1,)})
    assert caught.value.dimensions == (("c", 0, "n"),)


def test_symbols_are_bound_on_all_inputs_and_whole_shapes_count_before_them():
    model = made([ADD], [("a", F, ("n", "m")), ("b", F, ("n", "m"))], [("y", F)])
    assert shapes_of(load_graph(model, dims={"n": 2, "m": np.int64(3)}))["y"] == (2, 3)
    graph = load_graph(model, shapes={"b": np.array([1, 3])}, dims={"n": 2, "m": 3})
    assert shapes_of(graph)["b"] == (1, 3)
    assert shapes_of(graph)["y"] == (2, 3)
    assert shapes_of(load_graph(bind_shapes(model, dims={"n": 2, "m": 3})))["y"] == (2, 3)


def test_a_symbol_that_no_input_has_is_refused_with_those_there_are():
    model = made([ADD], [("a", F, ("batch",)), ("b", F, ("batch",))], [("y", F)])
    with pytest.raises(InvalidModelError, match=r"'bach', which no input's shape has.* mean 'batch'"):
        load_graph(model, dims={"bach": 2})
    for size in (-1, 2**31, True, 1.5):
        with pytest.raises(InvalidModelError, match="no integer in 0"):
            load_graph(model, dims={"batch": size})


def test_an_empty_shape_makes_an_input_of_unknown_rank_a_scalar():
    model = made([ADD], [("a", F, (2,)), ("b", F, None)], [("y", F)])
    assert shapes_of(load_graph(model, shapes={"b": ()}))["b"] == ()


def test_examples_have_the_right_names_and_ranks():
    model = made([ADD], [("a b", F, ("batch", "seq")), ("b", F, ("batch", 7, "h", None)), ("c", F, None)], [("y", F)])
    with pytest.raises(UnboundDimensionError) as caught:
        load_graph(model)
    message = str(caught.value)
    assert "c (of unknown rank)" in message
    assert "--dim batch=1 --dim seq=128 --dim h=224" in message
    assert "--shape 'a b=1,128' --shape b=1,7,224,224 --shape c=1" in message
    assert "for a scalar" in message


@pytest.mark.parametrize("symbol", ["?", "-1", "unk", "None"])
def test_a_symbol_that_names_nothing_may_have_many_sizes(symbol):
    node = helper.make_node("Relu", ["a"], ["y"])
    model = made([node], [("a", F, (symbol, symbol))], [("y", F)])
    assert load_graph(model, shapes={"a": (2, 3)}).tensors[0].shape == (2, 3)


def test_minus_one_is_an_open_dimension_as_for_runtimes():
    model = made([ADD], [("a", F, (-1, 4)), ("b", F, (-1, 4))], [("y", F)])
    with pytest.raises(UnboundDimensionError, match="--shape a=1,4 --shape b=1,4") as caught:
        load_graph(model)
    assert caught.value.dimensions == (("a", 0, ""), ("b", 0, ""))
    assert shapes_of(load_graph(model, shapes={"a": (2, 4), "b": (2, 4)}))["y"] == (2, 4)


def test_shapes_of_several_inputs_in_one_are_told_apart():
    with pytest.raises(
        InvalidModelError, match=r"'a=2x3,b', .* Give each input a shape of its own .* Inputs are: a, b"
    ):
        load_graph(dynamic(), shapes={"a=2x3,b": (1, 3)})

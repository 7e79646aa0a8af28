"""Recipes for inputs, the arrays they give, and `.npz` files."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from latcast.schema import FeedSpec, Graph, InvalidFeedsError, Node, TensorSpec
from profilers.feeds import (
    decided_remarks,
    describe_feeds,
    feed_specs,
    load_feeds,
    make_feeds,
    steering_inputs,
)
from profilers.feeds.recipes import FEEDABLE
from profilers.onnx_graph import load_graph

INT64, FLOAT = TensorProto.INT64, TensorProto.FLOAT


def graph_of(
    nodes: list[object],
    inputs: dict[str, tuple[int, tuple[int, ...]]],
    weights: list[object] = (),
    domains: tuple[str, ...] = (),
) -> Graph:
    made = [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()]
    graph = helper.make_graph(nodes, "g", made, [helper.make_empty_tensor_value_info("y")], list(weights))
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", 17), *(helper.make_opsetid(name, 3) for name in domains)],
        ir_version=8,
    )
    return load_graph(model.SerializeToString())


def weight(name: str, *shape: int) -> TensorProto:
    return helper.make_tensor(name, FLOAT, shape, np.ones(shape, np.float32))


def spec_of(graph: Graph, name: str) -> FeedSpec:
    return next(spec for spec in feed_specs(graph) if spec.name == name)


def test_token_ids_stay_in_the_vocabulary_even_through_a_reshape() -> None:
    nodes = [helper.make_node("Unsqueeze", ["ids", "axes"], ["u"]), helper.make_node("Gather", ["table", "u"], ["y"])]
    axes = helper.make_tensor("axes", INT64, (1,), [0])
    graph = graph_of(nodes, {"ids": (INT64, (2, 5))}, [weight("table", 11, 4), axes])
    assert (spec_of(graph, "ids").low, spec_of(graph, "ids").high) == (0, 10)


def test_the_smallest_of_several_vocabularies_counts() -> None:
    nodes = [
        helper.make_node("Gather", ["big", "ids"], ["a"]),
        helper.make_node("Gather", ["small", "ids"], ["b"], axis=1),
        helper.make_node("Concat", ["a", "b"], ["y"], axis=0),
    ]
    graph = graph_of(nodes, {"ids": (INT64, (3,))}, [weight("big", 100, 3), weight("small", 3, 7)])
    assert spec_of(graph, "ids").high == 6


def test_sequence_lengths_are_the_whole_sequence() -> None:
    inputs = {"x": (FLOAT, (9, 2, 4)), "n": (TensorProto.INT32, (2,))}
    node = helper.make_node("GRU", ["x", "w", "r", "", "n"], ["y"], hidden_size=3)
    spec = spec_of(graph_of([node], inputs, [weight("w", 1, 9, 4), weight("r", 1, 9, 3)]), "n")
    assert (spec.low, spec.high) == (9, 9)


@pytest.mark.parametrize(
    ("name", "dtype", "bounds"),
    [
        ("attention_mask", "int64", (0, 1)),
        ("text_lengths", "int64", (6, 6)),
        ("image", "uint8", (0, 255)),
        ("quantised", "int8", (-128, 127)),
        ("flag", "bool", (0, 1)),
        ("x", "float32", (None, None)),
    ],
)
def test_inputs_that_reach_nothing_telling_are_filled_by_type_and_name(
    name: str, dtype: str, bounds: tuple[float | None, float | None]
) -> None:
    tensors = (TensorSpec(name="first", dtype="float32", shape=(2, 6)), TensorSpec(name=name, dtype=dtype, shape=(2,)))
    node = Node(operator="Identity", inputs=(1,), outputs=(1,))
    graph = Graph(hash="g1-0", tensors=tensors, inputs=(0, 1), outputs=(1,), nodes=(node,))
    assert (spec_of(graph, name).low, spec_of(graph, name).high) == bounds


X = {"x": (FLOAT, (1, 6, 8, 8))}


@pytest.mark.parametrize(
    ("node", "inputs", "value"),
    [
        (helper.make_node("Slice", ["x", "zero", "n", "zero"], ["y"]), {**X, "n": (INT64, (1,))}, 8),
        (helper.make_node("OneHot", ["i", "n", "v"], ["y"]), {"i": (INT64, (3,)), "n": (INT64, ())}, 10),
        (
            helper.make_node("NonMaxSuppression", ["b", "s", "n"], ["y"]),
            {"b": (FLOAT, (1, 9, 4)), "s": (FLOAT, (1, 2, 9)), "n": (INT64, (1,))},
            50,
        ),
        (helper.make_node("Resize", ["x", "", "n"], ["y"]), {**X, "n": (FLOAT, (4,))}, 1),
    ],
)
def test_sizes_and_counts_are_some_that_make_sense(
    node: object, inputs: dict[str, tuple[int, tuple[int, ...]]], value: int
) -> None:
    weights = [helper.make_tensor("zero", INT64, (1,), [0]), weight("v", 2)]
    spec = spec_of(graph_of([node], inputs, weights), "n")
    assert (spec.low, spec.high) == (value, value)


@pytest.mark.parametrize(
    ("node", "inputs", "values"),
    [
        (helper.make_node("Split", ["x", "n"], ["y", "z"], axis=1), {**X, "n": (INT64, (2,))}, (3, 3)),
        (helper.make_node("Split", ["x", "n"], ["y", "z"], axis=2), {**X, "n": (INT64, (3,))}, (2, 2, 4)),
        (helper.make_node("Reshape", ["x", "n"], ["y"]), {**X, "n": (INT64, (3,))}, (1, 6, 64)),
        (helper.make_node("Reshape", ["x", "n"], ["y"]), {**X, "n": (INT64, (6,))}, (1, 6, 8, 8, 1, 1)),
        (helper.make_node("Resize", ["x", "", "", "n"], ["y"]), {**X, "n": (INT64, (4,))}, (1, 6, 8, 8)),
    ],
)
def test_lists_of_sizes_have_a_value_for_each(
    node: object, inputs: dict[str, tuple[int, tuple[int, ...]]], values: tuple[int, ...]
) -> None:
    spec = spec_of(graph_of([node], inputs, []), "n")
    assert spec.values == values
    assert make_feeds([spec])["n"].tolist() == list(values)
    assert make_feeds([spec])["n"].dtype == np.int64


def test_texts_are_categories_that_the_encoder_knows() -> None:
    nodes = [
        helper.make_node("Identity", ["colour"], ["c"]),
        helper.make_node("OneHotEncoder", ["c"], ["y"], domain="ai.onnx.ml", cats_strings=["red", "green"], zeros=0),
    ]
    spec = spec_of(graph_of(nodes, {"colour": (TensorProto.STRING, (3, 1))}, [], domains=("ai.onnx.ml",)), "colour")
    assert make_feeds([spec])["colour"].tolist() == [["red"], ["green"], ["red"]]


def test_inputs_that_decide_how_much_is_computed_are_named_with_their_values() -> None:
    node = helper.make_node("Resize", ["x", "", "n"], ["y"])
    graph = graph_of([node], {**X, "n": (FLOAT, (4,))}, [])
    assert decided_remarks(graph, feed_specs(graph)) == (
        "The input 'n' decides how much is computed: it was 1 (--feeds gives others).",
    )
    sizes = helper.make_node("Resize", ["x", "", "", "n"], ["y"])
    graph = graph_of([sizes], {**X, "n": (INT64, (4,))}, [])
    assert "it was 1×6×8×8" in decided_remarks(graph, feed_specs(graph))[0]
    plain = graph_of([helper.make_node("Relu", ["x"], ["y"])], X, [])
    assert decided_remarks(plain, feed_specs(plain)) == ()


def test_indices_that_an_offset_moves_stay_inside() -> None:
    nodes = [helper.make_node("Add", ["ids", "one"], ["j"]), helper.make_node("Gather", ["table", "j"], ["y"])]
    one = helper.make_tensor("one", INT64, (), [1])
    graph = graph_of(nodes, {"ids": (INT64, (8,))}, [weight("table", 100, 4), one])
    assert (spec_of(graph, "ids").low, spec_of(graph, "ids").high) == (0, 49)


def test_inputs_that_may_steer_are_named() -> None:
    resize = helper.make_node("Resize", ["x", "", "scales"], ["y"])
    assert steering_inputs(graph_of([resize], {**X, "scales": (FLOAT, (4,))})) == ("scales",)
    reshape = helper.make_node("Reshape", ["x", "shape"], ["y"])
    assert steering_inputs(graph_of([reshape], {**X, "shape": (INT64, (2,))})) == ("shape",)


@pytest.mark.parametrize(("dtype", "shape"), [("", (1,)), ("bfloat16", (1,)), ("float32", None)])
def test_inputs_that_cannot_be_fed_are_named(dtype: str, shape: tuple[int, ...] | None) -> None:
    tensors = (TensorSpec(name="strange", dtype=dtype, shape=shape),)
    graph = Graph(hash="g1-0", tensors=tensors, inputs=(0,), outputs=(0,), nodes=())
    with pytest.raises(InvalidFeedsError, match="strange"):
        feed_specs(graph)


@given(
    dtype=st.sampled_from(sorted(FEEDABLE - {"string"})),
    shape=st.lists(st.integers(0, 5), max_size=3).map(tuple),
    low=st.integers(0, 50),
    width=st.integers(0, 50),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=60, deadline=None)
def test_arrays_follow_their_recipe(dtype: str, shape: tuple[int, ...], low: int, width: int, seed: int) -> None:
    high = low + width
    if dtype == "bool":
        low, high = 0, 1
    spec = FeedSpec(name="x", dtype=dtype, shape=shape, low=low, high=high)
    array = make_feeds([spec], seed)["x"]
    assert (array.dtype.name, array.shape) == (dtype, shape)
    assert array.size == 0 or (array.min() >= low and array.max() <= high)
    np.testing.assert_array_equal(array, make_feeds([FeedSpec(name="w", dtype="bool", shape=()), spec], seed)["x"])


def test_floats_without_bounds_are_standard_normal() -> None:
    array = make_feeds([FeedSpec(name="x", dtype="float32", shape=(200, 200))])["x"]
    assert abs(array.mean()) < 0.05
    assert abs(array.std() - 1) < 0.05


def test_other_seeds_and_other_names_give_other_values() -> None:
    specs = [FeedSpec(name=name, dtype="float32", shape=(8,)) for name in "ab"]
    first, second = make_feeds(specs, 0), make_feeds(specs, 1)
    assert not np.array_equal(first["a"], second["a"])
    assert not np.array_equal(first["a"], first["b"])


@pytest.mark.parametrize(("dtype", "shape"), [("complex64", (1,)), ("float32", (-1,))])
def test_a_recipe_that_cannot_be_followed_is_refused(dtype: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidFeedsError):
        make_feeds([FeedSpec(name="x", dtype=dtype, shape=shape)])


def npz(**arrays: object) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


GRAPH = graph_of([helper.make_node("Relu", ["x"], ["y"])], {"x": (FLOAT, (2, 3))})


def test_an_npz_that_fits_is_taken_as_it_is() -> None:
    given_array = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(load_feeds(npz(x=given_array), GRAPH)["x"], given_array)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not an .npz"),
        (b"PK\x03\x04 broken", "not an .npz"),
        (npz(x=np.array([object()])), "not an .npz"),
        (npz(z=np.ones(1)), "lack the input 'x'"),
        (npz(x=np.ones((2, 3), np.float32), z=np.ones(1)), "no input 'z'"),
        (npz(x=np.ones((2, 3))), "is float64, but the model wants float32"),
        (npz(x=np.ones((3, 2), np.float32)), "shape"),
    ],
)
def test_an_npz_that_does_not_fit_gets_a_sentence(data: bytes, words: str) -> None:
    with pytest.raises(InvalidFeedsError, match=words):
        load_feeds(data, GRAPH)


def test_given_arrays_are_described_by_type_shape_and_range() -> None:
    arrays = {"x": np.array([[1, -4], [7, 0]]), "s": np.array(["a"]), "e": np.ones((0,), np.float32)}
    assert describe_feeds(arrays) == (
        FeedSpec(name="x", dtype="int64", shape=(2, 2), low=-4, high=7),
        FeedSpec(name="s", dtype="string", shape=(1,)),
        FeedSpec(name="e", dtype="float32", shape=(0,)),
    )


def test_texts_may_be_given_too() -> None:
    graph = graph_of([helper.make_node("Identity", ["x"], ["y"])], {"x": (TensorProto.STRING, (2,))})
    packed = io.BytesIO()
    np.savez(packed, x=np.array(["a", "longer"]))
    assert load_feeds(packed.getvalue(), graph)["x"].tolist() == ["a", "longer"]


def test_an_input_that_is_no_tensor_is_said_to_be_none() -> None:
    inputs = [
        helper.make_value_info("s", helper.make_sequence_type_proto(helper.make_tensor_type_proto(FLOAT, [2, 3]))),
    ]
    nodes = [helper.make_node("ConcatFromSequence", ["s"], ["y"], axis=0)]
    graph = helper.make_graph(nodes, "g", inputs, [helper.make_empty_tensor_value_info("y")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with pytest.raises(InvalidFeedsError, match="'s' is no tensor, but a sequence, a map or an optional one"):
        feed_specs(load_graph(model.SerializeToString()))

"""Bytes to a graph, and models whose inputs get other sizes."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from latcast.schema import InvalidModelError
from profilers.onnx_graph import bind_shapes, change_batch, load_graph
from tests.profilers.onnx_graph.models import F, dynamic, made, proto_of, relu


def test_binding_gives_the_same_graph_as_static_shapes():
    shapes = {"a": (2, 3), "b": (1, 3)}
    bound = bind_shapes(dynamic(), shapes)
    assert load_graph(bound) == load_graph(dynamic(), shapes=shapes)


def test_initializers_that_are_inputs_are_constants_until_version_4_of_the_format():
    weight = numpy_helper.from_array(np.ones((8, 4), np.float32), "w")
    x, y = helper.make_tensor_value_info("x", F, (2, 8)), helper.make_tensor_value_info("y", F, None)
    given = helper.make_tensor_value_info("w", F, (8, 4))

    def load(version: int, *, listed: bool):
        node = helper.make_node("MatMul", ["x", "w"], ["y"])
        graph = helper.make_graph([node], "g", [x, given] if listed else [x], [y], [weight])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=version)
        return load_graph(model.SerializeToString())

    plain = load(9, listed=False)
    assert load(3, listed=True) == plain
    overridable = load(9, listed=True)
    assert [graph.tensors[at].name for graph in (plain, overridable) for at in graph.inputs] == ["x", "x"]
    assert (len(plain.initializers), plain.outer) == (1, ())
    assert (len(overridable.initializers), [overridable.tensors[at].name for at in overridable.outer]) == (0, ["w"])
    assert overridable.hash != plain.hash


def test_another_batch_changes_all_inputs_and_what_follows():
    node = helper.make_node("Add", ["a", "b"], ["y"])
    model = made([node], [("a", F, ("n", 3)), ("b", F, (4, 3))], [("y", F)])
    graph = load_graph(change_batch(model, 8))
    assert [graph.tensors[at].shape for at in (*graph.inputs, *graph.outputs)] == [(8, 3)] * 3


def test_the_batch_that_a_model_has_changes_nothing():
    model = made([relu()], [("x", F, (2, 3))], [("y", F)])
    assert change_batch(model, 2) is model


def test_what_is_no_model_has_no_batch():
    with pytest.raises(InvalidModelError):
        change_batch(b"junk", 2)


def test_an_input_without_a_type_is_refused():
    model = made([relu()], [("x", TensorProto.UNDEFINED, (2, 3))], [("y", F)])
    with pytest.raises(InvalidModelError, match="element type"):
        load_graph(model)


def test_a_size_that_does_not_fit_is_named_with_its_symbol():
    content = made([helper.make_node("Mul", ["x", "t"], ["y"])], [("x", F, ("n", 4)), ("t", F, ("n",))], [("y", F)])
    assert load_graph(content, dims={"n": 4}).hash == load_graph(content, shapes={"t": [4]}).hash
    for sizes in ({"dims": {"n": 3}}, {"shapes": {"t": [3]}}):
        with pytest.raises(InvalidModelError, match=r"Mul.*The sizes were n=3; others may fit\."):
            load_graph(content, **sizes)
    with pytest.raises(InvalidModelError, match="Mul") as caught:
        load_graph(content, shapes={"x": [2, 4], "t": [3]})
    assert "others may fit" not in str(caught.value), "no symbol has one size there"


def test_an_input_without_a_type_is_refused_with_what_to_declare() -> None:
    model = proto_of([relu()])
    model.graph.input[0].ClearField("type")
    with pytest.raises(InvalidModelError, match="'x' has no known element type: declare it in the model"):
        load_graph(model.SerializeToString())

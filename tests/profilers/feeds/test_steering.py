"""Inputs that steer: what they may be follows from the nodes that they reach."""

from onnx import TensorProto, helper

from latcast.schema import Graph
from profilers.feeds.steering import Steering, steering_of, uses_of
from profilers.onnx_graph import load_graph
from tests.profilers.onnx_graph.models import I64, F, made

node = helper.make_node
X = ("x", F, (4, 6))


def graph_of(nodes, inputs, domains=(), opset=17) -> Graph:
    return load_graph(made(nodes, inputs, [("y", 0)], domains=domains, opset=opset))


def steering(graph: Graph, name: str) -> Steering | None:
    tensor = next(graph.tensors[index] for index in graph.inputs if graph.tensors[index].name == name)
    return steering_of(tensor, uses_of(graph))


def test_an_input_that_is_only_computed_with_steers_nothing() -> None:
    assert steering(graph_of([node("Relu", ["x"], ["y"])], [X]), "x") is None


def test_indices_are_bounded_and_decide_nothing() -> None:
    nodes = [node("Cast", ["ids"], ["i"], to=I64), node("Gather", ["x", "i"], ["y"])]
    graph = graph_of(nodes, [X, ("ids", TensorProto.UINT8, (3,))])
    assert steering(graph, "ids") == Steering(0, 3)


def test_sizes_that_come_on_detours_are_one_number() -> None:
    nodes = [node("Unsqueeze", ["n", "n"], ["s"]), node("Reshape", ["x", "s"], ["y"])]
    graph = graph_of(nodes, [X, ("n", I64, (1,))])
    assert steering(graph, "n") == Steering(1, 1, decides=True)


def test_sizes_along_named_axes_are_those_of_the_axes() -> None:
    graph = graph_of([node("CenterCropPad", ["x", "n"], ["y"], axes=[1])], [X, ("n", I64, (1,))], opset=18)
    assert steering(graph, "n") == Steering(values=(6,), decides=True)


def test_scales_are_steering_though_they_are_floats() -> None:
    graph = graph_of([node("Resize", ["x", "", "n"], ["y"])], [X, ("n", F, (2,))])
    assert steering(graph, "n") == Steering(1, 1, decides=True)


def test_numbers_are_categories_where_an_encoder_lists_them() -> None:
    nodes = [node("OneHotEncoder", ["n"], ["y"], domain="ai.onnx.ml", cats_int64s=[3, 5])]
    assert steering(graph_of(nodes, [("n", I64, (3,))], ("ai.onnx.ml",)), "n") == Steering(values=(3, 5))


def test_readers_in_bodies_count() -> None:
    then = helper.make_graph(
        [node("Gather", ["x", "n"], ["a"])], "then", [], [helper.make_empty_tensor_value_info("a")]
    )
    other = helper.make_graph(
        [node("Gather", ["x", "n"], ["b"])], "else", [], [helper.make_empty_tensor_value_info("b")]
    )
    branching = node("If", ["c"], ["y"], then_branch=then, else_branch=other)
    graph = graph_of([branching], [X, ("n", I64, (2,)), ("c", TensorProto.BOOL, ())])
    assert steering(graph, "n") == Steering(0, 3)

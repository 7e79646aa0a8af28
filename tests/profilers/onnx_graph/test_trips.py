"""Loops whose condition counts are counted; those that depend on data, never end or take too long are not."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from latcast.schema import Graph
from profilers.onnx_graph import load_graph
from profilers.onnx_graph.trips import Evaluations
from tests.profilers.onnx_graph.models import I64, F, made, shapes_of

BOOL = TensorProto.BOOL


def while_loop(condition, *, limit="", first="", outer=(), step=1):
    """`for (c = start; condition; c += step) x = x · w`, as frameworks export it: the weight is a state, too."""
    nodes = [
        helper.make_node("MatMul", ["x_in", "w_in"], ["x_out"]),
        helper.make_node("Constant", [], ["step"], value_int=step),
        helper.make_node("Add", ["c_in", "step"], ["c_out"]),
        *condition,
        helper.make_node("Identity", ["w_in"], ["w_out"]),
    ]
    states = [("c", I64, []), ("x", F, [1, 8]), ("w", F, [8, 8])]
    heads = [helper.make_tensor_value_info("i", I64, []), helper.make_tensor_value_info("go", BOOL, [])]
    inputs = heads + [helper.make_tensor_value_info(f"{name}_in", kind, dims) for name, kind, dims in states]
    outputs = [helper.make_tensor_value_info("go_on", BOOL, [])]
    outputs += [helper.make_tensor_value_info(f"{name}_out", kind, dims) for name, kind, dims in states]
    outputs += [helper.make_tensor_value_info("x_out", F, [1, 8])]
    body = helper.make_graph(nodes, "body", inputs, outputs)
    before = [
        helper.make_node("Shape", ["sequence"], ["sizes"]),
        helper.make_node("Gather", ["sizes", "zero"], ["length"], axis=0),
        helper.make_node("Loop", [limit, first, "start", "x", "w"], ["c", "y", "v", "all"], body=body),
    ]
    constants = [("zero", np.int64(0)), ("start", np.int64(0)), ("w", np.ones((8, 8), np.float32)), *outer]
    feeds = [("sequence", F, ("time", 2)), ("x", F, (1, 8)), ("data", I64, ())]
    return made(before, feeds, [("y", F), ("all", F)], constants)


def less(than):
    return [helper.make_node("Less", ["c_out", than], ["go_on"])]


def loaded(model) -> Graph:
    return load_graph(model, shapes={"sequence": (30, 2)})


def trips(graph: Graph) -> int:
    (node,) = (node for node in graph.nodes if node.operator == "Loop")
    assert graph.macs == node.trips * 64
    return node.trips


@pytest.mark.parametrize(
    ("step", "counted"),
    [(1, 30), (7, 5), (100, 1)],
    ids=["each", "by sevens", "at once"],
)
def test_a_counter_that_is_compared_with_a_length(step, counted):
    graph = loaded(while_loop(less("length"), step=step))
    assert trips(graph) == counted
    assert shapes_of(graph)["all"] == (counted, 1, 8)


def test_the_earlier_of_count_and_condition_ends_it():
    outer = [("limit", np.int64(12)), ("never", np.bool_(False))]
    assert trips(loaded(while_loop(less("length"), limit="limit", outer=outer))) == 12
    assert trips(loaded(while_loop(less("length"), limit="limit", first="never", outer=outer))) == 0


def test_the_condition_may_read_the_iteration_and_itself():
    condition = [
        helper.make_node("Mul", ["i", "i"], ["square"]),
        helper.make_node("Less", ["square", "length"], ["small"]),
        helper.make_node("And", ["small", "go"], ["go_on"]),
    ]
    assert trips(loaded(while_loop(condition))) == 7  # 6² is the first square that is not below 30


@pytest.mark.parametrize(
    "condition",
    [
        less("data"),
        [helper.make_node("ReduceMax", ["x_out"], ["largest"], keepdims=0),
         helper.make_node("Cast", ["largest"], ["bound"], to=I64),
         helper.make_node("Less", ["c_out", "bound"], ["go_on"])],
        [helper.make_node("Less", ["start", "length"], ["go_on"])],
    ],
    ids=["an input", "what it computes", "without end"],
)  # fmt: skip
def test_what_depends_on_data_or_never_ends_is_unknown(condition):
    graph = loaded(while_loop(condition))
    assert trips(graph) == 1
    assert "all" not in shapes_of(graph) or shapes_of(graph)["all"] is None


def test_all_loops_of_a_model_share_what_counting_may_take():
    evaluations = Evaluations(10)
    assert evaluations.take(10)
    assert not evaluations.take(1)

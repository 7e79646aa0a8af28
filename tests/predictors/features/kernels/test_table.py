"""Predicted kernels are those that ONNX Runtime executes, and measured times reach them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from latcast.schema import Graph, Node, TensorSpec
from predictors.features.kernels import (
    CLASSES,
    SHAPE_FEATURES,
    WORK_FEATURES,
    kernel_table,
    predict_kernels,
    stack_tables,
)
from predictors.testing import random_graph, shuffled
from profilers.onnx_graph import load_graph
from profilers.search_spaces import get_space
from tests.predictors.features.kernels.structures import (
    STRUCTURES,
    Model,
    executed,
    predicted,
)


@pytest.mark.parametrize("structure", STRUCTURES, ids=lambda item: item.__name__)
def test_kernels_are_those_of_the_runtime(structure: Callable[[Model], str], tmp_path: Path) -> None:
    model = Model()
    content = model.build(structure(model))
    assert predicted(content) == executed(content, tmp_path)


@settings(max_examples=40, deadline=None)
@given(space=st.sampled_from(["zoo", "kernels", "nasbench201"]), seed=st.integers(0, 2**32 - 1))
def test_every_generated_graph_has_sound_kernels(space: str, seed: int) -> None:
    generator = get_space(space)
    graph = load_graph(generator.to_onnx(generator.sample(np.random.default_rng(seed))))
    kernels = predict_kernels(graph)
    covered = [node for kernel in kernels for node in kernel.nodes]
    assert len(covered) == len(set(covered))
    assert sum(kernel.macs * kernel.repeats for kernel in kernels) >= 0.03 * graph.macs  # windows wider than maps
    table = kernel_table(graph)
    assert table.values.shape == (len(kernels), len(WORK_FEATURES) + len(SHAPE_FEATURES))
    assert np.isfinite(table.values).all()
    assert (table.values >= 0).all()
    assert set(table.kinds) <= set(range(len(CLASSES)))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_names_and_order_do_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng)
    one, other = (kernel_table(item).values for item in (graph, shuffled(graph, rng)))
    assert sorted(map(tuple, one)) == sorted(map(tuple, other))


@pytest.mark.parametrize(
    ("dtype", "known"),
    [
        ("float32", True),
        ("float16", True),
        ("int8", True),
        ("bfloat16", False),
        ("float64", False),
        ("complex64", False),
    ],
)
def test_kernels_of_rare_number_types_are_not_known(dtype: str, known: bool) -> None:
    """Training has the operators, but in other numbers: coverage says so, and intervals are wide."""
    tensors = tuple(TensorSpec(name=name, dtype=dtype, shape=(8, 64)) for name in "xy")
    graph = Graph(
        hash="g1-rare",
        tensors=tensors,
        inputs=(0,),
        outputs=(1,),
        nodes=(Node(operator="Neg", inputs=(0,), outputs=(1,)),),
    )
    kernel = next(one for one in predict_kernels(graph) if one.operator == "Neg")
    assert kernel.known is known


def test_unknown_operators_stay_kernels_of_their_own() -> None:
    tensors = tuple(TensorSpec(name=f"t{i}", dtype="float32", shape=(8, 8)) for i in range(2))
    node = Node(operator="Sinkhorn", domain="org.example", inputs=(0,), outputs=(1,), flops=1000)
    graph = Graph(hash="g1-unknown", tensors=tensors, inputs=(0,), outputs=(1,), nodes=(node,))
    _, kernel = predict_kernels(graph)
    assert (kernel.kind, kernel.known, kernel.operations) == ("other", False, 1000)


def loop_of(trips: int, *, around: int = 1) -> Graph:
    """A Relu in a loop, in further loops of one trip."""
    tensors = tuple(TensorSpec(name=f"t{i}", dtype="float32", shape=(4, 4)) for i in range(2))
    node = Node(operator="Relu", inputs=(0,), outputs=(1,))
    for times in (trips, *[1] * around)[: around + 1]:
        body = Graph(hash="g1-body", tensors=tensors, inputs=(0,), outputs=(1,), nodes=(node,))
        node = Node(operator="Loop", inputs=(0,), outputs=(1,), bodies=(body,), trips=times)
    return Graph(hash=f"g1-loop-{trips}-{around}", tensors=tensors, inputs=(0,), outputs=(1,), nodes=(node,))


def test_bodies_run_as_often_as_their_loop() -> None:
    assert [(kernel.operator, kernel.repeats) for kernel in predict_kernels(loop_of(7, around=0))] == [
        ("Call", 1),
        ("Loop", 1),
        ("Relu", 7),
        ("Trip", 7),
    ]


@pytest.mark.parametrize("around", [0, 2])
def test_a_loop_that_never_begins_runs_none_of_its_kernels(around: int) -> None:
    """A kernel of no runs would take the logarithm of nothing."""
    graph = loop_of(0, around=around)
    assert [kernel.operator for kernel in predict_kernels(graph)] == [
        "Call", *["Loop"] * (around + 1), *["Trip"] * around
    ]  # fmt: skip
    assert (kernel_table(graph).repeats > 0).all()


@pytest.mark.parametrize(("outside", "kind"), [(frozenset({1}), "gemm"), (frozenset(), "matmul")])
def test_bodies_know_the_constants_around_them(outside: frozenset[int], kind: str) -> None:
    tensors = tuple(TensorSpec(name=name, dtype="float32", shape=(4, 4)) for name in ("x", "weights", "y"))
    product = Node(operator="MatMul", inputs=(0, 1), outputs=(2,))
    body = Graph(hash="g1-body", tensors=tensors, inputs=(0,), outputs=(2,), nodes=(product,), outer=(1,))
    loop = Node(operator="Loop", inputs=(0,), outputs=(2,), bodies=(body,), trips=7)
    inputs = (0,) if outside else (0, 1)
    graph = Graph(hash="g1-x", tensors=tensors, inputs=inputs, outputs=(2,), initializers=outside, nodes=(loop,))
    assert [kernel.kind for kernel in predict_kernels(graph)][2:] == [kind, "control"]


def test_a_graph_that_computes_nothing_is_still_called() -> None:
    model = Model()
    table = kernel_table(load_graph(model.build(model("Identity", model.input(1, 4)))))
    assert table.operators == ("Call", "Identity")  # the runtime copies what it was fed
    assert len(stack_tables([table, table]).graph) == 4


def looped(trips: int | None) -> bytes:
    """A Loop over a Tanh, whose condition is a result of its body; with or without a trip count."""
    nodes = [
        helper.make_node("Tanh", ["state"], ["next"]),
        helper.make_node("ReduceMax", ["next"], ["largest"], keepdims=0),
        helper.make_node("Greater", ["largest", "least"], ["go_on"]),
    ]
    value = helper.make_tensor_value_info
    inputs = [value("i", TensorProto.INT64, []), value("go", TensorProto.BOOL, [])]
    inputs.append(value("state", TensorProto.FLOAT, [4]))
    outputs = [value("go_on", TensorProto.BOOL, []), value("next", TensorProto.FLOAT, [4])]
    body = helper.make_graph(nodes, "body", inputs, outputs)
    node = helper.make_node("Loop", ["" if trips is None else "trips", "first", "x"], ["y"], body=body)
    constants = [numpy_helper.from_array(np.float32(0.1), "least"), numpy_helper.from_array(np.bool_(True), "first")]
    if trips is not None:
        constants.append(numpy_helper.from_array(np.array(trips, np.int64), "trips"))
    graph = helper.make_graph(
        [node], "g", [value("x", TensorProto.FLOAT, [4])], [value("y", TensorProto.FLOAT, [4])], constants
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def test_kernels_of_a_loop_that_values_end_are_undecided() -> None:
    undecided, decided = (kernel_table(load_graph(looped(trips))) for trips in (None, 7))
    inside = [name not in {"Call", "Loop"} for name in undecided.operators]
    assert undecided.undecided.tolist() == inside
    assert not decided.undecided.any()
    assert decided.repeats.max() == 7


def test_suppression_is_undecided() -> None:
    value = helper.make_tensor_value_info
    node = helper.make_node("NonMaxSuppression", ["boxes", "scores", "most"], ["y"])
    inputs = [value("boxes", TensorProto.FLOAT, [1, 50, 4]), value("scores", TensorProto.FLOAT, [1, 3, 50])]
    most = numpy_helper.from_array(np.array([9]), "most")
    graph = helper.make_graph([node], "g", inputs, [value("y", TensorProto.INT64, None)], [most])
    table = kernel_table(load_graph(helper.make_model(graph).SerializeToString()))
    assert dict(zip(table.operators, table.undecided.tolist(), strict=True)) == {
        "Call": False, "NonMaxSuppression": True,
    }  # fmt: skip

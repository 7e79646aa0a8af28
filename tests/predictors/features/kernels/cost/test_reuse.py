"""Reuse of parameters: what lies between two reads, in steps that share a matrix, in loops, and without sharing."""

from itertools import chain

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from predictors.features.kernels import CLASSES, KernelTable, kernel_table
from predictors.features.kernels.cost.reuse import Parameter, Reads, reuse
from profilers.onnx_graph import load_graph

SIZE = 64
MATRIX = 4.0 * SIZE * SIZE
WEIGHT = np.zeros((SIZE, SIZE), np.float32)


def read(*names: str, others: float = 0.0) -> Reads:
    return Reads(tuple(Parameter(name, 100.0) for name in names), others)


def value(name: str, shape: list[int], kind: int = TensorProto.FLOAT) -> object:
    return helper.make_tensor_value_info(name, kind, shape)


def products(names: list[str]) -> KernelTable:
    """A product with each of these matrices in turn, and a Tanh behind it."""
    pairs = [
        [helper.make_node("MatMul", [f"t{i}", name], [f"m{i}"]), helper.make_node("Tanh", [f"m{i}"], [f"t{i + 1}"])]
        for i, name in enumerate(names)
    ]
    weights = [numpy_helper.from_array(WEIGHT, name) for name in sorted(set(names))]
    ends = [value("t0", [1, SIZE])], [value(f"t{len(names)}", [1, SIZE])]
    graph = helper.make_graph(list(chain.from_iterable(pairs)), "g", *ends, weights)
    return kernel_table(load_graph(helper.make_model(graph).SerializeToString()))


def between(table: KernelTable, kind: str) -> list[float]:
    return table.column("graph_parameter_bytes")[table.kinds == CLASSES.index(kind)].tolist()


def test_parameters_that_are_read_once_are_as_far_apart_as_the_network_is_large() -> None:
    found = reuse([read("a"), read(others=7.0), read("b"), read("c")])
    assert found.total_bytes == 307.0
    assert found.between_bytes == [307.0] * 4
    assert found.warm == [0.0] * 4


def test_what_is_read_again_is_as_far_apart_as_what_lies_between() -> None:
    found = reuse([read("a"), read("a"), read("b"), read("a"), read("c", "d", others=50.0)])
    assert found.total_bytes == 450.0
    assert found.between_bytes == [350.0, 100.0, 450.0, 200.0, 450.0]
    assert found.warm == pytest.approx([2 / 3, 2 / 3, 0, 2 / 3, 0])


def test_of_a_loop_the_first_round_is_cold() -> None:
    body = [read("a").within(10, 200.0), read("b").within(10, 200.0).within(3, 999.0)]
    found = reuse([read("c", others=700.0), *body])
    assert found.total_bytes == 1000.0
    assert found.between_bytes == [1000.0, *[(1000 + 9 * 200) / 10] * 2]
    assert found.warm == pytest.approx([0.0, 0.9, 0.9])


def test_steps_that_share_a_matrix_run_like_a_network_of_one() -> None:
    alone, shared, own = products(["w"]), products(["w"] * 20), products([f"w{i}" for i in range(20)])
    assert between(alone, "gemv") == [MATRIX]
    assert between(shared, "gemv") == [MATRIX] * 20
    assert between(own, "gemv") == [20 * MATRIX] * 20
    assert own.warm.tolist() == alone.warm.tolist() * 0 + [0.0] * len(own)
    assert shared.warm.tolist() == pytest.approx([0.0] + [0.95] * 40)
    assert between(products(["v", "w"] * 10), "gemv") == [2 * MATRIX] * 20


def loop(*, carried: bool, trips: int) -> KernelTable:
    """A product in a Loop, with a matrix of the graph around it or with one that travels as state."""
    nodes = [helper.make_node("MatMul", ["h", "w_in" if carried else "w"], ["h_out"])]
    nodes.append(helper.make_node("Identity", ["go"], ["go_on"]))
    inputs = [value("i", [], TensorProto.INT64), value("go", [], TensorProto.BOOL), value("h", [1, SIZE])]
    outputs = [value("go_on", [], TensorProto.BOOL), value("h_out", [1, SIZE])]
    if carried:
        nodes.append(helper.make_node("Identity", ["w_in"], ["w_out"]))
        inputs.append(value("w_in", [SIZE, SIZE]))
        outputs.append(value("w_out", [SIZE, SIZE]))
    body = helper.make_graph(nodes, "body", inputs, outputs)
    states, ends = (["x", "w"], ["y", "end"]) if carried else (["x"], ["y"])
    node = helper.make_node("Loop", ["trips", "", *states], ends, body=body)
    weights = [numpy_helper.from_array(WEIGHT, "w"), numpy_helper.from_array(np.array(trips), "trips")]
    graph = helper.make_graph([node], "g", [value("x", [1, SIZE])], [value("y", [1, SIZE])], weights)
    return kernel_table(load_graph(helper.make_model(graph).SerializeToString()))


@pytest.mark.parametrize("carried", [False, True])
def test_the_matrix_of_a_loop_is_a_parameter_however_it_gets_there(carried: bool) -> None:
    table = loop(carried=carried, trips=50)
    product = table.kinds == CLASSES.index("gemv")
    assert table.column("parameter_bytes")[product].tolist() == [MATRIX]
    assert table.repeats[product].tolist() == [50.0]
    assert table.warm[product].tolist() == [0.98]


def test_what_a_body_hands_on_as_it_came_is_a_part_of_the_trip() -> None:
    for carried, passed in ((False, 1), (True, 2)):
        table = loop(carried=carried, trips=50)
        operators = np.array(table.operators)
        assert "Identity" not in operators
        assert table.repeats[operators == "Trip"].tolist() == [50 * (1 + passed / 4)]
        assert table.column("parameter_bytes")[operators == "Trip"].tolist() == [0.0]
        held = operators == "Loop"
        assert table.column("parameter_bytes")[held].tolist() == [8.0]
        assert table.column("output_bytes")[held].tolist() == [4.0 * SIZE]

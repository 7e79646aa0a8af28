"""Weights that are read again, and loops: by hand, as exporters write them."""

from collections.abc import Mapping

import numpy as np
from onnx import NodeProto, TensorProto
from onnx.helper import make_node

from benchmarks.built_models.network import Array, Builder, Built, normal, reseeded, to_graph, to_model, value

__all__ = ["NETWORKS"]

_COUNTER = ([], TensorProto.INT32)


def _lstm_steps(steps: int, size: int, hidden: int) -> Built:
    """An LSTM cell that an exporter unrolled: each step multiplies by the same two matrices."""
    weights = {"w": normal(size, 4 * hidden), "r": normal(hidden, 4 * hidden), "bias": normal(4 * hidden)}
    nodes = [make_node("Split", ["x"], [f"x{i}" for i in range(steps)], axis=0, num_outputs=steps)]
    h, c = "h0", "c0"
    for i in range(steps):
        nodes += [
            make_node("MatMul", [f"x{i}", "w"], [f"xw{i}"]),
            make_node("MatMul", [h, "r"], [f"hr{i}"]),
            make_node("Add", [f"xw{i}", f"hr{i}"], [f"sum{i}"]),
            make_node("Add", [f"sum{i}", "bias"], [f"gates{i}"]),
            make_node("Split", [f"gates{i}"], [f"{gate}{i}" for gate in ("i", "f", "g", "o")], axis=1, num_outputs=4),
            *(make_node("Sigmoid", [f"{gate}{i}"], [f"{gate}s{i}"]) for gate in ("i", "f", "o")),
            make_node("Tanh", [f"g{i}"], [f"gs{i}"]),
            make_node("Mul", [f"fs{i}", c], [f"kept{i}"]),
            make_node("Mul", [f"is{i}", f"gs{i}"], [f"new{i}"]),
            make_node("Add", [f"kept{i}", f"new{i}"], [f"cell{i}"]),
            make_node("Tanh", [f"cell{i}"], [f"ct{i}"]),
            make_node("Mul", [f"os{i}", f"ct{i}"], [f"hidden{i}"]),
        ]
        h, c = f"hidden{i}", f"cell{i}"
    inputs = [value("x", [steps, size]), value("h0", [1, hidden]), value("c0", [1, hidden])]
    return Built(model=to_model(to_graph(nodes, inputs, [value(h, [1, hidden])], weights), 18))


def _repeated_dense(steps: int, width: int, *, shared: bool) -> Built:
    """Dense layers in a row, which share one matrix or have one each."""
    weights, nodes, x = {}, [], "x"
    for i in range(steps):
        name = "w" if shared else f"w{i}"
        if name not in weights:
            weights[name] = normal(width, width)
        nodes += [make_node("MatMul", [x, name], [f"m{i}"]), make_node("Tanh", [f"m{i}"], [f"t{i}"])]
        x = f"t{i}"
    return Built(model=to_model(to_graph(nodes, [value("x", [1, width])], [value(x, [1, width])], weights)))


def _refinement(rounds: int, channels: int, side: int) -> Built:
    """An optical-flow head: the same convolutions improve an estimate again and again."""
    weights = {
        "w0": normal(channels, channels, 3, 3),
        "w1": normal(channels, channels, 3, 3),
        "out": normal(2, channels, 3, 3),
    }
    weights |= {"flow": normal(channels, 2, 3, 3)}
    nodes, h, flow = [], "x", "flow0"
    for i in range(rounds):
        nodes += [
            make_node("Conv", [flow, "flow"], [f"f{i}"], pads=[1] * 4),
            make_node("Add", [h, f"f{i}"], [f"s{i}"]),
            make_node("Conv", [f"s{i}", "w0"], [f"a{i}"], pads=[1] * 4),
            make_node("Relu", [f"a{i}"], [f"b{i}"]),
            make_node("Conv", [f"b{i}", "w1"], [f"c{i}"], pads=[1] * 4),
            make_node("Tanh", [f"c{i}"], [f"h{i}"]),
            make_node("Conv", [f"h{i}", "out"], [f"d{i}"], pads=[1] * 4),
            make_node("Add", [flow, f"d{i}"], [f"g{i}"]),
        ]
        h, flow = f"h{i}", f"g{i}"
    inputs = [value("x", [1, channels, side, side]), value("flow0", [1, 2, side, side])]
    return Built(model=to_model(to_graph(nodes, inputs, [value(flow, [1, 2, side, side])], weights)))


def _gru_nodes(hidden: int) -> tuple[list[NodeProto], Mapping[str, Array]]:
    """A GRU's step from `state` and `now` to `next`, over weights of the graph around it."""
    weights = {"w": normal(hidden, 3 * hidden), "r": normal(hidden, 3 * hidden), "one": np.float32(1)}
    nodes = [
        make_node("MatMul", ["now", "w"], ["xw"]), make_node("MatMul", ["state", "r"], ["hr"]),
        make_node("Split", ["xw"], ["xz", "xr", "xn"], axis=1), make_node("Split", ["hr"], ["hz", "hrr", "hn"], axis=1),
        make_node("Add", ["xz", "hz"], ["z0"]), make_node("Sigmoid", ["z0"], ["z"]),
        make_node("Add", ["xr", "hrr"], ["r0"]), make_node("Sigmoid", ["r0"], ["rs"]),
        make_node("Mul", ["rs", "hn"], ["rn"]),
        make_node("Add", ["xn", "rn"], ["n0"]), make_node("Tanh", ["n0"], ["n"]),
        make_node("Sub", ["one", "z"], ["keep"]), make_node("Mul", ["keep", "n"], ["fresh"]),
        make_node("Mul", ["z", "state"], ["old"]), make_node("Add", ["fresh", "old"], ["next"]),
    ]  # fmt: skip
    return nodes, weights


def _gru_loop(trips: int, hidden: int) -> Built:
    """A scripted loop with a constant trip count, as PyTorch writes it."""
    step, weights = _gru_nodes(hidden)
    body = to_graph(
        [make_node("Gather", ["x", "i"], ["row"], axis=0), make_node("Unsqueeze", ["row", "axes"], ["now"]), *step,
         make_node("Identity", ["go"], ["go_on"])],
        [value("i", [], TensorProto.INT64), value("go", [], TensorProto.BOOL), value("state", [1, hidden])],
        [value("go_on", [], TensorProto.BOOL), value("next", [1, hidden])],
    )  # fmt: skip
    node = make_node("Loop", ["trips", "begin", "h"], ["y"], body=body)
    weights = {**weights, "trips": np.int64(trips), "begin": np.bool_(True), "axes": np.array([0])}
    inputs = [value("x", [trips, hidden]), value("h", [1, hidden])]
    return Built(model=to_model(to_graph([node], inputs, [value("y", [1, hidden])], weights), 17))


def _gru_scan(trips: int, hidden: int) -> Built:
    """The same by Scan, which gives each state."""
    step, weights = _gru_nodes(hidden)
    body = to_graph(
        [make_node("Unsqueeze", ["row", "axes"], ["now"]), *step, make_node("Identity", ["next"], ["each"])],
        [value("state", [1, hidden]), value("row", [hidden])],
        [value("next", [1, hidden]), value("each", [1, hidden])],
    )
    node = make_node("Scan", ["h", "x"], ["y", "all"], body=body, num_scan_inputs=1)
    inputs, outputs = (
        [value("x", [trips, hidden]), value("h", [1, hidden])],
        [value("y", [1, hidden]), value("all", [trips, 1, hidden])],
    )
    return Built(model=to_model(to_graph([node], inputs, outputs, {**weights, "axes": np.array([0])}), 17))


def _while_loop(trips: int, hidden: int, *, layers: int) -> Built:
    """TensorFlow's while loop: no trip count, a counter that the body compares, weights that travel as state."""
    matrices = [f"w{i}" for i in range(layers)]
    nodes, x = [], "h"
    for i, name in enumerate(matrices):
        nodes += [make_node("MatMul", [x, f"{name}_in"], [f"m{i}"]), make_node("Tanh", [f"m{i}"], [f"t{i}"])]
        x = f"t{i}"
    nodes += [
        make_node("Add", ["counter", "one"], ["counter_out"]), make_node("Less", ["counter_out", "n"], ["go_on"]),
        make_node("Identity", ["n"], ["n_out"]), make_node("Identity", [x], ["h_out"]),
        *(make_node("Identity", [f"{name}_in"], [f"{name}_out"]) for name in matrices),
    ]  # fmt: skip
    square = [hidden, hidden]
    inputs = [value("i", [], TensorProto.INT64), value("go", [], TensorProto.BOOL), value("counter", *_COUNTER)]
    inputs += [value("n", *_COUNTER), value("h", [1, hidden]), *(value(f"{name}_in", square) for name in matrices)]
    outputs = [value("go_on", [], TensorProto.BOOL), value("counter_out", *_COUNTER), value("n_out", *_COUNTER)]
    outputs += [value("h_out", [1, hidden]), *(value(f"{name}_out", square) for name in matrices)]
    body = to_graph(nodes, inputs, outputs, {"one": np.int32(1)})
    outer = [
        make_node("Shape", ["x"], ["shape"]), make_node("Gather", ["shape", "zero"], ["long"], axis=0),
        make_node("Cast", ["long"], ["length"], to=TensorProto.INT32),
        make_node("Less", ["start", "length"], ["first"]),
        make_node("ReduceSum", ["x", "axes"], ["state"], keepdims=1),
        make_node("Loop", ["", "first", "start", "length", "state", *matrices],
                  ["c", "l", "y", *(f"{name}_end" for name in matrices)], body=body),
    ]  # fmt: skip
    weights = {"zero": np.int64(0), "start": np.int32(0), "axes": np.array([0])}
    weights |= {name: normal(hidden, hidden) for name in matrices}
    graph = to_graph(outer, [value("x", [trips, hidden])], [value("y", [1, hidden])], weights)
    return Built(model=to_model(graph, 15))


NETWORKS: Mapping[str, Builder] = reseeded(
    {
        "unrolled-lstm": lambda: _lstm_steps(24, 128, 256),
        "one-matrix": lambda: _repeated_dense(32, 448, shared=True),
        "many-matrices": lambda: _repeated_dense(32, 448, shared=False),
        "one-large-matrix": lambda: _repeated_dense(12, 1536, shared=True),
        "refinement": lambda: _refinement(12, 64, 28),
        "gru-loop": lambda: _gru_loop(100, 192),
        "gru-scan": lambda: _gru_scan(48, 256),
        "while-loop": lambda: _while_loop(60, 320, layers=2),
        "while-loop-small": lambda: _while_loop(200, 64, layers=1),
    }
)

"""Kernels whose work follows from structure: bodies that repeat, trees, recurrences, attention with a cache."""

from math import ceil
from typing import Any

import numpy as np

from latcast.schema.counting import counted
from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.families import Family, Values
from profilers.search_spaces.fields import Choice, Integer
from profilers.search_spaces.kernels.common import graph, integer
from profilers.search_spaces.layers import concat, linear
from profilers.search_spaces.sequences import matmul, recurrent, softmax

__all__ = ["FAMILIES", "tree_ensemble"]

MAX_TREE_NODES = 60_000


def _body(net: GraphBuilder, x: Tensor, kind: str) -> Tensor:
    """One trip's work on a state (rows, columns)."""
    match kind:
        case "elementwise":
            return net.op("Tanh", [net.op("Mul", [x, net.weight(x.shape[1])])])
        case "linear":
            return net.op("Tanh", [linear(net, x, x.shape[1])])
        case _:
            return softmax(net, net.op("Add", [x, net.op("Sigmoid", [x])]))


def build_loop(values: Values) -> GraphBuilder:
    """A body that runs a known number of times: Loop, Scan, or If inside a Loop."""
    net = graph("loop")
    rows, columns, trips = values["rows"], values["columns"], values["trips"]
    x = net.input("x", (rows, columns))
    body = net.body()
    if values["op"] == "Scan":
        steps = net.input("steps", (trips, rows, columns))
        state, step = body.input("state", x.shape), body.input("step", x.shape)
        y = _body(body, body.op("Add", [state, step]), values["body"])
        body.output(y)
        body.output(body.op("Identity", [y]))
        results = net.ops(
            "Scan", [x, steps], [x.shape, steps.shape], macs=trips * body.macs, body=body, num_scan_inputs=1
        )
        net.output(results[1])
        return net
    body.input("trip", (), dtype="int64")
    go_on, state = body.input("go_on", (), dtype="bool"), body.input("state", x.shape)
    y = _body(body, state, values["body"])
    body.output(body.op("Identity", [go_on], dtype="bool"))
    body.output(y)
    net.output(net.op("Loop", [net.constant(trips), net.constant(True, "bool"), x], macs=trips * body.macs, body=body))
    return net


def build_if(values: Values) -> GraphBuilder:
    """Two branches of equal work, chosen by the input's sum."""
    net = graph("if")
    x = net.input("x", (values["rows"], values["columns"]))
    condition = net.op("Greater", [net.op("ReduceSum", [x], (), keepdims=0), net.scalar(0.0)], (), dtype="bool")
    branches = []
    for _ in range(2):
        branch = net.body()
        branch.output(_body(branch, x, values["body"]))
        branches.append(branch)
    macs = branches[0].macs
    y = net.op("If", [condition], x.shape, macs=macs, then_branch=branches[0], else_branch=branches[1])
    net.output(net.op("Neg", [y]))
    return net


def tree_ensemble(
    net: GraphBuilder, x: Tensor, trees: int, depth: int, targets: int, *, classifier: bool = False
) -> Tensor:
    """Complete trees over (rows, features): the sum over the trees, or with `classifier` the probabilities of classes.

    Returns:
        Float32 (rows, targets); of a classifier with one target, which tells two classes apart, (rows, 2).

    Raises:
        ValueError: more nodes than a model should have.
    """
    inner, size = 2**depth - 1, 2 ** (depth + 1) - 1
    if trees * size > MAX_TREE_NODES:
        raise ValueError(
            f"{counted(trees, f'tree of depth {depth} has', f'trees of depth {depth} have')} more than "
            f"{MAX_TREE_NODES} nodes"
        )
    rng, places = np.random.default_rng([trees, depth, x.shape[1]]), np.arange(size)
    is_inner = np.tile(places < inner, trees)
    children = [np.tile(np.where(places < inner, 2 * places + side, 0), trees) for side in (1, 2)]
    leaves = np.arange(inner, size)
    whose = "class" if classifier else "target"
    listed = {
        "nodes_treeids": np.repeat(np.arange(trees), size),
        "nodes_nodeids": np.tile(places, trees),
        "nodes_featureids": np.where(is_inner, rng.integers(0, x.shape[1], trees * size), 0),
        "nodes_truenodeids": children[0],
        "nodes_falsenodeids": children[1],
        f"{whose}_treeids": np.repeat(np.arange(trees), len(leaves)),
        f"{whose}_nodeids": np.tile(leaves, trees),
        f"{whose}_ids": np.tile(leaves % targets, trees),
        "nodes_values": np.where(is_inner, rng.normal(0, 0.5, trees * size), 0.0).round(3),
        f"{whose}_weights": rng.normal(0, 0.1, trees * len(leaves)).round(3),
    }
    attributes: dict[str, Any] = {name: tuple(array.tolist()) for name, array in listed.items()}
    attributes["nodes_modes"] = tuple("BRANCH_LEQ" if item else "LEAF" for item in is_inner)
    if not classifier:
        shape = (x.shape[0], targets)
        return net.op("TreeEnsembleRegressor", [x], shape, domain="ai.onnx.ml", n_targets=targets, **attributes)
    classes = max(targets, 2)
    _, scores = net.ops(
        "TreeEnsembleClassifier",
        [x],
        [(x.shape[0],), (x.shape[0], classes)],
        dtype=("int64", "float32"),
        domain="ai.onnx.ml",
        classlabels_int64s=tuple(range(classes)),
        post_transform="LOGISTIC" if targets == 1 else "SOFTMAX",
        **attributes,
    )
    return scores


def build_trees(values: Values) -> GraphBuilder:
    """One ensemble of complete trees."""
    net = graph("trees")
    x = net.input("x", (values["rows"], values["features"]))
    classifier = values["task"] == "classification"
    net.output(tree_ensemble(net, x, values["trees"], values["depth"], values["targets"], classifier=classifier))
    return net


def build_cached_attention(values: Values) -> GraphBuilder:
    """Scores and mix of new tokens with keys and values of earlier ones, as a decoder's step."""
    net = graph("cachedattention")
    heads, size, past, new = values["heads"], values["head_size"], values["past"], values["new"]
    batch = values["batch"]
    query = net.input("query", (batch, heads, new, size))
    key, value = (
        concat(net, [net.input(f"past_{name}", (batch, heads, past, size)), net.input(name, query.shape)], axis=2)
        for name in ("key", "value")
    )
    turned = net.op("Transpose", [key], (batch, heads, size, past + new), perm=(0, 1, 3, 2))
    scores = net.op("Mul", [matmul(net, query, turned), net.scalar(size**-0.5)])
    net.output(matmul(net, softmax(net, scores), value))
    net.output(key)
    net.output(value)
    return net


def build_long_recurrence(values: Values) -> GraphBuilder:
    """Recurrences over long sequences, or over many short ones at once."""
    net = graph("longrnn")
    steps = min(values["steps"], ceil(65536 / values["sequences"]))
    x = net.input("x", (steps, values["sequences"], values["features"]))
    both = values["directions"] == 2
    net.output(recurrent(net, x, values["cell"], values["hidden"], bidirectional=both))
    return net


def build_cell(values: Values) -> GraphBuilder:
    """One step of a recurrence with its state as input and output, as streaming models have it."""
    net = graph("rnncell")
    hidden, batch, features = values["hidden"], values["batch"], values["features"]
    x = net.input("x", (values["steps"], batch, features))
    gates = 4 if values["cell"] == "LSTM" else 3
    weights = [net.weight(1, gates * hidden, size) for size in (features, hidden)]
    state = (1, batch, hidden)
    states = [net.input(f"state_{index}", state) for index in range(gates - 2)]
    outputs = net.ops(
        values["cell"],
        [x, *weights, net.weight(1, 2 * gates * hidden), None, *states],
        [(values["steps"], *state), *(state for _ in states)],
        macs=values["steps"] * batch * gates * hidden * (features + hidden),
        hidden_size=hidden,
    )
    for output in outputs:
        net.output(output)
    return net


BODY = Choice(name="body", values=("elementwise", "linear", "softmax"), default="elementwise")
ROWS, COLUMNS = integer("rows", 256, 1), integer("columns", 1024, 64)

FAMILIES = (
    Family(
        name="loop",
        fields=(
            Choice(name="op", values=("Loop", "Scan"), default="Loop", weights=(2, 1)),
            BODY,
            Integer(name="trips", low=1, high=500, default=16),
            ROWS,
            COLUMNS,
        ),
        build=build_loop,
        weight=1.5,
    ),
    Family(name="if", fields=(BODY, ROWS, COLUMNS), build=build_if, weight=0.5),
    Family(
        name="trees",
        fields=(
            Integer(name="trees", low=1, high=1000, default=100),
            Integer(name="depth", low=1, high=12, default=5),
            integer("features", 1024, 32),
            integer("rows", 4096, 1),
            Choice(name="targets", values=(1, 2, 3, 10), default=1, weights=(4, 1, 1, 1)),
            Choice(name="task", values=("regression", "classification"), default="regression"),
        ),
        build=build_trees,
        weight=1.5,
    ),
    Family(
        name="cachedattention",
        fields=(
            Choice(name="heads", values=(1, 2, 4, 8, 12, 16, 32), default=8),
            Choice(name="head_size", values=(16, 32, 64, 128), default=64),
            Integer(name="past", low=1, high=4096, default=128),
            Integer(name="new", low=1, high=16, default=1),
            Choice(name="batch", values=(1, 2, 4, 8), default=1, weights=(6, 1, 1, 1)),
        ),
        build=build_cached_attention,
        weight=1.5,
    ),
    Family(
        name="longrnn",
        fields=(
            Choice(name="cell", values=("LSTM", "GRU", "RNN"), default="LSTM", weights=(3, 2, 1)),
            Integer(name="steps", low=1, high=4096, default=200),
            Integer(name="sequences", low=1, high=1024, default=1),
            integer("features", 1024, 64),
            integer("hidden", 1024, 128),
            Choice(name="directions", values=(1, 2), default=1),
        ),
        build=build_long_recurrence,
        weight=2.0,
    ),
    Family(
        name="rnncell",
        fields=(
            Choice(name="cell", values=("LSTM", "GRU"), default="LSTM"),
            Integer(name="steps", low=1, high=32, default=1),
            Choice(name="batch", values=(1, 2, 4, 8, 16, 32, 64), default=1, weights=(6, 1, 1, 1, 1, 1, 1)),
            integer("features", 1024, 64),
            integer("hidden", 1024, 128),
        ),
        build=build_cell,
    ),
)

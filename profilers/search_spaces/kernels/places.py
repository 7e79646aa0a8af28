"""Elements at places that are computed: read, written, sorted, found and counted."""

from typing import Any

import numpy as np

from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.families import Family, Values
from profilers.search_spaces.fields import Choice, Integer
from profilers.search_spaces.kernels.common import graph, integer
from profilers.search_spaces.layers import activation

__all__ = ["FAMILIES"]


def build_look_up(values: Values) -> GraphBuilder:
    """Elements read from, or written to, places that are computed: rows, single elements, several axes."""
    net = graph("lookup")
    rows, columns, count = values["rows"], values["columns"], values["count"]
    x = net.input("x", (rows, columns))
    rng = np.random.default_rng([rows, count])
    single = net.constant(rng.integers(0, rows, (count, 1)))
    match values["op"]:
        case "GatherElements":
            places = net.op("Expand", [net.input("places", (count, 1), dtype="int64"), net.constant([1, columns])],
                            (count, columns), dtype="int64")  # fmt: skip
            y = net.op("GatherElements", [x, net.op("Mod", [places, net.constant(rows)], dtype="int64")], places.shape)
        case "GatherND":
            y = net.op("GatherND", [x, single], (count, columns))
        case "Gather":
            y = net.op("Gather", [x, net.constant(rng.integers(0, columns, count))], (rows, count), axis=1)
        case "ScatterND":
            y = _scatter(net, values, x, single)
        case _:
            size = min(count, rows)
            places = net.op("Expand", [net.constant(rng.permutation(rows)[:size, None]), net.constant([1, columns])],
                            (size, columns), dtype="int64")  # fmt: skip
            y = _scatter(net, values, x, net.op("Identity", [places], dtype="int64"))
    net.output(y)
    return net


def _scatter(net: GraphBuilder, values: Values, x: Tensor, places: Tensor) -> Tensor:
    updates = net.input("updates", (places.shape[0], x.shape[1]))
    axis: dict[str, Any] = {"axis": 0} if values["op"] == "ScatterElements" else {}
    if values["reduction"] != "none":
        axis["reduction"] = values["reduction"]
    return net.op(values["op"], [x, places, updates], **axis)


def build_selection(values: Values) -> GraphBuilder:
    """Boxes or scores that are sorted, suppressed, found or counted; results of unknown size end in a Shape."""
    net = graph("selection")
    boxes, classes = values["boxes"], values["classes"]
    match values["op"]:
        case "NonMaxSuppression":
            corners = net.input("corners", (1, boxes, 4))
            scores = activation(net, net.input("scores", (1, classes, boxes)), "sigmoid")
            limits = [
                net.constant([100]),
                net.constant([0.5], "float32"),
                net.constant([values["above"] / 100], "float32"),
            ]
            picked = net.op("NonMaxSuppression", [corners, scores, *limits], (0, 3), dtype="int64")
            net.output(net.op("Shape", [picked], (2,), dtype="int64"))
        case "NonZero":
            x = net.input("x", (boxes, classes))
            picked = net.op("NonZero", [net.op("Greater", [x, net.scalar(0.0)], dtype="bool")], (2, 0), dtype="int64")
            net.output(net.op("Shape", [picked], (2,), dtype="int64"))
        case "TopK":
            x, k = net.input("x", (classes, boxes)), min(values["above"] * 10, boxes)
            best, places = net.ops(
                "TopK", [x, net.constant([k])], [(classes, k)] * 2, dtype=("float32", "int64"), axis=1
            )
            net.output(best)
            net.output(places)
        case "ArgMax":
            x = net.input("x", (boxes, classes))
            net.output(net.op("ArgMax", [x], (boxes,), dtype="int64", axis=1, keepdims=0))
        case "OneHot":
            labels = net.constant(np.arange(boxes) % classes)
            labels = net.op("Mul", [labels, net.input("one", (1,), dtype="int64")], labels.shape, dtype="int64")
            ends = net.constant([0.0, 1.0], "float32")
            net.output(net.op("OneHot", [labels, net.constant(classes), ends], (boxes, classes)))
        case _:
            x = net.input("x", (boxes, classes))
            net.output(net.op("CumSum", [x, net.constant(0 if values["above"] > 5 else 1)]))
    return net


FAMILIES = (
    Family(
        name="lookup",
        fields=(
            Choice(name="op", values=("Gather", "GatherElements", "GatherND", "ScatterElements", "ScatterND"),
                   default="GatherElements"),
            Choice(name="reduction", values=("none", "add"), default="none"),
            integer("rows", 4096, 256),
            integer("columns", 1024, 64),
            Integer(name="count", low=1, high=8192, default=128),
        ),
        build=build_look_up,
        weight=2.0,
    ),
    Family(
        name="selection",
        fields=(
            Choice(name="op", values=("NonMaxSuppression", "NonZero", "TopK", "ArgMax", "OneHot", "CumSum"),
                   default="NonMaxSuppression", weights=(3, 1, 2, 1, 1, 1)),
            Integer(name="boxes", low=8, high=20000, default=1000),
            Integer(name="classes", low=1, high=200, default=10),
            Choice(name="above", values=(1, 5, 25, 50, 70, 90), default=50),
        ),
        build=build_selection,
        weight=1.5,
    ),
)  # fmt: skip

"""Kernels off the beaten path: tiny tensors, single rows, contractions, channels-last ends."""

from math import prod

from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.families import Family, Values
from profilers.search_spaces.fields import Choice, Integer
from profilers.search_spaces.kernels.common import BATCH, SIZE, graph, integer
from profilers.search_spaces.layers import activation, concat, conv, unsqueeze
from profilers.search_spaces.sequences import slice_axis, squeeze

__all__ = ["FAMILIES"]


def build_tiny(values: Values) -> GraphBuilder:
    """Many nodes with next to nothing to do, as exporters leave around shapes, masks and boxes."""
    net = graph("tiny")
    size = values["size"]
    x = net.input("x", (1, size))
    ids = net.input("ids", (1, size), dtype="int64")
    for index in range(values["repeats"]):
        x, ids = _tiny(net, x, ids, values["kind"], index)
    net.output(x)
    net.output(ids)
    return net


def _tiny(net: GraphBuilder, x: Tensor, ids: Tensor, kind: str, index: int) -> tuple[Tensor, Tensor]:
    size = x.shape[1]
    match kind:
        case "arithmetic":
            x = net.op("Add", [net.op("Mul", [x, net.scalar(1.0 + index)]), net.scalar(0.5)])
            return net.op("Sqrt", [net.op("Abs", [x])]), ids
        case "integers":
            ids = net.op(
                "Mul", [net.op("Add", [ids, net.constant(index)], dtype="int64"), net.constant(2)], dtype="int64"
            )
            return net.op("Add", [x, net.op("Cast", [ids], to=1)]), ids
        case "slices":
            first, rest = slice_axis(net, x, 0, size // 2, axis=1), slice_axis(net, x, size // 2, size, axis=1)
            return net.op("Tanh", [concat(net, [rest, first])]), ids
        case "axes":
            y = squeeze(net, net.op("Relu", [unsqueeze(net, x, index % 3)]), index % 3)
            return net.op("Neg", [y]), ids
        case _:
            chosen = net.op("Greater", [x, net.scalar(float(index))], dtype="bool")
            return net.op("Where", [chosen, x, net.op("Neg", [x])], x.shape), ids


def build_row(values: Values) -> GraphBuilder:
    """One row, or few, by large weights: the weights are read from memory."""
    net = graph("row")
    inner, out = values["in"], values["out"]
    x = net.input("x", (values["rows"], inner))
    y = net.op("MatMul", [x, net.weight(inner, out)], (values["rows"], out), macs=x.elements * out)
    net.output(activation(net, y, values["activation"]))
    return net


def build_contraction(values: Values) -> GraphBuilder:
    """One Einsum out of a set that exporters write."""
    net = graph("contraction")
    sizes = {name: values[field] for name, field in SIZES_OF_AXES.items()}
    first, second, result = CONTRACTIONS[values["form"]]
    shapes = [[sizes[axis] for axis in axes] for axes in (first, second)]
    weights = values["second"] == "weights"
    x = net.input("x", shapes[0])
    y = net.weight(*shapes[1]) if weights else net.input("y", shapes[1])
    macs = prod(sizes[axis] for axis in set(first) | set(second))
    net.output(net.op("Einsum", [x, y], [sizes[a] for a in result], macs=macs, equation=f"{first},{second}->{result}"))
    return net


def build_channels_last(values: Values) -> GraphBuilder:
    """A 3 × 3 and a pointwise convolution between channels-last ends, as converted from TensorFlow."""
    net = graph("channelslast")
    size, channels = values["size"], values["in"]
    if values["axes"] == "last":
        x = net.input("x", (values["batch"], size, size, channels))
        x = net.op("Transpose", [x], (values["batch"], channels, size, size), perm=(0, 3, 1, 2))
    else:
        x = net.input("x", (values["batch"], channels, size, size))
    y = conv(net, activation(net, conv(net, x, channels, 3), "relu"), values["out"], 1)
    net.output(net.op("Transpose", [y], [y.shape[axis] for axis in (0, 2, 3, 1)], perm=(0, 2, 3, 1)))
    return net


SIZES_OF_AXES = {"b": "batch", "c": "channels", "t": "rows", "s": "columns", "v": "nodes"}
CONTRACTIONS = {
    "graph": ("bctv", "vs", "bcts"),
    "outer": ("bt", "bs", "bts"),
    "channels": ("bctv", "cs", "bstv"),
    "dot": ("btc", "btc", "bt"),
    "queries": ("btc", "bsc", "bts"),
    "last": ("btvc", "cs", "btvs"),
    "diagonal": ("btv", "sv", "bst"),
}
"""Axes of both operands and of the result."""

FAMILIES = (
    Family(
        name="tiny",
        fields=(
            Choice(name="kind", values=("arithmetic", "integers", "slices", "axes", "choice"), default="arithmetic"),
            Integer(name="size", low=2, high=512, default=8),
            Integer(name="repeats", low=1, high=60, default=12),
        ),
        build=build_tiny,
        weight=2.0,
    ),
    Family(
        name="row",
        fields=(
            Integer(name="rows", low=1, high=8, default=1),
            integer("in", 8192, 1024),
            integer("out", 16384, 1024),
            Choice(name="activation", values=("none", "relu", "gelu"), default="none"),
        ),
        build=build_row,
        weight=1.5,
    ),
    Family(
        name="contraction",
        fields=(
            Choice(name="form", values=tuple(CONTRACTIONS), default="graph"),
            Choice(name="second", values=("input", "weights"), default="input"),
            Choice(name="batch", values=(1, 2, 4, 8), default=1, weights=(4, 1, 1, 1)),
            integer("channels", 256, 64),
            integer("rows", 512, 64),
            integer("columns", 512, 64),
            integer("nodes", 64, 25),
        ),
        build=build_contraction,
    ),
    Family(
        name="channelslast",
        fields=(
            Choice(name="out", values=(1, 2, 4, 8, 21, 80, 255, 256), default=21),
            integer("in", 1024, 64),
            SIZE,
            BATCH,
            Choice(name="axes", values=("first", "last"), default="last"),
        ),
        build=build_channels_last,
        weight=0.7,
    ),
)  # fmt: skip

"""Kernels off the beaten path: odd convolutions, look-ups by computed places, selection, signals, tiny tensors."""

from math import prod
from typing import Any

import numpy as np

from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.families import Family, Values
from profilers.search_spaces.fields import Choice, Integer
from profilers.search_spaces.kernels.common import BATCH, SIZE, SPATIAL, graph, image, integer
from profilers.search_spaces.layers import activation, batch_norm, concat, conv, unsqueeze
from profilers.search_spaces.sequences import slice_axis, squeeze

__all__ = ["FAMILIES"]

PAIRS: dict[str, tuple[int, int]] = {"same": (1, 1), "row": (0, 1), "column": (1, 0)}


def build_odd_conv(values: Values) -> GraphBuilder:
    """Convolutions with any channel counts, large or flat windows, any groups; in one or two dimensions."""
    net = graph("oddconv")
    groups = values["groups"]
    channels, out = values["in"] * groups, values["out"] * groups
    kernel: tuple[int, ...] = tuple(values["kernel"] if on else 1 for on in PAIRS[values["form"]])
    if values["rank"] == 1:
        kernel = kernel[1:]
        x = net.input("x", (values["batch"], channels, min(values["size"] ** 2, 65536)))
    else:
        x = image(net, {**values, "aspect": 1}, channels)
    for index in range(values["chain"]):
        more = {"stride": values["stride"] if index == 0 else 1, "dilation": values["dilation"]}
        y = conv(net, x, out, kernel, groups=groups, bias=values["norm"] == "none", **more)
        x = activation(net, y if values["norm"] == "none" else batch_norm(net, y), values["activation"])
    net.output(x)
    return net


def build_odd_transpose(values: Values) -> GraphBuilder:
    """A transposed convolution in one or two dimensions, also in groups."""
    net = graph("oddtransposed")
    kernel, stride, groups, rank = values["kernel"], values["stride"], values["groups"], values["rank"]
    if kernel < stride:
        raise ValueError(f"a transposed convolution needs a kernel of at least its stride {stride}, not {kernel}")
    channels, out = values["in"] * groups, values["out"]
    sizes = (values["size"],) * rank if rank == 2 else (values["size"] ** 2,)
    x = net.input("x", (values["batch"], channels, *sizes))
    begin, total = (kernel - stride) // 2, kernel - stride
    y = net.op(
        "ConvTranspose",
        [x, net.weight(channels, out, *(kernel,) * rank)],
        (values["batch"], out * groups, *(size * stride for size in sizes)),
        macs=x.elements * out * kernel**rank,
        kernel_shape=(kernel,) * rank,
        strides=(stride,) * rank,
        pads=(begin,) * rank + (total - begin,) * rank,
        group=groups,
    )
    net.output(y)
    return net


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
            found = net.op("NonMaxSuppression", [corners, scores, *limits], (0, 3), dtype="int64")
            net.output(net.op("Shape", [found], (2,), dtype="int64"))
        case "NonZero":
            x = net.input("x", (boxes, classes))
            found = net.op("NonZero", [net.op("Greater", [x, net.scalar(0.0)], dtype="bool")], (2, 0), dtype="int64")
            net.output(net.op("Shape", [found], (2,), dtype="int64"))
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


def build_signal(values: Values) -> GraphBuilder:
    """Short-time Fourier transforms, whole ones, and images sampled at computed points."""
    net = graph("signal")
    window = 2 ** values["window"]
    hop = max(1, window // values["overlap"])
    frames = values["frames"]
    match values["op"]:
        case "STFT":
            x = net.input("x", (1, window + hop * (frames - 1)))
            shape = (1, frames, window // 2 + 1, 2)
            net.output(
                net.op("STFT", [x, net.constant(hop), net.weight(window), net.constant(window)], shape, onesided=1)
            )
        case "DFT":
            x = net.input("x", (frames, window, 1))
            net.output(net.op("DFT", [x], (frames, window // 2 + 1, 2), axis=1, onesided=1))
        case _:
            side = max(4, window // 16)
            x = net.input("x", (1, min(values["frames"], 64), side, side))
            grid = activation(net, net.input("grid", (1, side, side, 2)), "tanh")
            net.output(net.op("GridSample", [x, grid], mode="bilinear"))
    return net


def build_scale(values: Values) -> GraphBuilder:
    """A feature map resized by any ratio, in any mode, along one axis or two."""
    net = graph("rescale")
    x = image(net, values, values["channels"])
    both = PAIRS[values["form"]]
    spatial = [
        max(1, int(size * values["percent"] / 100)) if on else size for size, on in zip(x.shape[2:], both, strict=True)
    ]
    shape = (*x.shape[:2], *spatial)
    more: dict[str, Any] = {"coordinate_transformation_mode": values["coordinates"]}
    if values["mode"] == "nearest":
        more["nearest_mode"] = "floor"
    net.output(net.op("Resize", [x, None, None, net.constant(list(shape))], shape, mode=values["mode"], **more))
    return net


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

RANK = Choice(name="rank", values=(1, 2), default=2, weights=(1, 2))
FORM = Choice(name="form", values=tuple(PAIRS), default="same", weights=(4, 1, 1))
ACTIVATION = Choice(
    name="activation", values=("none", "relu", "sigmoid", "silu", "leakyrelu", "prelu", "elu", "gelu"), default="none",
    weights=(3, 3, 1, 1, 1, 1, 1, 1),
)  # fmt: skip

FAMILIES = (
    Family(
        name="oddconv",
        fields=(
            Integer(name="in", low=1, high=256, default=3),
            Integer(name="out", low=1, high=256, default=10),
            Choice(name="groups", values=(1, 2, 3, 4, 6, 8, 16, 40, 60, 116), default=1,
                   weights=(8, 2, 1, 2, 1, 2, 2, 1, 1, 1)),
            integer("size", 256, 32, favoured=4),
            BATCH,
            Choice(name="kernel", values=(1, 2, 3, 4, 5, 7, 9, 11, 15, 21, 31), default=3,
                   weights=(4, 1, 6, 1, 2, 2, 1, 1, 1, 1, 1)),
            FORM,
            Choice(name="stride", values=(1, 2, 3, 4, 8), default=1, weights=(5, 3, 1, 1, 1)),
            Choice(name="dilation", values=(1, 2, 3, 6), default=1, weights=(6, 1, 1, 1)),
            RANK,
            Choice(name="norm", values=("none", "batch"), default="none", weights=(3, 1)),
            ACTIVATION,
            Choice(name="chain", values=(1, 2, 3), default=1, weights=(2, 1, 1)),
        ),
        build=build_odd_conv,
        weight=5.0,
    ),
    Family(
        name="oddtransposed",
        fields=(
            Integer(name="in", low=1, high=512, default=32),
            Integer(name="out", low=1, high=256, default=16),
            Choice(name="groups", values=(1, 2, 4, 16), default=1, weights=(6, 1, 1, 1)),
            integer("size", 160, 32, favoured=4),
            BATCH,
            Choice(name="kernel", values=(2, 3, 4, 5, 8, 16), default=4),
            Choice(name="stride", values=(1, 2, 3, 4, 8), default=2, weights=(1, 5, 1, 1, 1)),
            RANK,
        ),
        build=build_odd_transpose,
        weight=1.5,
    ),
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
    Family(
        name="signal",
        fields=(
            Choice(name="op", values=("STFT", "DFT", "GridSample"), default="STFT"),
            Integer(name="window", low=5, high=11, default=9),
            Choice(name="overlap", values=(1, 2, 4), default=2),
            integer("frames", 512, 100),
        ),
        build=build_signal,
    ),
    Family(
        name="rescale",
        fields=(
            *SPATIAL,
            Integer(name="percent", low=20, high=800, default=150),
            Choice(name="mode", values=("nearest", "linear", "cubic"), default="linear", weights=(2, 3, 1)),
            Choice(name="coordinates", values=("half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel"),
                   default="half_pixel"),
            FORM,
        ),
        build=build_scale,
        weight=1.5,
    ),
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

"""Kernels that move elements: layouts, joins and cuts, look-ups, resampling."""

from typing import Any

from latcast.schema.counting import counted
from profilers.search_spaces.builder import GraphBuilder
from profilers.search_spaces.families import Family, Values
from profilers.search_spaces.fields import Choice
from profilers.search_spaces.kernels.common import SPATIAL, graph, image, integer
from profilers.search_spaces.layers import concat, transpose
from profilers.search_spaces.sequences import embedding, slice_axis, split

__all__ = ["FAMILIES"]

ORDERS = {
    "swap_last": (0, 1, 3, 2),
    "heads": (0, 2, 1, 3),
    "to_last": (0, 2, 3, 1),
    "to_first": (0, 3, 1, 2),
    "reverse": (3, 2, 1, 0),
    "front": (1, 0, 2, 3),
}
DIMS = (integer("a", 64, 1), integer("b", 2048, 64), integer("c", 2048, 28), integer("d", 2048, 28))
AXIS = Choice(name="axis", values=(0, 1, 2, 3), default=1, weights=(1, 4, 1, 2))
MODES: dict[str, dict[str, Any]] = {
    "nearest": {"mode": "nearest", "nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"},
    "linear": {"mode": "linear", "coordinate_transformation_mode": "half_pixel"},
    "linear_corners": {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
    "cubic": {"mode": "cubic", "coordinate_transformation_mode": "half_pixel", "cubic_coeff_a": -0.75},
}


def _dims(values: Values) -> tuple[int, ...]:
    return tuple(values[field.name] for field in DIMS)


def build_transpose(values: Values) -> GraphBuilder:
    """Axes (a, b, c, d) in another order."""
    net = graph("transpose")
    net.output(transpose(net, net.input("x", _dims(values)), ORDERS[values["order"]]))
    return net


def build_concat(values: Values) -> GraphBuilder:
    """Tensors (a, b, c, d) joined along an axis."""
    net = graph("concat")
    parts = [net.input(f"x{index}", _dims(values)) for index in range(values["parts"])]
    net.output(concat(net, parts, values["axis"]))
    return net


def build_split(values: Values) -> GraphBuilder:
    """A tensor cut into equal parts along an axis."""
    net = graph("split")
    shape, parts = _dims(values), values["parts"]
    if shape[values["axis"]] % parts:
        raise ValueError(f"{counted(parts, 'part')} do not divide an axis of {shape[values['axis']]}")
    for part in split(net, net.input("x", shape), parts, values["axis"]):
        net.output(part)
    return net


def build_slice(values: Values) -> GraphBuilder:
    """Part of a tensor: its first half, its middle, or every second element along an axis."""
    net = graph("slice")
    x = net.input("x", _dims(values))
    size = x.shape[values["axis"]]
    bounds = {"half": (0, size // 2, 1), "middle": (size // 4, size - size // 4, 1), "step": (0, size, 2)}
    start, stop, step = bounds[values["part"]]
    if stop <= start:
        raise ValueError(f"an axis of {size} cannot be cut")
    net.output(slice_axis(net, x, start, stop, axis=values["axis"], step=step))
    return net


def build_gather(values: Values) -> GraphBuilder:
    """Rows of a table by ids (batch, length)."""
    net = graph("gather")
    ids = net.input("ids", (values["batch"], values["length"]), dtype="int64")
    net.output(embedding(net, ids, values["entries"], values["features"]))
    return net


def build_resize(values: Values) -> GraphBuilder:
    """A feature map enlarged or reduced."""
    net = graph("resize")
    x = image(net, values, values["channels"])
    factor = values["scale"] / 100
    spatial = [int(size * factor) for size in x.shape[2:]]
    if min(spatial) < 1:
        raise ValueError(f"{values['scale']} % of {x.shape[2:]} leaves nothing")
    scales = net.constant([1.0, 1.0, factor, factor], "float32")
    net.output(net.op("Resize", [x, None, scales], (*x.shape[:2], *spatial), **MODES[values["mode"]]))
    return net


def build_pad(values: Values) -> GraphBuilder:
    """A feature map with a margin."""
    net = graph("pad")
    x = image(net, values, values["channels"])
    pad = values["margin"]
    if values["mode"] == "reflect" and pad >= min(x.shape[2:]):
        raise ValueError(f"a margin of {pad} cannot be reflected from a feature map of {x.shape[2:]}")
    shape = (*x.shape[:2], *(size + 2 * pad for size in x.shape[2:]))
    net.output(net.op("Pad", [x, net.constant([0, 0, pad, pad] * 2)], shape, mode=values["mode"]))
    return net


def build_repeat(values: Values) -> GraphBuilder:
    """A tensor (b, c) repeated: broadcast along a new axis, or laid side by side."""
    net = graph("repeat")
    count = values["count"]
    rows, columns = values["b"], values["c"]
    if values["op"] == "Expand":
        x = net.input("x", (1, rows, columns))
        net.output(net.op("Expand", [x, net.constant([count, 1, 1])], (count, rows, columns)))
    else:
        x = net.input("x", (rows, columns))
        net.output(net.op("Tile", [x, net.constant([1, count])], (rows, count * columns)))
    return net


def build_blocks(values: Values) -> GraphBuilder:
    """Channels to pixels or pixels to channels."""
    net = graph("blocks")
    block = values["block"]
    x = image(net, values, values["channels"])
    batch, channels, height, width = x.shape
    if values["op"] == "DepthToSpace":
        if channels % (block * block):
            raise ValueError(f"{counted(channels, 'channel is', 'channels are')} no multiple of {block * block}")
        shape = (batch, channels // block**2, height * block, width * block)
    else:
        if height % block or width % block:
            raise ValueError(f"a feature map of {height} × {width} is no multiple of {block}")
        shape = (batch, channels * block**2, height // block, width // block)
    net.output(net.op(values["op"], [x], shape, blocksize=block))
    return net


def build_scatter(values: Values) -> GraphBuilder:
    """Rows of a table (rows, columns) replaced at given places."""
    net = graph("scatter")
    updates = min(values["updates"], values["rows"])
    x = net.input("x", (values["rows"], values["columns"]))
    places = net.constant([[row] for row in range(updates)])
    net.output(net.op("ScatterND", [x, places, net.input("y", (updates, values["columns"]))]))
    return net


PARTS = Choice(name="parts", values=(2, 3, 4, 6, 8), default=2, weights=(4, 2, 2, 1, 1))

FAMILIES = (
    Family(
        name="transpose",
        fields=(Choice(name="order", values=tuple(ORDERS), default="heads"), *DIMS),
        build=build_transpose,
        weight=2.5,
    ),
    Family(name="concat", fields=(*DIMS, AXIS, PARTS), build=build_concat, weight=2.0),
    Family(name="split", fields=(*DIMS, AXIS, PARTS), build=build_split),
    Family(
        name="slice",
        fields=(*DIMS, AXIS, Choice(name="part", values=("half", "middle", "step"), default="half")),
        build=build_slice,
    ),
    Family(
        name="gather",
        fields=(
            integer("entries", 100000, 10000),
            integer("features", 1024, 256),
            integer("length", 1024, 64),
            Choice(name="batch", values=(1, 2, 4, 8, 32), default=1, weights=(6, 1, 1, 1, 1)),
        ),
        build=build_gather,
    ),
    Family(
        name="resize",
        fields=(
            *SPATIAL,
            Choice(name="scale", values=(50, 200, 300, 400), default=200, weights=(1, 4, 1, 1)),
            Choice(name="mode", values=tuple(MODES), default="nearest", weights=(3, 2, 1, 1)),
        ),
        build=build_resize,
        weight=2.0,
    ),
    Family(
        name="pad",
        fields=(
            *SPATIAL,
            Choice(name="margin", values=(1, 2, 3, 4, 8), default=1),
            Choice(name="mode", values=("constant", "reflect", "edge"), default="constant"),
        ),
        build=build_pad,
    ),
    Family(
        name="repeat",
        fields=(
            Choice(name="op", values=("Expand", "Tile"), default="Expand"),
            DIMS[1],
            DIMS[2],
            integer("count", 256, 8),
        ),
        build=build_repeat,
        weight=0.5,
    ),
    Family(
        name="blocks",
        fields=(
            Choice(name="op", values=("DepthToSpace", "SpaceToDepth"), default="DepthToSpace"),
            *SPATIAL,
            Choice(name="block", values=(2, 3, 4), default=2, weights=(4, 1, 1)),
        ),
        build=build_blocks,
        weight=0.5,
    ),
    Family(
        name="scatter",
        fields=(integer("rows", 4096, 128), integer("columns", 4096, 64), integer("updates", 1024, 16)),
        build=build_scatter,
        weight=0.5,
    ),
)

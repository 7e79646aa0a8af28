"""Detectors that end in boxes: anchors decoded, the best kept, overlaps suppressed (SSD, BlazeFace, UltraFace)."""

from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.families import Family, Values
from profilers.search_spaces.fields import Choice, Integer
from profilers.search_spaces.layers import activation, concat, conv, conv_norm, reshape, transpose
from profilers.search_spaces.sequences import slice_axis, softmax, squeeze
from profilers.search_spaces.zoo.common import NORM_STYLE, STYLE, network

__all__ = ["FAMILY"]

KEPT = 100


def build(values: Values) -> GraphBuilder:
    """A small backbone, heads on its last maps, then the boxes."""
    net = network("boxes", values)
    side = values["resolution"]
    x = net.input("image", (1, 3, side, side * values["aspect"]))
    x = conv_norm(net, x, values["width"], 3, values["activation"], stride=2)
    locations, scores = [], []
    for stage in range(values["stages"]):
        x = _stage(net, x, values["width"] * min(8, 2 ** (stage + 1)), values)
        if stage >= values["stages"] - values["levels"]:
            locations.append(_head(net, x, 4, values))
            scores.append(_head(net, x, values["classes"] + 1, values))
    corners = _corners(net, concat(net, locations, axis=1))
    probabilities = softmax(net, concat(net, scores, axis=1))
    _finish(net, corners, probabilities, values["ending"])
    return net


def _stage(net: GraphBuilder, x: Tensor, channels: int, values: Values) -> Tensor:
    act = values["activation"]
    for layer in range(values["depth"]):
        stride = 2 if layer == 0 else 1
        x = conv_norm(net, x, x.channels, 3, act, stride=stride, groups=x.channels)
        x = conv_norm(net, x, channels, 1, act)
    return x


def _head(net: GraphBuilder, x: Tensor, size: int, values: Values) -> Tensor:
    """(1, anchors of all places, size)."""
    y = conv(net, conv(net, x, x.channels, 3, groups=x.channels), values["anchors"] * size, 1)
    y = transpose(net, y, (0, 2, 3, 1))
    return reshape(net, y, (1, y.elements // size, size))


def _corners(net: GraphBuilder, x: Tensor) -> Tensor:
    """Offsets from anchors to corners (1, boxes, 4)."""
    half = (1, x.shape[1], 2)
    centre, extent = slice_axis(net, x, 0, 2, axis=2), slice_axis(net, x, 2, 4, axis=2)
    sizes = net.weight(*half, role="positive")
    centre = net.op("Add", [net.op("Mul", [net.op("Mul", [centre, net.scalar(0.1)]), sizes]), net.weight(*half)])
    extent = net.op("Mul", [net.op("Exp", [net.op("Mul", [extent, net.scalar(0.2)])]), sizes])
    extent = net.op("Div", [extent, net.scalar(2.0)])
    return concat(net, [net.op("Sub", [centre, extent]), net.op("Add", [centre, extent])], axis=2)


def _finish(net: GraphBuilder, corners: Tensor, scores: Tensor, ending: str) -> None:
    if ending == "all":
        net.output(corners)
        net.output(scores)
        return
    count = corners.shape[1]
    if ending == "best":
        best = net.op("ReduceMax", [scores], (1, count), axes=(2,), keepdims=0) if net.style.opset < 18 else None
        best = best or net.op("ReduceMax", [scores, net.constant([2])], (1, count), keepdims=0)
        kept = min(KEPT, count)
        top, places = net.ops("TopK", [best, net.constant([kept])], [(1, kept)] * 2, dtype=("float32", "int64"), axis=1)
        flat = squeeze(net, corners, 0)
        net.output(net.op("Gather", [flat, places], (1, kept, 4), axis=0))
        net.output(top)
        return
    turned = transpose(net, scores, (0, 2, 1))
    limits = [net.constant([KEPT]), net.constant([0.5], "float32"), net.constant([0.3], "float32")]
    picked = net.op("NonMaxSuppression", [corners, turned, *limits], (0, 3), dtype="int64")
    net.output(net.op("Shape", [picked], (2,), dtype="int64"))
    net.output(activation(net, corners, "none"))


FAMILY = Family(
    name="boxes",
    fields=(
        Integer(name="width", low=8, high=32, default=16, multiple=8),
        Integer(name="depth", low=1, high=4, default=2),
        Choice(name="stages", values=(2, 3, 4), default=4),
        Choice(name="levels", values=(1, 2), default=2),
        Choice(name="anchors", values=(1, 2, 3, 6), default=3),
        Integer(name="classes", low=1, high=90, default=20),
        Choice(name="ending", values=("all", "best", "suppressed"), default="suppressed"),
        Choice(name="resolution", values=(96, 128, 160, 240, 320), default=240),
        Choice(name="aspect", values=(1, 2), default=1, weights=(3, 1)),
        Choice(name="activation", values=("relu", "relu6", "hardswish", "prelu"), default="relu"),
        NORM_STYLE,
        *STYLE,
    ),
    build=build,
)

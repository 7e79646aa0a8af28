"""Single-stage detectors: YOLO, SSD and RetinaNet alike (Redmon & Farhadi 2018; Lin et al. 2017; Liu et al. 2018)."""

import numpy as np

from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.families import Family, Values
from profilers.search_spaces.fields import Choice, Integer
from profilers.search_spaces.layers import (
    ACTIVATIONS,
    add,
    concat,
    conv,
    conv_norm,
    max_pool,
    reshape,
    resize,
    transpose,
)
from profilers.search_spaces.sequences import slice_axis
from profilers.search_spaces.zoo.common import BATCH, NORM_STYLE, STYLE, image, network, yes_no

__all__ = ["FAMILY"]

BOX = 5  # centre x and y, width, height, objectness
MAX_CHANNELS = 1024
RESOLUTIONS = (96, 128, 160, 192, 224, 256, 320, 416, 512)


def build(values: Values) -> GraphBuilder:
    """Backbone, feature pyramid, one head for each level, boxes decoded or raw."""
    net = network("detector", values)
    levels = _pyramid(net, _backbone(net, image(net, values), values), values)
    heads = [_head(net, level, values) for level in levels]
    if values["decode"] == "no":
        for head in heads:
            net.output(head)
        return net
    boxes = [_decode(net, head, values["resolution"] // head.shape[3], values) for head in heads]
    net.output(concat(net, boxes))
    return net


def _backbone(net: GraphBuilder, x: Tensor, values: Values) -> list[Tensor]:
    """Feature maps of the last `levels` stages, largest first."""
    act = values["activation"]
    if values["stem"] == "focus":
        x = conv_norm(net, _focus(net, x), values["width"], 3, act)
    else:
        x = conv_norm(net, x, values["width"], 3, act, stride=2)
    maps = []
    for stage in range(1, 5):
        x = conv_norm(net, x, min(MAX_CHANNELS, values["width"] * 2**stage), 3, act, stride=2)
        x = _stage(net, x, values)
        maps.append(x)
    if values["spp"] == "yes":
        maps[-1] = _spatial_pyramid(net, x, act)
    return maps[-values["levels"] :]


def _focus(net: GraphBuilder, x: Tensor) -> Tensor:
    """Every second pixel to channels (YOLOv5)."""
    _, _, height, width = x.shape
    rows = [slice_axis(net, x, start, height, axis=2, step=2) for start in (0, 1)]
    return concat(net, [slice_axis(net, row, start, width, axis=3, step=2) for start in (0, 1) for row in rows])


def _stage(net: GraphBuilder, x: Tensor, values: Values) -> Tensor:
    act, half = values["activation"], x.channels // 2
    if values["backbone"] == "csp":
        passed, y = conv_norm(net, x, half, 1, act), conv_norm(net, x, half, 1, act)
        for _ in range(values["depth"]):
            y = add(net, y, conv_norm(net, conv_norm(net, y, half, 1, act), half, 3, act))
        return conv_norm(net, concat(net, [y, passed]), x.channels, 1, act)
    for _ in range(values["depth"]):
        if values["backbone"] == "separable":
            x = conv_norm(net, conv_norm(net, x, x.channels, 3, act, groups=x.channels), x.channels, 1, act)
        else:
            x = add(net, x, conv_norm(net, conv_norm(net, x, half, 1, act), x.channels, 3, act))
    return x


def _spatial_pyramid(net: GraphBuilder, x: Tensor, act: str) -> Tensor:
    """Maxima over windows of 5, 9 and 13 (He et al. 2015)."""
    y = conv_norm(net, x, x.channels // 2, 1, act)
    pooled = [max_pool(net, y, kernel, 1, kernel // 2) for kernel in (5, 9, 13)]
    return conv_norm(net, concat(net, [y, *pooled]), x.channels, 1, act)


def _pyramid(net: GraphBuilder, maps: list[Tensor], values: Values) -> list[Tensor]:
    """Top-down additions (FPN), and bottom-up ones after them (PAN)."""
    if values["neck"] == "none":
        return maps
    act, width = values["activation"], values["neck_width"]
    levels = [conv_norm(net, item, width, 1, act) for item in maps]
    for index in range(len(levels) - 2, -1, -1):
        if levels[index].shape[2] != 2 * levels[index + 1].shape[2]:
            raise ValueError(f"resolution {values['resolution']} does not halve down to the coarsest level")
        levels[index] = add(net, levels[index], resize(net, levels[index + 1], 2))
    levels = [conv_norm(net, item, width, 3, act) for item in levels]
    if values["neck"] == "pan":
        for index in range(1, len(levels)):
            below = conv_norm(net, levels[index - 1], width, 3, act, stride=2)
            levels[index] = conv_norm(net, concat(net, [levels[index], below]), width, 3, act)
    return levels


def _head(net: GraphBuilder, x: Tensor, values: Values) -> Tensor:
    for _ in range(values["head_depth"]):
        x = conv_norm(net, x, x.channels, 3, values["activation"])
    return conv(net, x, values["anchors"] * (BOX + values["classes"]), 1)


def _decode(net: GraphBuilder, x: Tensor, stride: int, values: Values) -> Tensor:
    """Head (batch, anchors · values, height, width) to boxes in pixels (batch, boxes, values)."""
    batch, _, height, width = x.shape
    anchors, size = values["anchors"], BOX + values["classes"]
    y = transpose(net, reshape(net, x, (batch, anchors, size, height, width)), (0, 1, 3, 4, 2))
    y = ACTIVATIONS["sigmoid"](net, y)
    centre, extent = slice_axis(net, y, 0, 2, axis=4), slice_axis(net, y, 2, 4, axis=4)
    rest = slice_axis(net, y, 4, size, axis=4)
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    grid = net.constant(np.stack([columns, rows], -1)[None, None] - 0.5, "float32")
    moved = net.op("Add", [net.op("Mul", [centre, net.scalar(2.0)]), grid])
    centre = net.op("Mul", [moved, net.scalar(float(stride))])
    square = net.op("Pow", [net.op("Mul", [extent, net.scalar(2.0)]), net.scalar(2.0)])
    extent = net.op("Mul", [square, net.weight(1, anchors, 1, 1, 2)])
    boxes = concat(net, [centre, extent, rest], axis=4)
    return reshape(net, boxes, (batch, anchors * height * width, size))


FAMILY = Family(
    name="detector",
    fields=(
        Choice(name="backbone", values=("csp", "residual", "separable"), default="csp"),
        Integer(name="width", low=8, high=64, default=32, multiple=8),
        Integer(name="depth", low=1, high=6, default=1),
        Choice(name="levels", values=(1, 2, 3, 4), default=3),
        Choice(name="neck", values=("none", "fpn", "pan"), default="fpn"),
        Integer(name="neck_width", low=32, high=256, default=128, multiple=16),
        Choice(name="stem", values=("conv", "focus"), default="conv", weights=(3, 1)),
        Integer(name="head_depth", low=1, high=4, default=1),
        Choice(name="anchors", values=(1, 2, 3, 6, 9), default=3),
        Integer(name="classes", low=1, high=90, default=80),
        yes_no("spp"),
        yes_no("decode", "yes"),
        Choice(name="activation", values=("relu", "relu6", "leakyrelu", "silu", "mish"), default="silu"),
        Choice(name="resolution", values=RESOLUTIONS, default=320),
        BATCH,
        NORM_STYLE,
        *STYLE,
    ),
    build=build,
    weight=1.5,
)

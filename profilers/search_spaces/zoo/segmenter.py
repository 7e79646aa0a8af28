"""Classes for each pixel at full size: DeepLab, PSPNet, BiSeNet alike (Chen et al. 2018; Zhao et al. 2017)."""

from typing import Any

from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.families import Family, Values
from profilers.search_spaces.fields import Choice, Integer
from profilers.search_spaces.layers import add, concat, conv, conv_norm, global_pool
from profilers.search_spaces.zoo.common import ACTIVATION, IMAGE, NORM_STYLE, STYLE, image, network, yes_no

__all__ = ["FAMILY"]


def build(values: Values) -> GraphBuilder:
    """Encoder, context at several dilations, decoder that enlarges to the image's size."""
    net = network("segmenter", values)
    x = image(net, values)
    size, act = x.shape[2:], values["activation"]
    x = low = conv_norm(net, x, values["width"], 3, act, stride=2)
    for stage in range(values["stages"]):
        x = _stage(net, x, values["width"] * 2 ** (stage + 1), values)
        low = x if stage == 0 else low
    x = _context(net, x, values)
    if values["skip"] == "yes":
        x = _enlarge(net, x, low.shape[2:], values)
        x = conv_norm(net, concat(net, [x, conv_norm(net, low, 16, 1, act)]), x.channels, 3, act)
    y = _enlarge(net, conv(net, x, values["classes"], 1), size, values)
    if values["output"] == "places":
        y = net.op("ArgMax", [y], (y.shape[0], *size), dtype="int64", axis=1, keepdims=0)
    net.output(y)
    return net


def _stage(net: GraphBuilder, x: Tensor, channels: int, values: Values) -> Tensor:
    act = values["activation"]
    for layer in range(values["depth"]):
        stride = 2 if layer == 0 else 1
        if values["block"] == "separable":
            y = conv_norm(net, x, x.channels, 3, act, stride=stride, groups=x.channels)
            y = conv_norm(net, y, channels, 1, act)
        else:
            y = conv_norm(net, x, channels, 3, act, stride=stride)
        x = add(net, x, y) if y.shape == x.shape else y
    return x


def _context(net: GraphBuilder, x: Tensor, values: Values) -> Tensor:
    """Windows of several dilations beside the mean of all (atrous spatial pyramid pooling)."""
    act, width = values["activation"], values["context"]
    parts = [conv_norm(net, x, width, 1, act)]
    parts += [conv_norm(net, x, width, 3, act, dilation=rate) for rate in (6, 12, 18)[: values["rates"]]]
    pooled = conv_norm(net, global_pool(net, x), width, 1, act)
    parts.append(_enlarge(net, pooled, x.shape[2:], values))
    return conv_norm(net, concat(net, parts), width, 1, act)


def _enlarge(net: GraphBuilder, x: Tensor, size: tuple[int, ...], values: Values) -> Tensor:
    if x.shape[2:] == size:
        return x
    shape = (*x.shape[:2], *size)
    empty = net.constant([], "float32")
    region, scales = (empty, empty) if net.style.opset < 13 else (None, None)
    more: dict[str, Any] = {"nearest_mode": "floor"} if values["mode"] == "nearest" else {}
    inputs = [x, region, scales, net.constant(list(shape))]
    rule = "asymmetric" if values["mode"] == "nearest" else values["coordinates"]
    return net.op("Resize", inputs, shape, mode=values["mode"], coordinate_transformation_mode=rule, **more)


FAMILY = Family(
    name="segmenter",
    fields=(
        Choice(name="block", values=("separable", "residual"), default="separable"),
        Integer(name="width", low=8, high=48, default=16, multiple=8),
        Integer(name="depth", low=1, high=4, default=2),
        Choice(name="stages", values=(2, 3, 4), default=3),
        Integer(name="context", low=16, high=256, default=64, multiple=16),
        Choice(name="rates", values=(1, 2, 3), default=3),
        yes_no("skip"),
        Choice(name="mode", values=("linear", "nearest"), default="linear", weights=(4, 1)),
        Choice(name="coordinates", values=("half_pixel", "align_corners", "pytorch_half_pixel"), default="half_pixel"),
        Integer(name="classes", low=1, high=150, default=21),
        Choice(name="output", values=("scores", "places"), default="scores"),
        ACTIVATION,
        *IMAGE,
        NORM_STYLE,
        *STYLE,
    ),
    build=build,
)

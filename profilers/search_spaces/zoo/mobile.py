"""Networks for phones: MobileNet 1–3, MnasNet, EfficientNet, fused MBConv, ShuffleNet 1 and 2, GhostNet."""

from collections.abc import Callable

from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.families import Family, Values
from profilers.search_spaces.fields import Choice, Integer
from profilers.search_spaces.layers import (
    activation,
    add,
    avg_pool,
    channel_shuffle,
    concat,
    conv_norm,
    flatten,
    global_pool,
    linear,
    squeeze_excite,
)
from profilers.search_spaces.sequences import split
from profilers.search_spaces.zoo.common import (
    ACTIVATION,
    CLASSES,
    IMAGE,
    NORM_STYLE,
    STYLE,
    image,
    network,
    rounded,
    spread,
    yes_no,
)

__all__ = ["FAMILY"]

GROUPS = 4
MAX_CHANNELS = 1280


def build(values: Values) -> GraphBuilder:
    """Strided stem, stages of mobile blocks, wide head, classifier."""
    net = network("mobile", values)
    stages, act = values["stages"], values["activation"]
    widths = rounded([min(MAX_CHANNELS, values["width"] * 1.7**stage) for stage in range(stages)], 16)
    x = conv_norm(net, image(net, values), widths[0], 3, act, stride=2)
    block = BLOCKS[values["block"]]
    for stage, blocks in enumerate(spread(values["depth"], stages)):
        for index in range(blocks):
            x = block(net, x, widths[stage], 2 if index == 0 < stage and x.shape[2] > 1 else 1, values)
    if values["head"]:
        x = conv_norm(net, x, values["head"], 1, act)
    y = flatten(net, global_pool(net, x))
    net.output(linear(net, y, values["classes"]))
    return net


def _mbconv(net: GraphBuilder, x: Tensor, channels: int, stride: int, values: Values) -> Tensor:
    """Inverted residual block (Sandler et al. 2018) with optional squeeze-and-excitation."""
    act, hidden = values["activation"], x.channels * values["expansion"]
    y = conv_norm(net, x, hidden, 1, act) if values["expansion"] > 1 else x
    y = conv_norm(net, y, hidden, values["kernel"], act, stride=stride, groups=hidden)
    if values["squeeze"] == "yes":
        gate = "hardsigmoid" if act == "hardswish" else "sigmoid"
        y = squeeze_excite(net, y, max(8, x.channels // 4), "relu" if act == "hardswish" else act, gate)
    y = conv_norm(net, y, channels, 1)
    return add(net, x, y) if y.shape == x.shape else y


def _fused(net: GraphBuilder, x: Tensor, channels: int, stride: int, values: Values) -> Tensor:
    """Fused MBConv (Tan & Le, EfficientNetV2, 2021)."""
    hidden = x.channels * values["expansion"]
    y = conv_norm(net, x, hidden, values["kernel"], values["activation"], stride=stride)
    y = conv_norm(net, y, channels, 1)
    return add(net, x, y) if y.shape == x.shape else y


def _separable(net: GraphBuilder, x: Tensor, channels: int, stride: int, values: Values) -> Tensor:
    """Depthwise and pointwise convolution (Howard et al., MobileNets, 2017)."""
    act = values["activation"]
    y = conv_norm(net, x, x.channels, values["kernel"], act, stride=stride, groups=x.channels)
    return conv_norm(net, y, channels, 1, act)


def _shuffle_v1(net: GraphBuilder, x: Tensor, channels: int, stride: int, values: Values) -> Tensor:
    act = values["activation"]
    shortcut = avg_pool(net, x, 3, 2, 1) if stride == 2 else x
    out = channels if stride == 2 else x.channels
    y = conv_norm(net, x, max(GROUPS, out // 4), 1, act, groups=GROUPS)
    y = conv_norm(net, channel_shuffle(net, y, GROUPS), y.channels, 3, stride=stride, groups=y.channels)
    y = conv_norm(net, y, out, 1, groups=GROUPS)
    joined = concat(net, [shortcut, y]) if stride == 2 else add(net, shortcut, y)
    return activation(net, joined, act)


def _shuffle_v2(net: GraphBuilder, x: Tensor, channels: int, stride: int, values: Values) -> Tensor:
    """Ma et al. 2018: half of the channels pass, or at stride 2 both branches halve the image."""
    act, kernel, half = values["activation"], values["kernel"], channels // 2
    if stride == 1:
        left, right = split(net, x, 2, axis=1)
        half = left.channels
    else:
        left = conv_norm(net, x, x.channels, kernel, stride=2, groups=x.channels)
        left, right = conv_norm(net, left, half, 1, act), x
    right = conv_norm(net, right, half, 1, act)
    right = conv_norm(net, right, half, kernel, stride=stride, groups=half)
    return channel_shuffle(net, concat(net, [left, conv_norm(net, right, half, 1, act)]), 2)


def _ghost(net: GraphBuilder, x: Tensor, channels: int, stride: int, values: Values) -> Tensor:
    """Ghost bottleneck (Han et al. 2020): half of each layer's channels are cheap depthwise copies."""
    act = values["activation"]
    y = _ghost_layer(net, x, x.channels * values["expansion"], act)
    if stride == 2:
        y = conv_norm(net, y, y.channels, values["kernel"], stride=2, groups=y.channels)
    y = _ghost_layer(net, y, channels, "none")
    return add(net, x, y) if y.shape == x.shape else y


def _ghost_layer(net: GraphBuilder, x: Tensor, channels: int, act: str) -> Tensor:
    primary = conv_norm(net, x, channels // 2, 1, act)
    return concat(net, [primary, conv_norm(net, primary, channels // 2, 3, act, groups=channels // 2)])


BLOCKS: dict[str, Callable[[GraphBuilder, Tensor, int, int, Values], Tensor]] = {
    "mbconv": _mbconv,
    "fused": _fused,
    "separable": _separable,
    "shuffle_v1": _shuffle_v1,
    "shuffle_v2": _shuffle_v2,
    "ghost": _ghost,
}

FAMILY = Family(
    name="mobile",
    fields=(
        Choice(name="block", values=tuple(BLOCKS), default="mbconv", weights=(4, 1, 2, 1, 1, 1)),
        Integer(name="depth", low=3, high=32, default=16),
        Integer(name="width", low=16, high=96, default=32, multiple=16),
        Choice(name="stages", values=(3, 4, 5), default=5, weights=(1, 3, 3)),
        Choice(name="expansion", values=(1, 2, 3, 4, 6), default=6),
        Choice(name="kernel", values=(3, 5, 7), default=3, weights=(3, 2, 1)),
        Choice(name="head", values=(0, 256, 512, 1024, 1280), default=1280),
        yes_no("squeeze"),
        ACTIVATION,
        CLASSES,
        *IMAGE,
        NORM_STYLE,
        *STYLE,
    ),
    build=build,
    weight=2.0,
)

"""Residual networks: ResNet, ResNeXt, RegNet, SE-ResNet and dilated ones (He et al. 2016; Xie et al. 2017)."""

from math import gcd

from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.families import Family, Values
from profilers.search_spaces.fields import Choice, Integer
from profilers.search_spaces.layers import activation, add, avg_pool, conv_norm, max_pool, squeeze_excite
from profilers.search_spaces.zoo.common import (
    ACTIVATION,
    CLASSES,
    IMAGE,
    NORM_STYLE,
    STYLE,
    classify,
    image,
    network,
    spread,
    yes_no,
)

__all__ = ["FAMILY"]

MAX_CHANNELS = 2048


def build(values: Values) -> GraphBuilder:
    """Stem, stages of residual blocks whose width doubles, classifier."""
    net = network("residual", values)
    x = _stem(net, image(net, values), values)
    for stage, blocks in enumerate(spread(values["depth"], values["stages"])):
        for block in range(blocks):
            last = stage == values["stages"] - 1
            dilation = values["dilation"] if last else 1
            stride = 2 if block == 0 and stage > 0 and dilation == 1 else 1
            x = _block(net, x, values["width"] * 2**stage, values, stride=stride, dilation=dilation)
    classify(net, x, values["classes"])
    return net


def _stem(net: GraphBuilder, x: Tensor, values: Values) -> Tensor:
    width, act = values["width"], values["activation"]
    if values["stem"] == "conv3":
        return conv_norm(net, x, width, 3, act)
    if values["stem"] == "patch":
        return conv_norm(net, x, width, 3, act, stride=2)
    if values["stem"] == "conv7":
        x = conv_norm(net, x, width, 7, act, stride=2)
    else:
        x = conv_norm(net, x, width // 2, 3, act, stride=2)
        x = conv_norm(net, conv_norm(net, x, width // 2, 3, act), width, 3, act)
    return max_pool(net, x, 3, 2, 1)


def _block(net: GraphBuilder, x: Tensor, width: int, values: Values, *, stride: int, dilation: int) -> Tensor:
    act = values["activation"]
    more = {"stride": stride, "dilation": dilation}
    if values["block"] == "basic":
        out = min(width, MAX_CHANNELS)
        groups = gcd(values["groups"], x.channels, out)
        y = conv_norm(net, x, out, 3, act, groups=groups, **more)
        y = conv_norm(net, y, out, 3, dilation=dilation)
    else:
        out = min(width * values["expansion"], MAX_CHANNELS)
        y = conv_norm(net, conv_norm(net, x, width, 1, act), width, 3, act, groups=gcd(values["groups"], width), **more)
        y = conv_norm(net, y, out, 1)
    if values["squeeze"] == "yes":
        y = squeeze_excite(net, y, max(8, out // 16))
    return activation(net, add(net, y, _shortcut(net, x, out, stride, values)), act)


def _shortcut(net: GraphBuilder, x: Tensor, channels: int, stride: int, values: Values) -> Tensor:
    if stride == 1 and x.channels == channels:
        return x
    if stride == 2 and values["shortcut"] == "pool" and x.shape[2] % 2 == 0:
        return conv_norm(net, avg_pool(net, x), channels, 1)
    return conv_norm(net, x, channels, 1, stride=stride)


FAMILY = Family(
    name="residual",
    fields=(
        Choice(name="block", values=("basic", "bottleneck"), default="basic"),
        Integer(name="depth", low=2, high=33, default=8),
        Integer(name="width", low=8, high=192, default=64, multiple=8),
        Choice(name="stages", values=(2, 3, 4), default=4, weights=(1, 2, 5)),
        Choice(name="expansion", values=(1, 2, 4), default=4, weights=(1, 1, 3)),
        Choice(name="groups", values=(1, 2, 4, 8, 16, 32), default=1, weights=(6, 1, 1, 1, 1, 1)),
        Choice(name="stem", values=("conv3", "conv7", "deep", "patch"), default="conv7", weights=(1, 3, 1, 1)),
        Choice(name="shortcut", values=("conv", "pool"), default="conv", weights=(3, 1)),
        Choice(name="dilation", values=(1, 2, 4), default=1, weights=(8, 1, 1)),
        yes_no("squeeze", yes=0.3),
        ACTIVATION,
        CLASSES,
        *IMAGE,
        NORM_STYLE,
        *STYLE,
    ),
    build=build,
    weight=2.0,
)

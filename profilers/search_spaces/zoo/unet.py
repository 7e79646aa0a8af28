"""Encoders and decoders with connections across: U-Net (Ronneberger et al. 2015), LinkNet, depth estimators."""

from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.families import Family, Values
from profilers.search_spaces.fields import Choice, Integer
from profilers.search_spaces.layers import (
    activation,
    add,
    concat,
    conv,
    conv_norm,
    conv_transpose,
    max_pool,
    resize,
)
from profilers.search_spaces.zoo.common import ACTIVATION, IMAGE, NORM_STYLE, STYLE, image, network, yes_no

__all__ = ["FAMILY"]


def build(values: Values) -> GraphBuilder:
    """Levels down, levels up with what the same level had on the way down, one value for each class and pixel."""
    net = network("unet", values)
    x = image(net, values, values["channels"])
    skips = []
    for level in range(values["levels"]):
        x = _level(net, x, values["width"] * 2**level, values)
        skips.append(x)
        x = _down(net, x, values)
    x = _level(net, x, values["width"] * 2 ** values["levels"], values)
    for skip in reversed(skips):
        x = _join(net, _up(net, x, skip.channels, values), skip, values)
        x = _level(net, x, skip.channels, values)
    net.output(activation(net, conv(net, x, values["classes"], 1), values["output"]))
    return net


def _level(net: GraphBuilder, x: Tensor, channels: int, values: Values) -> Tensor:
    for _ in range(values["layers"]):
        if values["separable"] == "yes":
            x = conv_norm(net, x, x.channels, 3, groups=x.channels)
        x = conv_norm(net, x, channels, 1 if values["separable"] == "yes" else 3, values["activation"])
    return x


def _down(net: GraphBuilder, x: Tensor, values: Values) -> Tensor:
    if x.shape[2] % 2:
        raise ValueError(f"resolution {values['resolution']} cannot be halved {values['levels']} times")
    return max_pool(net, x) if values["down"] == "pool" else conv_norm(net, x, x.channels, 3, stride=2)


def _up(net: GraphBuilder, x: Tensor, channels: int, values: Values) -> Tensor:
    if values["up"] == "transpose":
        return conv_transpose(net, x, channels, values["up_kernel"], 2)
    return conv_norm(net, resize(net, x, 2, values["up"]), channels, 1)


def _join(net: GraphBuilder, x: Tensor, skip: Tensor, values: Values) -> Tensor:
    return concat(net, [x, skip]) if values["join"] == "concat" else add(net, x, skip)


FAMILY = Family(
    name="unet",
    fields=(
        Integer(name="levels", low=1, high=5, default=4),
        Integer(name="width", low=8, high=64, default=16, multiple=8),
        Integer(name="layers", low=1, high=3, default=2),
        Choice(name="channels", values=(1, 3), default=3, weights=(1, 3)),
        Integer(name="classes", low=1, high=150, default=21),
        Choice(name="down", values=("pool", "conv"), default="pool"),
        Choice(name="up", values=("transpose", "nearest", "linear"), default="transpose"),
        Choice(name="up_kernel", values=(2, 3, 4), default=2),
        Choice(name="join", values=("concat", "add"), default="concat", weights=(3, 1)),
        Choice(name="output", values=("none", "sigmoid", "tanh"), default="none"),
        yes_no("separable", yes=0.3),
        ACTIVATION,
        *IMAGE,
        NORM_STYLE,
        *STYLE,
    ),
    build=build,
)

"""Convolutions over time: QuartzNet, TCN, WaveNet, Conv-TasNet and vocoders such as HiFi-GAN."""

from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.families import Family, Values
from profilers.search_spaces.fields import Choice, Integer
from profilers.search_spaces.layers import (
    activation,
    add,
    batch_norm,
    conv,
    conv_norm,
    conv_transpose,
    flatten,
    global_pool,
    linear,
)
from profilers.search_spaces.sequences import split
from profilers.search_spaces.zoo.common import ACTIVATION, BATCH, NORM_STYLE, STYLE, network

__all__ = ["FAMILY"]


def build(values: Values) -> GraphBuilder:
    """Strided stem, blocks over time, upsampling if asked for, one output for the sequence or for each step."""
    net = network("speech", values)
    x = net.input("signal", (values["batch"], values["features"], values["length"]))
    x = conv_norm(net, x, values["width"], values["kernel"], values["activation"], stride=values["stride"])
    for index in range(values["depth"]):
        x = _block(net, x, 2 ** (index % values["dilations"]), values)
    for _ in range(values["upsampling"]):
        x = conv_transpose(net, activation(net, x, "leakyrelu"), max(8, x.channels // 2), 4, 2)
        x = add(net, x, conv(net, activation(net, x, "leakyrelu"), x.channels, 3))
    if values["output"] == "steps":
        net.output(conv(net, x, values["classes"], 1))
    else:
        net.output(linear(net, flatten(net, global_pool(net, x)), values["classes"]))
    return net


def _block(net: GraphBuilder, x: Tensor, dilation: int, values: Values) -> Tensor:
    act, kernel, width = values["activation"], values["kernel"], x.channels
    match values["block"]:
        case "plain":
            return conv_norm(net, x, width, kernel, act, dilation=dilation)
        case "separable":
            y = conv_norm(net, x, width, kernel, groups=width, dilation=dilation)
            return activation(net, add(net, x, conv_norm(net, y, width, 1)), act)
        case "gated":
            return _gated(net, x, dilation, kernel)
        case _:
            y = conv(net, activation(net, batch_norm(net, x), act), width, kernel, dilation=dilation)
            return add(net, x, conv(net, activation(net, y, act), width, 1))


def _gated(net: GraphBuilder, x: Tensor, dilation: int, kernel: int) -> Tensor:
    """Gated activation unit with a residual connection (van den Oord et al., WaveNet, 2016)."""
    signal, gate = split(net, conv(net, x, 2 * x.channels, kernel, dilation=dilation), 2, axis=1)
    y = net.op("Mul", [activation(net, signal, "tanh"), activation(net, gate, "sigmoid")])
    return add(net, x, conv(net, y, x.channels, 1))


FAMILY = Family(
    name="speech",
    fields=(
        Choice(name="block", values=("plain", "separable", "gated", "residual"), default="separable"),
        Integer(name="length", low=50, high=16000, default=400),
        Choice(name="features", values=(1, 13, 40, 64, 80, 128, 257), default=80),
        Integer(name="width", low=16, high=512, default=256, multiple=16),
        Integer(name="depth", low=1, high=24, default=10),
        Choice(name="kernel", values=(3, 5, 7, 11, 15, 31), default=11, weights=(4, 2, 2, 2, 1, 1)),
        Choice(name="stride", values=(1, 2, 4, 8), default=2),
        Choice(name="dilations", values=(1, 3, 6), default=1, weights=(3, 1, 1)),
        Choice(name="upsampling", values=(0, 1, 2, 3), default=0, weights=(8, 1, 1, 1)),
        Choice(name="output", values=("class", "steps"), default="steps"),
        Integer(name="classes", low=1, high=1000, default=29),
        ACTIVATION,
        BATCH,
        NORM_STYLE,
        *STYLE,
    ),
    build=build,
)

"""Convolutions in one, two and three dimensions, alone and in short chains."""

from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.families import Family, Values
from profilers.search_spaces.fields import Choice, Integer
from profilers.search_spaces.kernels.common import BATCH, SIZE, SPATIAL, graph, image, integer
from profilers.search_spaces.layers import activation, add, conv, conv_transpose

__all__ = ["FAMILIES"]

ACTIVATION = Choice(
    name="activation",
    values=("none", "relu", "relu6", "leakyrelu", "sigmoid", "tanh", "silu", "hardswish", "hardsigmoid"),
    default="none",
    weights=(4, 4, 2, 1, 1, 1, 1, 1, 1),
)
CHAIN = Choice(name="chain", values=(1, 2, 3), default=1, weights=(2, 1, 1))
DILATION = Choice(name="dilation", values=(1, 2, 4), default=1, weights=(8, 1, 1))
STRIDE = Choice(name="stride", values=(1, 2, 4), default=1, weights=(6, 3, 1))
BIAS = Choice(name="bias", values=("no", "yes"), default="yes", weights=(1, 2))
IN, OUT = integer("in", 2048, 64), integer("out", 2048, 64)
KERNEL = Choice(name="kernel", values=(1, 2, 3, 4, 5, 7, 9, 11), default=3, weights=(5, 0.5, 5, 0.5, 2, 2, 1, 1))
FORM = Choice(name="form", values=("square", "row", "column"), default="square", weights=(8, 1, 1))


def build_conv(values: Values) -> GraphBuilder:
    """`chain` convolutions; those after the first keep the channels and the size."""
    net = graph("conv")
    x = image(net, values, values["in"])
    size = values["kernel"]
    kernel = {"square": (size, size), "row": (1, size), "column": (size, 1)}[values["form"]]
    more = {"groups": values["groups"], "dilation": values["dilation"], "bias": values["bias"] == "yes"}
    for index in range(values["chain"]):
        y = conv(net, x, values["out"], kernel, stride=values["stride"] if index == 0 else 1, **more)
        if values["residual"] == "yes" and y.shape == x.shape:
            y = add(net, y, x)
        x = activation(net, y, values["activation"])
    net.output(x)
    return net


def build_depthwise(values: Values) -> GraphBuilder:
    """Depthwise convolutions, each followed by a pointwise one if asked for."""
    net = graph("depthwise")
    x = image(net, values, values["channels"])
    for index in range(values["chain"]):
        more = {"stride": values["stride"] if index == 0 else 1, "dilation": values["dilation"]}
        x = conv(net, x, x.channels, values["kernel"], groups=x.channels, **more)
        x = activation(net, x, values["activation"])
        if values["pointwise"] == "yes":
            x = activation(net, conv(net, x, x.channels, 1), values["activation"])
    net.output(x)
    return net


def build_conv1d(values: Values) -> GraphBuilder:
    """`chain` convolutions over time."""
    net = graph("conv1d")
    x = net.input("x", (values["batch"], values["in"], values["length"]))
    for index in range(values["chain"]):
        more = {"stride": values["stride"] if index == 0 else 1, "dilation": values["dilation"]}
        x = conv(net, x, values["out"], values["kernel"], groups=values["groups"], **more)
        x = activation(net, x, values["activation"])
    net.output(x)
    return net


def build_conv3d(values: Values) -> GraphBuilder:
    """One convolution over time and space."""
    net = graph("conv3d")
    x = net.input("x", (values["batch"], values["in"], values["frames"], values["size"], values["size"]))
    kernel = (values["time_kernel"], values["kernel"], values["kernel"])
    y = conv(net, x, values["out"], kernel, stride=(1, values["stride"], values["stride"]))
    net.output(activation(net, y, values["activation"]))
    return net


def build_conv_transpose(values: Values) -> GraphBuilder:
    """One transposed convolution."""
    net = graph("convtranspose")
    x: Tensor = image(net, values, values["in"])
    y = conv_transpose(net, x, values["out"], values["kernel"], values["stride"])
    net.output(activation(net, y, values["activation"]))
    return net


GROUPS = Choice(name="groups", values=(1, 2, 4, 8, 16, 32), default=1, weights=(12, 1, 1, 1, 1, 1))
TIME_KERNEL = Choice(name="time_kernel", values=(1, 3, 5), default=3)

FAMILIES = (
    Family(
        name="conv",
        fields=(
            IN,
            OUT,
            *SPATIAL[1:],
            KERNEL,
            FORM,
            STRIDE,
            GROUPS,
            DILATION,
            BIAS,
            Choice(name="residual", values=("no", "yes"), default="no", weights=(4, 1)),
            ACTIVATION,
            CHAIN,
        ),
        build=build_conv,
        weight=8.0,
    ),
    Family(
        name="depthwise",
        fields=(
            *SPATIAL,
            Choice(name="kernel", values=(3, 5, 7, 9, 11), default=3, weights=(4, 2, 2, 1, 1)),
            STRIDE,
            DILATION,
            Choice(name="pointwise", values=("no", "yes"), default="no"),
            ACTIVATION,
            CHAIN,
        ),
        build=build_depthwise,
        weight=4.0,
    ),
    Family(
        name="conv1d",
        fields=(
            IN,
            OUT,
            integer("length", 16000, 400),
            BATCH,
            Choice(name="kernel", values=(1, 3, 5, 7, 11, 15, 31), default=3),
            Choice(name="stride", values=(1, 2, 4, 8), default=1, weights=(6, 2, 1, 1)),
            GROUPS,
            DILATION,
            ACTIVATION,
            CHAIN,
        ),
        build=build_conv1d,
        weight=2.0,
    ),
    Family(
        name="conv3d",
        fields=(
            integer("in", 512, 16),
            integer("out", 512, 16),
            Integer(name="frames", low=1, high=32, default=8),
            integer("size", 112, 28, favoured=4),
            BATCH,
            Choice(name="kernel", values=(1, 3, 5), default=3),
            TIME_KERNEL,
            STRIDE,
            ACTIVATION,
        ),
        build=build_conv3d,
        weight=0.5,
    ),
    Family(
        name="convtranspose",
        fields=(
            IN,
            OUT,
            SIZE,
            *SPATIAL[2:],
            Choice(name="kernel", values=(2, 3, 4, 5, 8), default=2, weights=(3, 1, 3, 1, 1)),
            Choice(name="stride", values=(1, 2, 3, 4), default=2, weights=(1, 6, 1, 1)),
            ACTIVATION,
        ),
        build=build_conv_transpose,
        weight=1.5,
    ),
)

"""Images to images: super-resolution, style transfer, denoising (Shi et al. 2016; Johnson et al. 2016)."""

from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.families import Family, Values
from profilers.search_spaces.fields import Choice, Integer
from profilers.search_spaces.layers import activation, add, batch_norm, conv, conv_transpose, reshape, resize
from profilers.search_spaces.zoo.common import IMAGE, STYLE, image, network

__all__ = ["FAMILY"]

GROUPS = 8


def build(values: Values) -> GraphBuilder:
    """Large first kernel, downsampling if asked for, blocks at full width, upsampling, image."""
    net = network("restoration", values)
    x = _unit(net, image(net, values, values["channels"]), values["width"], values, kernel=values["edge_kernel"])
    for _ in range(values["downsampling"]):
        x = _unit(net, x, 2 * x.channels, values, stride=2)
    for _ in range(values["depth"]):
        y = _unit(net, x, x.channels, values)
        x = add(net, x, y) if values["block"] == "residual" else y
    for _ in range(values["downsampling"]):
        x = _unit(net, _upsample(net, x, 2, values), max(8, x.channels // 2), values)
    if values["scale"] > 1:
        x = _upsample(net, x, values["scale"], values)
    net.output(activation(net, conv(net, x, values["channels"], values["edge_kernel"]), values["output"]))
    return net


def _unit(net: GraphBuilder, x: Tensor, channels: int, values: Values, *, kernel: int = 3, stride: int = 1) -> Tensor:
    padding = None
    if values["padding"] == "reflect" and x.shape[2] > kernel // 2:
        x, padding = _reflect(net, x, kernel // 2), 0
    y = conv(net, x, channels, kernel, stride=stride, padding=padding)
    return activation(net, _normalised(net, y, values), values["activation"])


def _reflect(net: GraphBuilder, x: Tensor, pad: int) -> Tensor:
    shape = (*x.shape[:2], *(size + 2 * pad for size in x.shape[2:]))
    return net.op("Pad", [x, net.constant([0, 0, pad, pad] * 2)], shape, mode="reflect")


def _normalised(net: GraphBuilder, x: Tensor, values: Values) -> Tensor:
    match values["normalisation"]:
        case "none":
            return x
        case "batch":
            return batch_norm(net, x)
        case "group":
            return _group_norm(net, x)
        case _:
            return _instance_norm(net, x)


def _instance_norm(net: GraphBuilder, x: Tensor) -> Tensor:
    return net.op("InstanceNormalization", [x, net.weight(x.channels, role="scale"), net.weight(x.channels)])


def _group_norm(net: GraphBuilder, x: Tensor) -> Tensor:
    """Group normalisation (Wu & He 2018) as exporters write it: instances of groups, then scale and shift."""
    grouped = reshape(net, x, (x.shape[0], GROUPS, x.elements // x.shape[0] // GROUPS))
    y = reshape(net, _instance_norm(net, grouped), x.shape)
    scaled = net.op("Mul", [y, net.weight(x.channels, 1, 1, role="scale")])
    return net.op("Add", [scaled, net.weight(x.channels, 1, 1)])


def _upsample(net: GraphBuilder, x: Tensor, scale: int, values: Values) -> Tensor:
    match values["up"]:
        case "shuffle":
            y = conv(net, x, x.channels * scale * scale, 3)
            shape = (x.shape[0], x.channels, x.shape[2] * scale, x.shape[3] * scale)
            return net.op("DepthToSpace", [y], shape, blocksize=scale, mode="CRD")
        case "transpose":
            return conv_transpose(net, x, x.channels, 2 * scale, scale)
        case mode:
            return resize(net, x, scale, mode)


FAMILY = Family(
    name="restoration",
    fields=(
        Choice(name="block", values=("plain", "residual"), default="residual"),
        Integer(name="depth", low=1, high=16, default=5),
        Integer(name="width", low=8, high=96, default=16, multiple=8),
        Choice(name="channels", values=(1, 3), default=3),
        Choice(name="edge_kernel", values=(3, 5, 9), default=5),
        Choice(name="downsampling", values=(0, 1, 2), default=0, weights=(2, 1, 1)),
        Choice(name="scale", values=(1, 2, 3, 4), default=2),
        Choice(name="up", values=("shuffle", "transpose", "nearest", "linear"), default="shuffle"),
        Choice(name="normalisation", values=("none", "batch", "instance", "group"), default="none"),
        Choice(name="padding", values=("zero", "reflect"), default="zero", weights=(2, 1)),
        Choice(name="activation", values=("relu", "prelu", "leakyrelu", "tanh"), default="relu", weights=(4, 1, 1, 1)),
        Choice(name="output", values=("none", "sigmoid", "tanh"), default="none"),
        *IMAGE,
        *STYLE,
    ),
    build=build,
)

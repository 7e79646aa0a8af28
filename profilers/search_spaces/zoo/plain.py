"""Chains of convolutions with large linear layers: LeNet, AlexNet, ZFNet, VGG."""

from typing import Any

from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.families import Family, Values
from profilers.search_spaces.fields import Choice, Integer
from profilers.search_spaces.layers import activation, avg_pool, conv, conv_norm, flatten, linear, max_pool
from profilers.search_spaces.zoo.common import ACTIVATION, CLASSES, IMAGE, NORM_STYLE, STYLE, image, network, yes_no

__all__ = ["FAMILY", "local_norm"]

MAX_CHANNELS = 512


def build(values: Values) -> GraphBuilder:
    """Stages of convolutions with a pooling each, then linear layers."""
    net = network("plain", values)
    x = image(net, values)
    for stage in range(values["stages"]):
        channels = min(MAX_CHANNELS, values["width"] * 2**stage)
        for layer in range(values["layers"]):
            first = stage == layer == 0
            kernel, stride = (values["first_kernel"], values["first_stride"]) if first else (values["kernel"], 1)
            more = {"kernel": kernel, "stride": stride, "groups": values["groups"] if stage > 0 else 1}
            x = _layer(net, x, channels, values, **more)
        x = _pool(net, x, values)
    _head(net, x, values)
    return net


def _layer(net: GraphBuilder, x: Tensor, channels: int, values: Values, **window: Any) -> Tensor:
    if values["normalisation"] == "batch":
        return conv_norm(net, x, channels, act=values["activation"], **window)
    return activation(net, conv(net, x, channels, **window), values["activation"])


def local_norm(net: GraphBuilder, x: Tensor) -> Tensor:
    """Local response normalisation as in AlexNet (Krizhevsky et al. 2012)."""
    return net.op("LRN", [x], size=5, alpha=1e-4, beta=0.75, bias=1.0)


def _pool(net: GraphBuilder, x: Tensor, values: Values) -> Tensor:
    if values["normalisation"] == "local":
        x = local_norm(net, x)
    kernel = values["pool_kernel"]
    if x.shape[2] < kernel:
        return x
    pool = max_pool if values["pool"] == "max" else avg_pool
    return pool(net, x, kernel, 2)


def _head(net: GraphBuilder, x: Tensor, values: Values) -> None:
    y = flatten(net, x)
    for _ in range(2 if values["hidden"] else 0):
        y = activation(net, linear(net, y, values["hidden"]), values["activation"])
        if values["dropout"] == "yes":
            y = net.op("Dropout", [y])
    y = linear(net, y, values["classes"])
    net.output(net.op("Softmax", [y], axis=1) if values["softmax"] == "yes" else y)


FAMILY = Family(
    name="plain",
    fields=(
        Integer(name="stages", low=1, high=5, default=5),
        Integer(name="layers", low=1, high=4, default=2),
        Integer(name="width", low=8, high=128, default=32, multiple=8),
        Choice(name="kernel", values=(3, 5), default=3, weights=(4, 1)),
        Choice(name="first_kernel", values=(3, 5, 7, 11), default=3, weights=(3, 1, 1, 1)),
        Choice(name="first_stride", values=(1, 2, 4), default=1, weights=(2, 1, 1)),
        Choice(name="groups", values=(1, 2), default=1, weights=(4, 1)),
        Choice(name="normalisation", values=("none", "batch", "local"), default="none"),
        Choice(name="pool", values=("max", "average"), default="max", weights=(4, 1)),
        Choice(name="pool_kernel", values=(2, 3), default=2),
        Choice(name="hidden", values=(0, 128, 512, 1024, 2048, 4096), default=4096),
        yes_no("dropout", yes=0.5),
        yes_no("softmax", yes=0.5),
        ACTIVATION,
        CLASSES,
        *IMAGE,
        NORM_STYLE,
        *STYLE,
    ),
    build=build,
)

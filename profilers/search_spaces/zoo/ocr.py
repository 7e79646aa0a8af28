"""Readers of text lines: convolutions, a neck over the columns, characters for each (CRNN, PP-OCR, SVTR)."""

from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.families import Family, Values
from profilers.search_spaces.fields import Choice, Integer
from profilers.search_spaces.layers import (
    activation,
    add,
    avg_pool,
    conv_norm,
    linear,
    max_pool,
    reshape,
    squeeze_excite,
    transpose,
)
from profilers.search_spaces.sequences import attention, feed_forward, layer_norm, recurrent, softmax
from profilers.search_spaces.zoo.common import NORM_STYLE, STYLE, network, yes_no

__all__ = ["FAMILY"]


def build(values: Values) -> GraphBuilder:
    """An image (batch, 3, height, 4 · columns) to classes for each column."""
    net = network("ocr", values)
    height, columns = values["height"], values["columns"]
    x = net.input("image", (values["batch"], 3, height, 4 * columns))
    x = conv_norm(net, x, values["width"], 3, values["activation"], stride=2)
    for stage in range(3):
        for block in range(values["depth"]):
            stride = ((2, 2 if stage == 0 else 1)) if block == 0 else 1
            x = _block(net, x, values["width"] * 2**stage, stride, values)
    x = avg_pool(net, x, (x.shape[2], 1), (x.shape[2], 1)) if values["pool"] == "mean" else _squash(net, x)
    y = softmax(net, linear(net, _neck(net, x, values), values["classes"]))
    if values["output"] == "places":
        y = net.op("ArgMax", [y], y.shape[:-1], dtype="int64", axis=2, keepdims=0)
    net.output(y)
    return net


def _block(net: GraphBuilder, x: Tensor, channels: int, stride: int | tuple[int, int], values: Values) -> Tensor:
    act = values["activation"]
    if values["block"] == "plain":
        y = conv_norm(net, x, channels, 3, act)
        pooled = (stride, stride) if isinstance(stride, int) else stride
        return y if pooled == (1, 1) else max_pool(net, y, pooled, pooled)
    y = conv_norm(net, x, x.channels, values["kernel"], act, stride=stride, groups=x.channels)
    if values["squeeze"] == "yes":
        y = squeeze_excite(net, y, max(8, y.channels // 4), "relu", "hardsigmoid")
    return conv_norm(net, y, channels, 1, act)


def _squash(net: GraphBuilder, x: Tensor) -> Tensor:
    batch, channels, height, columns = x.shape
    return reshape(net, x, (batch, channels * height, 1, columns))


def _neck(net: GraphBuilder, x: Tensor, values: Values) -> Tensor:
    """(batch, channels, 1, columns) to (batch, columns, features), recurrences with the columns first."""
    batch, channels, _, columns = x.shape
    rows = transpose(net, reshape(net, x, (batch, channels, columns)), (0, 2, 1))
    if values["neck"] == "none":
        return rows
    if values["neck"] == "attention":
        y = linear(net, rows, values["hidden"])
        for _ in range(values["layers"]):
            y = add(net, y, attention(net, layer_norm(net, y), 4))
            y = add(net, y, feed_forward(net, layer_norm(net, y), 2 * values["hidden"], "silu"))
        return layer_norm(net, y)
    y = transpose(net, rows, (1, 0, 2))
    for _ in range(values["layers"]):
        y = recurrent(net, y, values["neck"].upper(), values["hidden"], bidirectional=True)
    return activation(net, transpose(net, y, (1, 0, 2)), "none")


FAMILY = Family(
    name="ocr",
    fields=(
        Choice(name="block", values=("separable", "plain"), default="separable"),
        Integer(name="width", low=8, high=64, default=32, multiple=8),
        Integer(name="depth", low=1, high=5, default=2),
        Choice(name="kernel", values=(3, 5), default=3),
        yes_no("squeeze"),
        Choice(name="pool", values=("mean", "squash"), default="mean"),
        Choice(name="neck", values=("lstm", "gru", "attention", "none"), default="lstm", weights=(3, 1, 2, 1)),
        Integer(name="hidden", low=32, high=256, default=64, multiple=16),
        Integer(name="layers", low=1, high=3, default=2),
        Choice(name="classes", values=(11, 37, 97, 438, 1000, 6625), default=97),
        Choice(name="output", values=("scores", "places"), default="scores", weights=(3, 1)),
        Choice(name="height", values=(32, 48, 64), default=48),
        Integer(name="columns", low=8, high=320, default=80, multiple=2),
        Choice(name="batch", values=(1, 2, 4, 6), default=1, weights=(8, 1, 1, 1)),
        Choice(name="activation", values=("relu", "hardswish", "silu"), default="hardswish"),
        NORM_STYLE,
        *STYLE,
    ),
    build=build,
    weight=1.5,
)

"""Transformers over image patches: ViT, DeiT and windowed ones (Dosovitskiy et al. 2021; Liu et al. 2021)."""

from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.families import Family, Values
from profilers.search_spaces.fields import Choice, Integer
from profilers.search_spaces.layers import add, concat, conv, linear, mean, reshape, transpose
from profilers.search_spaces.sequences import attention, feed_forward, layer_norm, slice_axis, squeeze
from profilers.search_spaces.zoo.common import CLASSES, IMAGE, STYLE, image, network

__all__ = ["FAMILY", "patches"]


def build(values: Values) -> GraphBuilder:
    """Patch embedding, positions, pre-norm transformer blocks, classifier."""
    net = network("vision_transformer", values)
    x = patches(net, image(net, values), values)
    if values["pool"] == "class":
        x = concat(net, [net.weight(x.shape[0], 1, x.shape[2]), x], axis=1)
    x = net.op("Add", [x, net.weight(1, *x.shape[1:])])
    for _ in range(values["depth"]):
        x = _block(net, x, values)
    x = layer_norm(net, x)
    pooled = squeeze(net, slice_axis(net, x, 0, 1, axis=1), 1) if values["pool"] == "class" else mean(net, x, [1])
    net.output(linear(net, pooled, values["classes"]))
    return net


def patches(net: GraphBuilder, x: Tensor, values: Values) -> Tensor:
    """Image to (batch, patches, features) by a convolution as wide as its stride."""
    patch = values["patch"]
    if x.shape[2] % patch:
        raise ValueError(f"resolution {x.shape[2]} is not a multiple of patch {patch}")
    y = conv(net, x, values["features"], patch, stride=patch, padding=0)
    batch, features, height, width = y.shape
    return transpose(net, reshape(net, y, (batch, features, height * width)), (0, 2, 1))


def _block(net: GraphBuilder, x: Tensor, values: Values) -> Tensor:
    heads = x.shape[2] // values["head_size"]
    y = layer_norm(net, x)
    y = _windowed(net, y, heads, values) if values["window"] else _attend(net, y, heads, values)
    x = add(net, x, y)
    return add(net, x, feed_forward(net, layer_norm(net, x), values["ratio"] * x.shape[2], values["activation"]))


def _attend(net: GraphBuilder, x: Tensor, heads: int, values: Values) -> Tensor:
    return attention(net, x, heads, fused=values["projection"] == "fused")


def _windowed(net: GraphBuilder, x: Tensor, heads: int, values: Values) -> Tensor:
    """Attention within square windows of patches."""
    batch, tokens, features = x.shape
    side, window = values["resolution"] // values["patch"], values["window"]
    if values["pool"] == "class" or side % window:
        raise ValueError(f"window {window} needs pool=mean and a multiple of {window} patches a side, not {side}")
    count = side // window
    grid = reshape(net, x, (batch, count, window, count, window, features))
    inside = transpose(net, grid, (0, 1, 3, 2, 4, 5))
    y = reshape(net, inside, (batch * count * count, window * window, features))
    y = reshape(net, _attend(net, y, heads, values), inside.shape)
    return reshape(net, transpose(net, y, (0, 1, 3, 2, 4, 5)), (batch, tokens, features))


FAMILY = Family(
    name="vision_transformer",
    fields=(
        Choice(name="patch", values=(4, 8, 14, 16, 32), default=16),
        Integer(name="features", low=64, high=768, default=192, multiple=64),
        Integer(name="depth", low=1, high=12, default=12),
        Choice(name="head_size", values=(16, 32, 64), default=64),
        Choice(name="ratio", values=(1, 2, 4), default=4, weights=(1, 1, 3)),
        Choice(name="pool", values=("class", "mean"), default="class"),
        Choice(name="window", values=(0, 4, 7, 8), default=0, weights=(3, 1, 1, 1)),
        Choice(name="projection", values=("fused", "separate"), default="fused"),
        Choice(name="activation", values=("gelu", "gelu_tanh", "relu", "silu"), default="gelu", weights=(4, 1, 1, 1)),
        CLASSES,
        *IMAGE,
        *STYLE,
    ),
    build=build,
    weight=1.5,
)

"""Convolutional networks modelled on transformers (Liu et al., A ConvNet for the 2020s, CVPR 2022)."""

from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.families import Family, Values
from profilers.search_spaces.fields import Choice, Integer
from profilers.search_spaces.layers import add, conv, flatten, global_pool, linear, transpose
from profilers.search_spaces.sequences import feed_forward, layer_norm
from profilers.search_spaces.zoo.common import CLASSES, IMAGE, STYLE, image, network, spread, yes_no

__all__ = ["FAMILY"]

TO_LAST, TO_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)


def build(values: Values) -> GraphBuilder:
    """Patch stem, stages whose width doubles, classifier."""
    net = network("convnext", values)
    x = conv(net, image(net, values), values["width"], values["patch"], stride=values["patch"], padding=0)
    x = _norm(net, x)
    for stage, blocks in enumerate(spread(values["depth"], values["stages"])):
        if stage and x.shape[2] > 1:
            x = conv(net, _norm(net, x), 2 * x.channels, 2, stride=2, padding=0)
        for _ in range(blocks):
            x = _block(net, x, values)
    y = layer_norm(net, flatten(net, global_pool(net, x)))
    net.output(linear(net, y, values["classes"]))
    return net


def _norm(net: GraphBuilder, x: Tensor) -> Tensor:
    return transpose(net, layer_norm(net, transpose(net, x, TO_LAST)), TO_FIRST)


def _block(net: GraphBuilder, x: Tensor, values: Values) -> Tensor:
    y = conv(net, x, x.channels, values["kernel"], groups=x.channels)
    y = layer_norm(net, transpose(net, y, TO_LAST))
    y = feed_forward(net, y, values["ratio"] * x.channels, values["activation"])
    if values["layer_scale"] == "yes":
        y = net.op("Mul", [y, net.weight(x.channels, role="scale")])
    return add(net, x, transpose(net, y, TO_FIRST))


FAMILY = Family(
    name="convnext",
    fields=(
        Integer(name="width", low=16, high=128, default=96, multiple=8),
        Integer(name="depth", low=2, high=18, default=9),
        Choice(name="stages", values=(2, 3, 4), default=4),
        Choice(name="patch", values=(2, 4), default=4),
        Choice(name="kernel", values=(3, 5, 7, 9, 11), default=7, weights=(1, 1, 4, 1, 1)),
        Choice(name="ratio", values=(2, 4), default=4, weights=(1, 3)),
        yes_no("layer_scale", "yes"),
        Choice(name="activation", values=("gelu", "gelu_tanh", "relu"), default="gelu", weights=(4, 1, 1)),
        CLASSES,
        *IMAGE,
        *STYLE,
    ),
    build=build,
)

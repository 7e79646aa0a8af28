"""Densely connected networks (Huang et al., CVPR 2017)."""

from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.families import Family, Values
from profilers.search_spaces.fields import Choice, Integer
from profilers.search_spaces.layers import activation, avg_pool, batch_norm, concat, conv, conv_norm, max_pool
from profilers.search_spaces.zoo.common import ACTIVATION, CLASSES, IMAGE, STYLE, classify, image, network, spread

__all__ = ["FAMILY"]


def build(values: Values) -> GraphBuilder:
    """Stem, dense blocks with transitions between, classifier. Normalisation comes first, so it cannot be folded."""
    net = network("dense", values)
    x = conv_norm(net, image(net, values), 2 * values["growth"], 7, values["activation"], stride=2)
    x = max_pool(net, x, 3, 2, 1)
    for stage, layers in enumerate(spread(values["depth"], values["blocks"])):
        if stage:
            x = _transition(net, x, values)
        for _ in range(layers):
            x = concat(net, [x, _layer(net, x, values)])
    classify(net, _norm(net, x, values), values["classes"])
    return net


def _norm(net: GraphBuilder, x: Tensor, values: Values) -> Tensor:
    return activation(net, batch_norm(net, x), values["activation"])


def _layer(net: GraphBuilder, x: Tensor, values: Values) -> Tensor:
    y = _norm(net, x, values)
    if values["bottleneck"]:
        y = conv(net, y, values["bottleneck"] * values["growth"], 1, bias=False)
        y = _norm(net, y, values)
    return conv(net, y, values["growth"], 3, bias=False)


def _transition(net: GraphBuilder, x: Tensor, values: Values) -> Tensor:
    y = conv(net, _norm(net, x, values), x.channels * values["compression"] // 100, 1, bias=False)
    return avg_pool(net, y) if y.shape[2] > 1 else y


FAMILY = Family(
    name="dense",
    fields=(
        Integer(name="growth", low=8, high=48, default=32, multiple=4),
        Integer(name="depth", low=4, high=58, default=24),
        Choice(name="blocks", values=(2, 3, 4), default=4),
        Choice(name="bottleneck", values=(0, 2, 4), default=4, weights=(1, 1, 3)),
        Choice(name="compression", values=(25, 50, 100), default=50, weights=(1, 3, 1)),
        ACTIVATION,
        CLASSES,
        *IMAGE,
        *STYLE,
    ),
    build=build,
)

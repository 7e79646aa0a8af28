"""Networks of linear layers over patches (Tolstikhin et al., MLP-Mixer, 2021)."""

from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.families import Family, Values
from profilers.search_spaces.fields import Choice, Integer
from profilers.search_spaces.layers import add, linear, mean, transpose
from profilers.search_spaces.sequences import feed_forward, layer_norm
from profilers.search_spaces.zoo.common import CLASSES, IMAGE, STYLE, image, network
from profilers.search_spaces.zoo.vision_transformer import patches

__all__ = ["FAMILY"]


def build(values: Values) -> GraphBuilder:
    """Patch embedding, blocks that mix patches and then features, classifier."""
    net = network("mixer", values)
    x = patches(net, image(net, values), values)
    for _ in range(values["depth"]):
        x = _block(net, x, values)
    net.output(linear(net, mean(net, layer_norm(net, x), [1]), values["classes"]))
    return net


def _block(net: GraphBuilder, x: Tensor, values: Values) -> Tensor:
    across = transpose(net, layer_norm(net, x), (0, 2, 1))
    across = feed_forward(net, across, values["patch_hidden"], values["activation"])
    x = add(net, x, transpose(net, across, (0, 2, 1)))
    return add(net, x, feed_forward(net, layer_norm(net, x), values["ratio"] * x.shape[2], values["activation"]))


FAMILY = Family(
    name="mixer",
    fields=(
        Choice(name="patch", values=(4, 8, 16, 32), default=16),
        Integer(name="features", low=32, high=768, default=256, multiple=16),
        Integer(name="depth", low=1, high=12, default=8),
        Integer(name="patch_hidden", low=32, high=512, default=128, multiple=16),
        Choice(name="ratio", values=(1, 2, 4), default=4),
        Choice(name="activation", values=("gelu", "gelu_tanh", "relu"), default="gelu"),
        CLASSES,
        *IMAGE,
        *STYLE,
    ),
    build=build,
    weight=0.7,
)

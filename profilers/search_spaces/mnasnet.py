"""MnasNet's search space: seven blocks (Tan et al., CVPR 2019, https://arxiv.org/abs/1807.11626, section 4)."""

from collections.abc import Sequence
from functools import cache
from typing import ClassVar

from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.chains import Chain, Part, record_chain
from profilers.search_spaces.layers import add, conv_norm, flatten, global_pool, linear, squeeze_excite
from profilers.search_spaces.text_space import TextSpace, Values

__all__ = ["MnasNet"]

STEM_CHANNELS, HEAD_CHANNELS, CLASSES = 32, 1280, 1000
BLOCKS = ((16, 1), (24, 2), (40, 2), (80, 2), (112, 1), (160, 2), (320, 1))
"""(channels, stride of the first layer) of each block, those of MnasNet-A1."""


class MnasNet(TextSpace):
    """Seven blocks of inverted residual layers; a block's layers are alike.

    Text: `r224|k3,e3,n1,s0|…`: the resolution, and for each block kernel size, expansion, layers, and whether they
    squeeze and excite (to a quarter of the channels that go in).
    """

    name: ClassVar[str] = "mnasnet"
    stages: ClassVar[int] = len(BLOCKS)
    head: ClassVar[dict[str, Sequence[int]]] = {"r": (128, 160, 192, 224)}
    fields: ClassVar[dict[str, Sequence[int]]] = {"k": (3, 5), "e": (1, 3, 6), "n": (1, 2, 3, 4), "s": (0, 1)}

    def build(self, net: GraphBuilder, head: Values, stages: Sequence[Values]) -> None:
        """The whole network, batch size 1, 1,000 classes."""
        record_chain(net, self.chain_of(head, stages))

    def chain_of(self, head: Values, stages: Sequence[Values]) -> Chain:
        """Stem, layers and head."""
        layers = [
            _part(block["k"], block["e"], block["s"], channels, stride if layer == 0 else 1)
            for (channels, stride), block in zip(BLOCKS, stages, strict=True)
            for layer in range(block["n"])
        ]
        return Chain((1, 3, head["r"], head["r"]), [FIRST, *layers, LAST])


def _stem(net: GraphBuilder, x: Tensor) -> Tensor:
    return conv_norm(net, x, STEM_CHANNELS, 3, "relu", stride=2)


def _head(net: GraphBuilder, x: Tensor) -> Tensor:
    x = conv_norm(net, x, HEAD_CHANNELS, 1, "relu")
    return linear(net, flatten(net, global_pool(net, x)), CLASSES)


FIRST, LAST = Part("stem", _stem), Part("head", _head)


@cache
def _part(kernel: int, expansion: int, squeezes: int, channels: int, stride: int) -> Part:
    """The part that a layer becomes."""

    def build(net: GraphBuilder, x: Tensor) -> Tensor:
        hidden = x.channels * expansion
        y = conv_norm(net, x, hidden, 1, "relu") if expansion > 1 else x
        y = conv_norm(net, y, hidden, kernel, "relu", stride=stride, groups=hidden)
        if squeezes:
            y = squeeze_excite(net, y, max(1, x.channels // 4))
        y = conv_norm(net, y, channels, 1)
        return add(net, y, x) if y.shape == x.shape else y

    return Part((kernel, expansion, squeezes, channels, stride), build)

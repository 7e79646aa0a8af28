"""FBNet: 22 positions with one of nine blocks each (Wu et al., CVPR 2019, https://arxiv.org/abs/1812.03443, table 1).

The CIFAR-100 variant that HW-NAS-Bench (Li et al., ICLR 2021) measured and HELP trains on: 32 × 32 images, stem and
second stage without stride, last convolution with 1,504 channels.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from latcast.schema import Architecture
from latcast.schema.counting import counted
from profilers.search_spaces.base import Encoding, Position, SearchSpace
from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.chains import Chain, Part, record_chain
from profilers.search_spaces.errors import invalid
from profilers.search_spaces.indices import read_indices
from profilers.search_spaces.layers import add, channel_shuffle, conv_norm, flatten, global_pool, linear

__all__ = ["OPERATORS", "POSITIONS", "FBNet"]


@dataclass(frozen=True, slots=True)
class Block:
    """Inverted residual block: kernel size of its depthwise convolution, expansion, groups of its pointwise ones."""

    kernel: int
    expansion: int
    groups: int = 1


BLOCKS: dict[str, Block | None] = {
    "k3_e1": Block(3, 1),
    "k3_e1_g2": Block(3, 1, 2),
    "k3_e3": Block(3, 3),
    "k3_e6": Block(3, 6),
    "k5_e1": Block(5, 1),
    "k5_e1_g2": Block(5, 1, 2),
    "k5_e3": Block(5, 3),
    "k5_e6": Block(5, 6),
    "skip": None,
}
OPERATORS = tuple(BLOCKS)
"""The nine blocks in the tables' order; `encode` counts in it."""

STEM_CHANNELS, HEAD_CHANNELS, CLASSES = 16, 1504, 100
IMAGE_SHAPE = (1, 3, 32, 32)
STAGES = ((16, 1, 1), (24, 4, 1), (32, 4, 2), (64, 4, 2), (112, 4, 1), (184, 4, 2), (352, 1, 1))
"""(channels, blocks, stride of the first block) of each stage."""

LAYERS = tuple(
    (channels, stride if block == 0 else 1) for channels, blocks, stride in STAGES for block in range(blocks)
)
"""(channels, stride) of each position."""

POSITIONS = len(LAYERS)
BLOCK_STARTS = {name[0] for name in OPERATORS}
"""What a text of names begins with."""


class FBNet(SearchSpace):
    """Chains of 22 blocks in FBNet's macro-architecture for CIFAR-100.

    Text: the blocks' names joined with `|`, for example `k3_e1|skip|k5_e6|…`. A skip is nothing where channels and
    size stay, else a 1 × 1 convolution, batch normalisation and ReLU. Lists of 22 indices, as HW-NAS-Bench and HELP
    have them (`0,3,8,…`, in the order of OPERATORS), are read, too.

    `encode` gives
        operators: int64 (22,), index into OPERATORS for each position.
        one_hot: float32 (22, 9), the same.
        active: float32 (22,), 1 where the position computes anything.
    """

    name: ClassVar[str] = "fbnet"
    aliases: ClassVar[tuple[str, ...]] = ("fbnetv1", "fbnet_v1")
    size: ClassVar[int | None] = len(OPERATORS) ** POSITIONS
    example: ClassVar[str] = "|".join(
        ("k3_e1", "k3_e6", "skip", "k5_e3", "k3_e1_g2", "k5_e6", "k5_e1", "skip", "k3_e3", "k5_e6", "k3_e3",
         "k5_e1_g2", "k3_e6", "k5_e6", "k3_e3", "k5_e3", "skip", "k5_e6", "k3_e6", "k5_e3", "k3_e1", "k3_e6")
    )  # fmt: skip

    def parse(self, text: str) -> Architecture:
        """The architecture; the text is its own normal form. Indices in the order of OPERATORS are read, too.

        Raises:
            InvalidArchitectureError: not 22 blocks, or indices of them.
        """
        if text[:1] not in BLOCK_STARTS and (indices := read_indices(text)) is not None:
            return self._of_indices(text, indices)
        self._operators(text)
        return Architecture(space=self.name, text=text)

    def _of_indices(self, text: str, indices: Sequence[int]) -> Architecture:
        if len(indices) != POSITIONS:
            problem = f"it lists {counted(len(indices), 'index', 'indices')} instead of {POSITIONS}"
            raise invalid(self.name, text, 0, problem, self.example)
        if max(indices) >= len(OPERATORS):
            blocks = counted(len(OPERATORS), "block")
            problem = f"the index {max(indices)} is none of the {blocks}, 0 ({OPERATORS[0]}) to 8 (skip)"
            raise invalid(self.name, text, 0, problem, self.example)
        return self.from_operators(indices)

    def from_operators(self, operators: Sequence[int]) -> Architecture:
        """The architecture with these operators, as the public tables list them.

        Args:
            operators: 22 indices into OPERATORS.
        """
        return self.parse("|".join(OPERATORS[index] for index in operators))

    def sample(self, rng: np.random.Generator) -> Architecture:
        """Uniform."""
        return self.from_operators([int(index) for index in rng.integers(len(OPERATORS), size=POSITIONS)])

    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        """The 176 architectures that differ in one block."""
        blocks = architecture.text.split("|")
        for position, current in enumerate(blocks):
            for other in OPERATORS:
                if other != current:
                    varied = [*blocks[:position], other, *blocks[position + 1 :]]
                    yield Architecture(space=self.name, text="|".join(varied))

    def encode(self, architecture: Architecture) -> Encoding:
        """Arrays as the class describes them."""
        operators = self._operators(architecture.text)
        widths = (STEM_CHANNELS, *(channels for channels, _ in LAYERS))
        projects = [stride > 1 or before != after for before, (after, stride) in zip(widths, LAYERS, strict=False)]
        pairs = zip(operators, projects, strict=True)
        return {
            "operators": np.array(operators, np.int64),
            "one_hot": np.eye(len(OPERATORS), dtype=np.float32)[operators],
            "active": np.array([BLOCKS[OPERATORS[index]] is not None or moved for index, moved in pairs], np.float32),
        }

    def positions(self) -> tuple[Position, ...]:
        """The 22 blocks."""
        return tuple(Position(f"block {place}", OPERATORS) for place in range(1, POSITIONS + 1))

    def choices(self, architecture: Architecture) -> tuple[int, ...]:
        """Indices into OPERATORS."""
        return tuple(self._operators(architecture.text))

    def from_choices(self, codes: Sequence[int]) -> Architecture:
        """The architecture with these blocks."""
        return self.from_operators(codes)

    def to_onnx(self, architecture: Architecture) -> bytes:
        """The whole network, opset 17, weights as placeholders."""
        net = GraphBuilder(self.name)
        record_chain(net, self.chain(architecture))
        return net.to_bytes()

    def chain(self, architecture: Architecture) -> Chain:
        """Stem, blocks that compute anything, and head."""
        blocks = zip(PARTS, self._operators(architecture.text), strict=True)
        return Chain(IMAGE_SHAPE, [FIRST, *(part for parts, index in blocks if (part := parts[index])), LAST])

    def _operators(self, text: str) -> list[int]:
        operators, position = [], 0
        for block in text.split("|", POSITIONS):
            if block not in BLOCKS:
                problem = f"found {block[:40]!r} instead of a block ({', '.join(OPERATORS)})"
                raise invalid(self.name, text, position, problem, self.example)
            operators.append(OPERATORS.index(block))
            position += len(block) + 1
        if len(operators) != POSITIONS:
            problem = f"there are {counted(len(operators), 'block')} instead of {POSITIONS}, joined with '|'"
            raise invalid(self.name, text, max(0, position - 1), problem, self.example)
        return operators


def _stem(net: GraphBuilder, x: Tensor) -> Tensor:
    return conv_norm(net, x, STEM_CHANNELS, 3, "relu")


def _head(net: GraphBuilder, x: Tensor) -> Tensor:
    x = conv_norm(net, x, HEAD_CHANNELS, 1, "relu")
    return linear(net, flatten(net, global_pool(net, x)), CLASSES)


def _skip(net: GraphBuilder, x: Tensor, *, channels: int, stride: int) -> Tensor:
    return conv_norm(net, x, channels, 1, "relu", stride=stride)


def _block(net: GraphBuilder, x: Tensor, *, block: Block, channels: int, stride: int) -> Tensor:
    hidden = x.channels * block.expansion
    y = conv_norm(net, x, hidden, 1, "relu", groups=block.groups)
    if block.groups > 1:
        y = channel_shuffle(net, y, block.groups)
    y = conv_norm(net, y, hidden, block.kernel, "relu", stride=stride, groups=hidden)
    y = conv_norm(net, y, channels, 1, groups=block.groups)
    return add(net, y, x) if y.shape == x.shape else y


def _part(name: str, before: int, channels: int, stride: int) -> Part | None:
    """The part that a block becomes behind so many channels; None for a skip of the same shape."""
    block, key = BLOCKS[name], (name, channels, stride)
    if block is not None:
        return Part(key, partial(_block, block=block, channels=channels, stride=stride))
    same = stride == 1 and before == channels
    return None if same else Part(key, partial(_skip, channels=channels, stride=stride))


FIRST, LAST = Part("stem", _stem), Part("head", _head)
PARTS = tuple(
    tuple(_part(name, before, channels, stride) for name in OPERATORS)
    for before, (channels, stride) in zip((STEM_CHANNELS, *(width for width, _ in LAYERS)), LAYERS, strict=False)
)
"""For each position the part that each block becomes."""

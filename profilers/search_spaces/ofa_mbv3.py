"""Once-for-All MobileNetV3 (Cai et al., ICLR 2020, https://arxiv.org/abs/1908.09791), width multiplier 1.0."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import takewhile
from typing import ClassVar

import numpy as np

from latcast.schema import Architecture, InvalidArchitectureError
from latcast.schema.counting import counted
from profilers.search_spaces.base import Encoding, Position, SearchSpace
from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.chains import Chain, Part, record_chain
from profilers.search_spaces.errors import invalid
from profilers.search_spaces.layers import (
    activation,
    add,
    conv,
    conv_norm,
    flatten,
    linear,
    make_divisible,
    mean,
    squeeze_excite,
)

__all__ = ["DEPTHS", "EXPANSIONS", "KERNELS", "RESOLUTIONS", "OFAMobileNetV3", "Stage"]

KERNELS, EXPANSIONS, DEPTHS = (3, 5, 7), (3, 4, 6), (2, 3, 4)
RESOLUTIONS = tuple(range(128, 225, 4))
"""The 25 sizes that HELP's tables draw."""

MAX_DEPTH = 4
STEM_CHANNELS, FINAL_CHANNELS, FEATURES, CLASSES = 16, 960, 1280, 1000


@dataclass(frozen=True, slots=True)
class StageTemplate:
    """What a stage fixes: output channels, stride of its first block, activation, squeeze-and-excitation."""

    channels: int
    stride: int
    act: str
    squeeze: bool


TEMPLATES = (
    StageTemplate(24, 2, "relu", False),
    StageTemplate(40, 2, "relu", True),
    StageTemplate(80, 2, "hardswish", False),
    StageTemplate(112, 1, "hardswish", True),
    StageTemplate(160, 2, "hardswish", True),
)
BLOCK = re.compile(r"k([0-9])e([0-9])", re.ASCII)
HEAD = re.compile(r"r([0-9]{3}):", re.ASCII)

SETTING = re.compile(r"""["'](ks|e|d|r)["']\s*:\s*(\[[0-9,\s]*\]|[0-9]+)""", re.ASCII)
"""A setting of a dictionary: its name and its number or list of numbers."""
LONGEST_DICTIONARY = 2000

Stage = tuple[tuple[int, int], ...]
"""(kernel size, expansion ratio) of each of a stage's two to four blocks."""


@dataclass(frozen=True, slots=True)
class Choices:
    """An architecture's choices."""

    resolution: int
    stages: tuple[Stage, ...]


class OFAMobileNetV3(SearchSpace):
    """Five stages of two to four inverted residual blocks, each with a kernel size and an expansion ratio.

    Text: `r224:k3e6,k5e3|k7e4,k3e3,k3e4|…`, the resolution and the stages, each with its blocks.

    Blocks that a depth leaves out are not part of a text, so architectures that the public tables list with different
    settings of unused blocks are one architecture here.

    `encode` gives
        kernel: float32 (20, 3), one-hot kernel size of each block, zeros where the stage is shorter.
        expansion: float32 (20, 3), one-hot expansion ratio likewise.
        depth: float32 (5, 3), one-hot number of blocks of each stage.
        resolution: float32 (25,), one-hot. Kernel, expansion and resolution together are HELP's 145 numbers.
    """

    name: ClassVar[str] = "ofa_mbv3"
    aliases: ClassVar[tuple[str, ...]] = ("ofa", "mbv3", "ofa_mobilenetv3", "mobilenetv3")
    size: ClassVar[int | None] = sum((len(KERNELS) * len(EXPANSIONS)) ** depth for depth in DEPTHS) ** len(
        TEMPLATES
    ) * len(RESOLUTIONS)
    example: ClassVar[str] = "r224:k3e6,k5e3|k7e4,k3e3,k3e4|k5e6,k3e4|k3e3,k3e3,k5e4,k7e6|k5e6,k5e3"

    def parse(self, text: str) -> Architecture:
        """The architecture; the text is its own normal form.

        A dictionary of settings as the public code prints it (`{"ks": [...], "e": [...], "d": [...], "r": [224]}`,
        as JSON or as Python writes it) is read, too, see `from_settings`.

        Raises:
            InvalidArchitectureError: not a resolution and five stages.
        """
        if text.lstrip().startswith("{"):
            return self._from_dictionary(text)
        self._choices(text)
        return Architecture(space=self.name, text=text)

    def _from_dictionary(self, text: str) -> Architecture:
        numbers = {name: _numbers(values) for name, values in SETTING.findall(text[:LONGEST_DICTIONARY])}
        blocks = MAX_DEPTH * len(TEMPLATES)
        for name, count in (("ks", blocks), ("e", blocks), ("d", len(TEMPLATES)), ("r", 1)):
            if len(numbers.get(name, ())) != count:
                problem = f"the dictionary needs {name!r}, a list of {counted(count, 'number')}"
                raise self._invalid(text, 0, problem)
        if any(depth not in DEPTHS for depth in numbers["d"]):
            raise self._invalid(text, 0, f"the depths 'd' have to be among {', '.join(map(str, DEPTHS))}")
        return self.from_settings(
            kernels=numbers["ks"], expansions=numbers["e"], depths=numbers["d"], resolution=numbers["r"][0]
        )

    def from_settings(
        self, *, kernels: Sequence[int], expansions: Sequence[int], depths: Sequence[int], resolution: int
    ) -> Architecture:
        """The architecture with these settings, as the public code and tables list them.

        Args:
            kernels: 20 kernel sizes (`ks`), four for each stage whatever its depth.
            expansions: 20 expansion ratios (`e`) likewise.
            depths: 5 numbers of blocks (`d`).
            resolution: side of the image (`r`).
        """
        blocks = list(zip(kernels, expansions, strict=True))
        stages = tuple(tuple(blocks[MAX_DEPTH * index :][:depth]) for index, depth in enumerate(depths))
        return self.parse(_text(Choices(resolution, stages)))

    def sample(self, rng: np.random.Generator) -> Architecture:
        """Uniform settings of every choice, as the paper samples: depths first, then the blocks."""
        stages = tuple(
            tuple((int(rng.choice(KERNELS)), int(rng.choice(EXPANSIONS))) for _ in range(int(rng.choice(DEPTHS))))
            for _ in TEMPLATES
        )
        return Architecture(space=self.name, text=_text(Choices(int(rng.choice(RESOLUTIONS)), stages)))

    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        """One block changed in kernel or expansion, its stage's last block dropped or doubled, or resolution ± 4."""
        choices = self._choices(architecture.text)
        for index, stage in enumerate(choices.stages):
            for other in _stage_neighbours(stage):
                stages = (*choices.stages[:index], other, *choices.stages[index + 1 :])
                yield Architecture(space=self.name, text=_text(replace(choices, stages=stages)))
        for resolution in (choices.resolution - 4, choices.resolution + 4):
            if resolution in RESOLUTIONS:
                yield Architecture(space=self.name, text=_text(replace(choices, resolution=resolution)))

    def encode(self, architecture: Architecture) -> Encoding:
        """Arrays as the class describes them."""
        choices = self._choices(architecture.text)
        blocks = np.zeros((2, len(TEMPLATES), MAX_DEPTH, 3), np.float32)
        for index, stage in enumerate(choices.stages):
            for place, (kernel, expansion) in enumerate(stage):
                blocks[0, index, place, KERNELS.index(kernel)] = 1
                blocks[1, index, place, EXPANSIONS.index(expansion)] = 1
        depths = [[float(len(stage) == depth) for depth in DEPTHS] for stage in choices.stages]
        return {
            "kernel": blocks[0].reshape(-1, len(KERNELS)),
            "expansion": blocks[1].reshape(-1, len(EXPANSIONS)),
            "depth": np.array(depths, np.float32),
            "resolution": np.array([size == choices.resolution for size in RESOLUTIONS], np.float32),
        }

    def positions(self) -> tuple[Position, ...]:
        """The four blocks of each of the five stages, of which the last two may be absent, and the resolution."""
        options = tuple(f"k{kernel}e{expansion}" for kernel in KERNELS for expansion in EXPANSIONS)
        blocks = [
            Position(f"stage {stage} block {block}", options, optional=block > DEPTHS[0])
            for stage in range(1, len(TEMPLATES) + 1)
            for block in range(1, MAX_DEPTH + 1)
        ]
        return (*blocks, Position("resolution", tuple(map(str, RESOLUTIONS))))

    def choices(self, architecture: Architecture) -> tuple[int, ...]:
        """Indices into the options."""
        chosen = self._choices(architecture.text)
        places = [-1] * (MAX_DEPTH * len(TEMPLATES))
        for index, stage in enumerate(chosen.stages):
            for place, (kernel, expansion) in enumerate(stage):
                code = KERNELS.index(kernel) * len(EXPANSIONS) + EXPANSIONS.index(expansion)
                places[MAX_DEPTH * index + place] = code
        return (*places, RESOLUTIONS.index(chosen.resolution))

    def from_choices(self, codes: Sequence[int]) -> Architecture:
        """The architecture with these blocks and this resolution; a stage ends at its first absent block."""
        stages = []
        for start in range(0, MAX_DEPTH * len(TEMPLATES), MAX_DEPTH):
            present = takewhile(lambda code: code >= 0, codes[start : start + MAX_DEPTH])
            stages.append(tuple((KERNELS[code // 3], EXPANSIONS[code % 3]) for code in present))
        return self.parse(_text(Choices(RESOLUTIONS[codes[-1]], tuple(stages))))

    def to_onnx(self, architecture: Architecture) -> bytes:
        """The whole network, opset 17, batch size 1, 1,000 classes, weights as placeholders."""
        net = GraphBuilder(self.name)
        record_chain(net, self.chain(architecture))
        return net.to_bytes()

    def chain(self, architecture: Architecture) -> Chain:
        """Stem with the first block, the blocks of the stages, and head."""
        choices = self._choices(architecture.text)
        blocks = [
            _part(index, block, place == 0)
            for index, stage in enumerate(choices.stages)
            for place, block in enumerate(stage)
        ]
        return Chain((1, 3, choices.resolution, choices.resolution), [FIRST, *blocks, LAST])

    def _choices(self, text: str) -> Choices:
        head = HEAD.match(text)
        if head is None or int(head[1]) not in RESOLUTIONS:
            problem = f"'r', a multiple of 4 from {RESOLUTIONS[0]} to {RESOLUTIONS[-1]} and ':' are missing"
            raise self._invalid(text, 0, problem)
        position, stages = head.end(), []
        for part in text[position:].split("|", len(TEMPLATES)):
            stages.append(self._stage(text, part, position))
            position += len(part) + 1
        if len(stages) != len(TEMPLATES):
            raise self._invalid(
                text, len(text), f"there are {counted(len(stages), 'stage')} instead of {len(TEMPLATES)}"
            )
        return Choices(int(head[1]), tuple(stages))

    def _stage(self, text: str, part: str, position: int) -> Stage:
        blocks = []
        for item in part.split(",", MAX_DEPTH):
            block = BLOCK.fullmatch(item)
            if block is None or int(block[1]) not in KERNELS or int(block[2]) not in EXPANSIONS:
                problem = f"found {item[:40]!r} instead of a block (k3, k5 or k7 and e3, e4 or e6)"
                raise self._invalid(text, position, problem)
            blocks.append((int(block[1]), int(block[2])))
            position += len(item) + 1
        if len(blocks) not in DEPTHS:
            raise self._invalid(
                text, position - 1, f"the stage has {counted(len(blocks), 'block')} instead of 2, 3 or 4"
            )
        return tuple(blocks)

    def _invalid(self, text: str, position: int, problem: str) -> InvalidArchitectureError:
        return invalid(self.name, text, position, problem, self.example)


def _numbers(values: str) -> list[int]:
    return [int(number) for number in re.findall(r"[0-9]{1,4}", values)]


def _text(choices: Choices) -> str:
    stages = (",".join(f"k{kernel}e{expansion}" for kernel, expansion in stage) for stage in choices.stages)
    return f"r{choices.resolution}:{'|'.join(stages)}"


def _stage_neighbours(stage: Stage) -> Iterator[Stage]:
    for place, (kernel, expansion) in enumerate(stage):
        for other in [(k, expansion) for k in KERNELS if k != kernel] + [
            (kernel, e) for e in EXPANSIONS if e != expansion
        ]:
            yield (*stage[:place], other, *stage[place + 1 :])
    if len(stage) > DEPTHS[0]:
        yield stage[:-1]
    if len(stage) < DEPTHS[-1]:
        yield (*stage, stage[-1])


def _block(net: GraphBuilder, x: Tensor, template: StageTemplate, block: tuple[int, int], stride: int) -> Tensor:
    """Inverted residual block; without expansion it starts at its depthwise convolution."""
    kernel, expansion = block
    hidden = make_divisible(x.channels * expansion)
    y = conv_norm(net, x, hidden, 1, template.act) if expansion > 1 else x
    y = conv_norm(net, y, hidden, kernel, template.act, stride=stride, groups=hidden)
    if template.squeeze:
        y = squeeze_excite(net, y, make_divisible(hidden // 4), "relu", "hardsigmoid")
    y = conv_norm(net, y, template.channels, 1)
    return add(net, y, x) if y.shape == x.shape else y


def _stem(net: GraphBuilder, x: Tensor) -> Tensor:
    x = conv_norm(net, x, STEM_CHANNELS, 3, "hardswish", stride=2)
    return _block(net, x, StageTemplate(STEM_CHANNELS, 1, "relu", False), (3, 1), 1)


def _head(net: GraphBuilder, x: Tensor) -> Tensor:
    x = conv_norm(net, x, FINAL_CHANNELS, 1, "hardswish")
    x = mean(net, mean(net, x, [3], keepdims=True), [2], keepdims=True)
    x = activation(net, conv(net, x, FEATURES, 1, bias=False), "hardswish")
    return linear(net, flatten(net, x), CLASSES)


FIRST, LAST = Part("stem", _stem), Part("head", _head)


@cache
def _part(stage: int, block: tuple[int, int], first: bool) -> Part:
    """The part that a block of a stage becomes, of which there are 90."""
    template = TEMPLATES[stage]
    stride = template.stride if first else 1

    def build(net: GraphBuilder, x: Tensor) -> Tensor:
        return _block(net, x, template, block, stride)

    return Part((stage, block, stride), build)

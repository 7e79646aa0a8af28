"""What a search space is: text ↔ encoding ↔ ONNX."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from latcast.schema import Architecture, InputError
from profilers.search_spaces.builder import GraphBuilder
from profilers.search_spaces.chains import Chain, record_part

__all__ = ["Encoding", "Position", "SearchSpace"]

Encoding = dict[str, np.ndarray[Any, Any]]
"""Arrays by name; every architecture of one space has the same names and shapes (documented in the space)."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place of every architecture at which one of a few options stands.

    Args:
        name: for people.
        options: what may stand there, for people.
        optional: whether architectures may end before it.
    """

    name: str
    options: tuple[str, ...]
    optional: bool = False


class SearchSpace(ABC):
    """A set of architectures, each with one text. Stateless and thread-safe; constructed without arguments.

    `parse ∘ format` is the identity on valid texts. All errors about texts are `InvalidArchitectureError`, and
    their message says what was wrong, where, and what a valid text looks like.
    """

    name: ClassVar[str]
    size: ClassVar[int | None]
    """Number of architectures; None where the space is a generator without end."""
    example: ClassVar[str]
    """A valid text, for messages and `--help`."""
    aliases: ClassVar[tuple[str, ...]] = ()
    """Further names that people use; capitals, blanks and signs do not count."""

    @abstractmethod
    def parse(self, text: str) -> Architecture:
        """The architecture with its text in the space's normal form.

        Raises:
            InvalidArchitectureError: not a text of this space.
        """

    def format(self, architecture: Architecture) -> str:
        """The text of an architecture of this space."""
        return self.parse(architecture.text).text

    @abstractmethod
    def sample(self, rng: np.random.Generator) -> Architecture:
        """One architecture at random (uniform where the space is finite)."""

    @abstractmethod
    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        """Architectures one edit away, in a fixed order, without repetition and without the architecture itself."""

    @abstractmethod
    def encode(self, architecture: Architecture) -> Encoding:
        """Arrays for predictors that read architectures rather than graphs."""

    @abstractmethod
    def to_onnx(self, architecture: Architecture) -> bytes:
        """A valid, runnable ONNX model with static shapes.

        Weights are seeded by the text; float tensors above 16 elements may be left out and marked for refilling as
        `profilers.onnx_graph.strip_weights` does, so that building stays cheap; see
        `profilers.onnx_graph.refill_weights`. Whatever writes ONNX is imported in here, as the service parses texts in
        a process that never imports it and has networks built in a limited one, which may not write files.
        """

    def chain(self, architecture: Architecture) -> Chain | None:
        """The network as a chain of parts, of which `to_onnx` then writes it; None where it is not given as one.

        What is known of a part is kept, so that forecasts of new texts need no graph: a thousand a second and more.
        """
        return None

    def parts(self, architecture: Architecture) -> Chain | None:
        """The network in parts that are looked at by themselves: its chain, or where that is none cut in another way.

        Together the parts have the nodes of the network, and a runtime executes them as it does there.
        """
        return self.chain(architecture)

    def part_to_onnx(self, architecture: Architecture, place: int, shape: tuple[int, ...]) -> bytes:
        """One of the parts of the architecture's network by itself, as a model.

        Args:
            architecture: of the space.
            place: of the part among `parts`.
            shape: of what it reads.

        Raises:
            InputError: the space does not give the network in parts, or there is no such part.
        """
        chain = self.parts(architecture)
        if chain is None or not 0 <= place < len(chain.parts):
            raise InputError(f"Networks of {self.name} have no part {place}.")
        net = GraphBuilder(self.name)
        record_part(net, chain.parts[place], shape)
        return net.to_bytes()

    def positions(self) -> tuple[Position, ...]:
        """What is chosen where; empty for a space whose architectures have no fixed positions."""
        return ()

    def choices(self, architecture: Architecture) -> tuple[int, ...]:
        """Index of the option that stands at each of the `positions`; -1 where the architecture has none."""
        return ()

    def from_choices(self, codes: Sequence[int]) -> Architecture:
        """The architecture with these options at its positions.

        Args:
            codes: as `choices` gives them.

        Raises:
            InputError: the space's architectures have no fixed positions, or the codes do not fit them.
        """
        raise InputError(f"Architectures of {self.name} have no fixed positions.")

    def is_degenerate(self, architecture: Architecture) -> bool:
        """Whether the input never reaches the output; samplers never choose such an architecture."""
        return False

    def canonical(self, text: str) -> str:
        """Text of the same computation after dead parts are removed: a feature, never a key."""
        return self.parse(text).text

    def network(self, text: str) -> str:
        """A text that stands for all in normal form that build the same network, as far as that is known."""
        return text

"""A part of a search space: of each position some options are kept. `latcast friendliness` writes such a part."""

import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from latcast.schema import Architecture, InputError, InvalidArchitectureError
from profilers.search_spaces.base import Encoding, Position, SearchSpace
from profilers.search_spaces.errors import invalid

__all__ = ["ReducedSpace"]


class ReducedSpace(SearchSpace):
    """Architectures of another space that have only options which are kept.

    A subclass names the space and the file, and can then be registered like any other space:

    ```python
    class Small(ReducedSpace):
        name = "fbnet_small"
        file = "fbnet_small.json"
    ```

    Attributes:
        file: JSON with the other `space`, and under `keep` the names of the options of each position.
    """

    file: ClassVar[str]
    size: ClassVar[int | None] = None

    def __init__(self) -> None:
        from profilers.search_spaces import get_space

        try:
            plain = json.loads(Path(self.file).read_text(encoding="utf-8"))
            self._whole = get_space(str(plain["space"]))
            positions = self._whole.positions()
            self._kept = [
                tuple(position.options.index(name) for name in names)
                for position, names in zip(positions, plain["keep"], strict=True)
            ]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{self.file!r} is no part of a search space: {error}.") from error

    @cached_property
    def example(self) -> str:  # type: ignore[override]  # known once the file is read
        """A valid text."""
        return self.sample(np.random.default_rng(0)).text

    def parse(self, text: str) -> Architecture:
        """The architecture, of this space.

        Raises:
            InvalidArchitectureError: no text of the whole space, or one with an option that is not kept.
        """
        try:
            found = self._whole.parse(text)
        except InvalidArchitectureError as error:
            raise InvalidArchitectureError(f"{error} {self.name} is a part of that space.") from error
        for position, kept, code in zip(self._whole.positions(), self._kept, self._whole.choices(found), strict=True):
            if code >= 0 and code not in kept:
                problem = f"{position.options[code]} at {position.name} is left out"
                raise invalid(self.name, text, 0, problem, self.example)
        return Architecture(space=self.name, text=found.text)

    def _of_whole(self, architecture: Architecture) -> Architecture:
        return self._whole.parse(architecture.text)

    def sample(self, rng: np.random.Generator) -> Architecture:
        """One architecture at random: as many parts as the whole space draws, each with a uniform option."""
        while True:
            codes = self._whole.choices(self._whole.sample(rng))
            drawn = [
                code if code < 0 else kept[int(rng.integers(len(kept)))]
                for code, kept in zip(codes, self._kept, strict=True)
            ]
            architecture = self._whole.from_choices(drawn)
            if not self._whole.is_degenerate(architecture):
                return Architecture(space=self.name, text=architecture.text)

    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        """Those of the whole space that have only options which are kept."""
        for other in self._whole.neighbours(self._of_whole(architecture)):
            pairs = zip(self._whole.choices(other), self._kept, strict=True)
            if all(code < 0 or code in kept for code, kept in pairs):
                yield Architecture(space=self.name, text=other.text)

    def encode(self, architecture: Architecture) -> Encoding:
        """Arrays of the whole space."""
        return self._whole.encode(self._of_whole(architecture))

    def positions(self) -> tuple[Position, ...]:
        """The options that are kept."""
        pairs = zip(self._whole.positions(), self._kept, strict=True)
        return tuple(
            Position(position.name, tuple(position.options[code] for code in kept), position.optional)
            for position, kept in pairs
        )

    def choices(self, architecture: Architecture) -> tuple[int, ...]:
        """Indices into the options that are kept."""
        pairs = zip(self._whole.choices(self._of_whole(architecture)), self._kept, strict=True)
        return tuple(code if code < 0 else kept.index(code) for code, kept in pairs)

    def from_choices(self, codes: Sequence[int]) -> Architecture:
        """The architecture with these of the options that are kept."""
        whole = [code if code < 0 else kept[code] for code, kept in zip(codes, self._kept, strict=True)]
        return Architecture(space=self.name, text=self._whole.from_choices(whole).text)

    def to_onnx(self, architecture: Architecture) -> bytes:
        """The network, as the whole space builds it."""
        return self._whole.to_onnx(self._of_whole(architecture))

    def is_degenerate(self, architecture: Architecture) -> bool:
        """Whether the whole space says so."""
        return self._whole.is_degenerate(self._of_whole(architecture))

    def canonical(self, text: str) -> str:
        """Text of the same computation, as the whole space has it."""
        return self._whole.canonical(text)

"""A search space out of fields: whoever names them and builds a network of their values has all of `SearchSpace`."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Any, ClassVar

import numpy as np

from latcast.schema import Architecture
from latcast.schema.counting import counted
from profilers.search_spaces.base import Encoding, Position, SearchSpace
from profilers.search_spaces.builder import GraphBuilder
from profilers.search_spaces.chains import Chain
from profilers.search_spaces.errors import invalid

__all__ = ["TextSpace", "Values"]

Value = int | float | str
Fields = Mapping[str, Sequence[Value]]
Values = dict[str, Any]
"""The value of each field of the head, or of a stage."""


class TextSpace(SearchSpace):
    """A head and a number of stages, each with a value for every one of its fields.

    Text: the head's fields, then those of each stage, as in `r224|k3,e6,n2|k5,e3,n4`: a field's name with its value,
    `,` between fields and `|` between stages. A space without a head begins with its first stage.

    A subclass names the fields and builds the network; everything else follows. `encode` gives
        choices: int64 (places,), index of the value at each place: the head's fields, then those of each stage.
        one_hot: float32 (number of all values at all places,), the same.

    Attributes:
        name: of the space.
        stages: how many there are.
        fields: values of each field of a stage, by the field's name.
        head: values of each field of the whole network, by the field's name.
    """

    stages: ClassVar[int]
    fields: ClassVar[Fields]
    head: ClassVar[Fields] = {}
    has_cell_features: ClassVar[bool] = True
    """Whether predictors may read it as a sum over places, see `predictors.kinds.universal`."""

    @abstractmethod
    def build(self, net: GraphBuilder, head: Values, stages: Sequence[Values]) -> None:
        """Record the network: its inputs, layers and outputs.

        Args:
            net: that it is recorded in, see `profilers.search_spaces.layers` and `profilers.search_spaces.sequences`.
            head: values of the head's fields.
            stages: values of each stage's fields.
        """

    def chain_of(self, head: Values, stages: Sequence[Values]) -> Chain | None:
        """The network as a chain of parts; None where it is not given as one.

        Forecasts of new texts are then put together out of what is known of the parts. `build` has to record the same:
        it calls `profilers.search_spaces.chains.record_chain`.

        Args:
            head: values of the head's fields.
            stages: values of each stage's fields.
        """
        return None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "fields" in vars(cls):
            cls.size = prod(len(values) for _, _, values in cls._places())
            first = [[f"{name}{values[0]}" for name, values in part.items()] for part in cls._parts()]
            cls.example = "|".join(map(",".join, first))

    @classmethod
    def _parts(cls) -> list[Fields]:
        return [*([cls.head] if cls.head else []), *[cls.fields] * cls.stages]

    @classmethod
    def _places(cls) -> list[tuple[int, str, Sequence[Value]]]:
        """(part, name of the field, its values) of each place."""
        return [(part, name, values) for part, fields in enumerate(cls._parts()) for name, values in fields.items()]

    def parse(self, text: str) -> Architecture:
        """The architecture; the text is its own normal form.

        Raises:
            InvalidArchitectureError: not a text of this space.
        """
        self._read(text)
        return Architecture(space=self.name, text=text)

    def _read(self, text: str) -> tuple[int, ...]:
        """Index of the value at each place, read left to right, so that an error names the character."""
        parts, at, codes = text.split("|", len(self._parts())), 0, list[int]()
        for fields, part in zip(self._parts(), parts, strict=False):
            words = part.split(",", len(fields))
            for (name, values), word in zip(fields.items(), words, strict=False):
                allowed = [f"{name}{value}" for value in values]
                if word not in allowed:
                    raise self._invalid(text, at, f"found {word[:40]!r} instead of one of {', '.join(allowed)}")
                codes.append(allowed.index(word))
                at += len(word) + 1
            if len(words) != len(fields):
                raise self._invalid(text, at, f"a part has {counted(len(words), 'field')} instead of {len(fields)}")
        if len(parts) != len(self._parts()):
            raise self._invalid(
                text, len(text), f"there are {counted(len(parts), 'part')} instead of {len(self._parts())}"
            )
        return tuple(codes)

    def _invalid(self, text: str, at: int, problem: str) -> Exception:
        return invalid(self.name, text, at, problem, self.example)

    def from_choices(self, codes: Sequence[int]) -> Architecture:
        """The architecture with these values.

        Args:
            codes: index of the value at each place.
        """
        words: list[list[str]] = [[] for _ in self._parts()]
        for (part, name, values), code in zip(self._places(), codes, strict=True):
            words[part].append(f"{name}{values[code]}")
        return Architecture(space=self.name, text="|".join(map(",".join, words)))

    def sample(self, rng: np.random.Generator) -> Architecture:
        """Uniform."""
        return self.from_choices([int(rng.integers(len(values))) for _, _, values in self._places()])

    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        """Those that differ in the value at one place."""
        codes = self._read(architecture.text)
        for place, (_, _, values) in enumerate(self._places()):
            for code in range(len(values)):
                if code != codes[place]:
                    yield self.from_choices([*codes[:place], code, *codes[place + 1 :]])

    def encode(self, architecture: Architecture) -> Encoding:
        """Arrays as the class describes them."""
        codes = self._read(architecture.text)
        pairs = zip(self._places(), codes, strict=True)
        hot = [np.eye(len(values), dtype=np.float32)[code] for (_, _, values), code in pairs]
        return {"choices": np.array(codes, np.int64), "one_hot": np.concatenate(hot)}

    def positions(self) -> tuple[Position, ...]:
        """Every field of the head, and of each stage."""
        first = 0 if self.head else 1
        return tuple(
            Position(f"stage {part + first} {name}" if part + first else name, tuple(map(str, values)))
            for part, name, values in self._places()
        )

    def choices(self, architecture: Architecture) -> tuple[int, ...]:
        """Index of the value at each place."""
        return self._read(architecture.text)

    def to_onnx(self, architecture: Architecture) -> bytes:
        """What `build` records, weights as placeholders."""
        net = GraphBuilder(self.name)
        self.build(net, *self._values(architecture.text))
        return net.to_bytes()

    def chain(self, architecture: Architecture) -> Chain | None:
        """What `chain_of` gives."""
        return self.chain_of(*self._values(architecture.text))

    def _values(self, text: str) -> tuple[Values, list[Values]]:
        """Values of the head's fields, and of each stage's."""
        parts: list[Values] = [{} for _ in self._parts()]
        for (part, name, values), code in zip(self._places(), self._read(text), strict=True):
            parts[part][name] = values[code]
        return (parts[0], parts[1:]) if self.head else ({}, parts)

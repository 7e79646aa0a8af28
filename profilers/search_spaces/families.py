"""Search spaces made of families: a text names a family and its fields, and the family builds the graph."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import inf, log
from typing import Any, ClassVar

import numpy as np

from latcast.schema import Architecture, UnknownNameError
from latcast.schema.counting import counted
from profilers.search_spaces.base import Encoding, SearchSpace
from profilers.search_spaces.builder import GraphBuilder
from profilers.search_spaces.errors import invalid
from profilers.search_spaces.fields import Field, Value

__all__ = ["Family", "FamilySpace", "Values", "family_of"]

Values = Mapping[str, Any]
"""Field values by name, complete: `int` for numbers, `str` for words."""

MAX_TEXT = 2000
FLOAT_BYTES = 4
CLOSE = 0.7  # a factor of two


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One kind of network.

    Args:
        name: its name in texts.
        fields: in the order of the normal form.
        build: writes the network; raises ValueError, with a clause for people, where the fields do not go together.
        weight: how often the family is drawn, relative to the others.
    """

    name: str
    fields: Sequence[Field]
    build: Callable[[Values], GraphBuilder]
    weight: float = 1.0


class FamilySpace(SearchSpace):
    """Base of the generated spaces. Text: `family/field=value,field=value,…`.

    Fields may come in any order and be left out, where the default stands; the normal form has all of them in the
    family's order. A text is valid when its values are within their bounds, go together, and the network stays below
    `max_macs` and `max_bytes`.

    `encode` gives
        family: float32 (families,), one-hot in the order of `families`.
        fields: float32 (fields,), over all fields of all families in the order of `field_names`: place of the value
            within its bounds, 0–1 (logarithmic for numbers); 0 where the family lacks the field.
        present: float32 (fields,), 1 where the family has the field.
    """

    size: ClassVar[int | None] = None
    max_macs: ClassVar[int]
    """Most multiply-accumulates of one run."""
    max_bytes: ClassVar[int]
    """Most bytes of weights and activations together."""
    min_work: ClassVar[float]
    """Where the log-uniform range of work begins that `sample` aims at; it ends at `max_macs`."""
    candidates: ClassVar[int]
    """How many draws `sample` chooses from."""

    @property
    @abstractmethod
    def families(self) -> Mapping[str, Family]:
        """The families by name, in the order of the encoding."""

    @cached_property
    def field_names(self) -> tuple[str, ...]:
        """Names of all fields of all families, in the order of the encoding."""
        return tuple(dict.fromkeys(field.name for family in self.families.values() for field in family.fields))

    def parse(self, text: str) -> Architecture:
        """The architecture with its text in normal form.

        Raises:
            InvalidArchitectureError: unknown family or field, a value out of bounds, values that do not go together,
                or a network above the space's limits.
        """
        return Architecture(space=self.name, text=_normal_form(self, text))

    def sample(self, rng: np.random.Generator) -> Architecture:
        """A family by weight, and of several draws of its fields the one nearest to a log-uniform amount of work."""
        families = tuple(self.families.values())
        share = np.array([family.weight for family in families])
        return self.sample_of(families[int(rng.choice(len(families), p=share / share.sum()))].name, rng)

    def sample_of(self, name: str, rng: np.random.Generator) -> Architecture:
        """One architecture of that family; see `sample`."""
        family = self.families[name]
        wanted = rng.uniform(log(self.min_work), log(self.max_macs))
        drawn: list[tuple[float, str]] = []
        while len(drawn) < self.candidates and min(drawn, default=(inf,))[0] > CLOSE:
            drawn.extend(self._draw(family, rng, wanted))
        return Architecture(space=self.name, text=min(drawn)[1])

    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        """Valid architectures of the same family with one field moved by one step."""
        family, values = self._read(architecture.text)
        for field in family.fields:
            for value in field.steps(values[field.name]):
                varied = {**values, field.name: value}
                if self._problem(family, varied) is None:
                    yield Architecture(space=self.name, text=self._text(family, varied))

    def encode(self, architecture: Architecture) -> Encoding:
        """Arrays as the class describes them."""
        family, values = self._read(architecture.text)
        places = {field.name: field.encode(values[field.name]) for field in family.fields}
        return {
            "family": np.array([name == family.name for name in self.families], np.float32),
            "fields": np.array([places.get(name, 0.0) for name in self.field_names], np.float32),
            "present": np.array([name in places for name in self.field_names], np.float32),
        }

    def to_onnx(self, architecture: Architecture) -> bytes:
        """The network, weights as placeholders."""
        family, values = self._read(architecture.text)
        return family.build(values).to_bytes()

    def macs(self, architecture: Architecture) -> int:
        """Multiply-accumulates of one run, without writing the model."""
        family, values = self._read(architecture.text)
        return family.build(values).macs

    def _draw(self, family: Family, rng: np.random.Generator, wanted: float) -> list[tuple[float, str]]:
        """One draw of all fields: how far its log-work is from the wanted, and the text; empty if it is not valid."""
        values = {field.name: field.sample(rng) for field in family.fields}
        try:
            net = family.build(values)
        except ValueError:
            return []
        work = net.macs + (net.parameter_bytes + net.activation_bytes) / FLOAT_BYTES
        return [] if self._excess(net) else [(abs(log(work) - wanted), self._text(family, values))]

    def _text(self, family: Family, values: Mapping[str, Value]) -> str:
        return f"{family.name}/" + ",".join(f"{field.name}={values[field.name]}" for field in family.fields)

    def _problem(self, family: Family, values: Values) -> str | None:
        """Why these values make no architecture, as a clause; None if they do."""
        try:
            return self._excess(family.build(values))
        except ValueError as error:
            return str(error)

    def _excess(self, net: GraphBuilder) -> str | None:
        if net.macs > self.max_macs:
            return f"it needs {net.macs / 1e9:.2g} GMACs and the limit is {self.max_macs / 1e9:.2g}; make it smaller"
        size = net.parameter_bytes + net.activation_bytes
        if size > self.max_bytes:
            return f"it needs {size / 1e6:,.0f} MB and the limit is {self.max_bytes / 1e6:,.0f} MB; make it smaller"
        return None

    def _read(self, text: str) -> tuple[Family, dict[str, Value]]:
        """Family and complete values of a text; whether they go together is not checked."""
        if len(text) > MAX_TEXT:
            raise self._invalid(
                text, MAX_TEXT, f"the text has {counted(len(text), 'character')} and at most {MAX_TEXT} are read"
            )
        name, slash, rest = text.partition("/")
        family = self.families.get(name)
        if family is None:
            raise self._invalid(text, 0, f"found {name[:40]!r} instead of a family ({', '.join(self.families)})")
        values = {field.name: field.default for field in family.fields}
        values.update(self._written(text, family, rest, len(name) + 1) if slash else {})
        return family, values

    def _written(self, text: str, family: Family, rest: str, position: int) -> dict[str, Value]:
        """Values of the fields that the text names."""
        fields = {field.name: field for field in family.fields}
        values: dict[str, Value] = {}
        for part in rest.split(","):
            name, _, value = part.partition("=")
            if name not in fields:
                raise self._invalid(text, position, f"found {name[:40]!r} instead of a field ({', '.join(fields)})")
            if name in values:
                raise self._invalid(text, position, f"{name} is given a second time")
            parsed = fields[name].parse(value)
            if parsed is None:
                problem = f"{name} is {value[:40]!r} but must be {fields[name].allowed}"
                raise self._invalid(text, position + len(name) + 1, problem)
            values[name] = parsed
            position += len(part) + 1
        return values

    def _invalid(self, text: str, position: int, problem: str) -> Exception:
        return invalid(self.name, text, position, problem, self.example)


@lru_cache(maxsize=16384)
def _normal_form(space: FamilySpace, text: str) -> str:
    """Parsing builds the network once to know its cost, hence the cache."""
    family, values = space._read(text)
    problem = space._problem(family, values)
    if problem is not None:
        raise space._invalid(text, 0, problem)
    return space._text(family, values)


def family_of(architecture: Architecture) -> str:
    """The family of a network: `zoo/mobile`, `kernels/conv`; the space where it has no families.

    Networks of a plug-in's space that is not installed any more are of its name, for their measurements stay.
    """
    from profilers.search_spaces import get_space

    try:
        has_families = isinstance(get_space(architecture.space), FamilySpace)
    except UnknownNameError:
        has_families = False
    return f"{architecture.space}/{architecture.text.partition('/')[0]}" if has_families else architecture.space

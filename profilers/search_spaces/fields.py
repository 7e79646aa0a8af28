"""Fields of generated architectures: what values a field may have, how they are written, drawn and varied."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log

import numpy as np

__all__ = ["Choice", "Field", "Integer", "Value"]

Value = int | str
FAVOUR = 0.75
DIGITS = re.compile(r"[0-9]{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of a few values.

    Args:
        name: its name in texts.
        values: all of them, of one type, numbers ascending.
        default: where a text leaves the field out.
        weights: how often each is drawn, relative; equal when empty.
    """

    name: str
    values: Sequence[Value]
    default: Value
    weights: Sequence[float] = ()

    @property
    def allowed(self) -> str:
        """What may stand there, for messages."""
        return f"one of {', '.join(map(str, self.values))}"

    def parse(self, text: str) -> Value | None:
        """The value a text stands for; None if it is not one of this field's."""
        return next((value for value in self.values if str(value) == text), None)

    def sample(self, rng: np.random.Generator) -> Value:
        """One value at random."""
        if not self.weights:
            return self.values[int(rng.integers(len(self.values)))]
        share = np.array(self.weights, np.float64)
        return self.values[int(rng.choice(len(self.values), p=share / share.sum()))]

    def steps(self, value: Value) -> tuple[Value, ...]:
        """One step away: the numbers beside it, or every other word."""
        if isinstance(value, str):
            return tuple(other for other in self.values if other != value)
        place = self.values.index(value)
        return tuple(self.values[other] for other in (place - 1, place + 1) if 0 <= other < len(self.values))

    def encode(self, value: Value) -> float:
        """Place among the values, 0–1."""
        return self.values.index(value) / max(1, len(self.values) - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Integer:
    """A whole number within bounds, drawn log-uniformly.

    Args:
        name: its name in texts.
        low, high: bounds, both included, multiples of `multiple`; `low` is 1 or more.
        default: where a text leaves the field out.
        multiple: only multiples of it are allowed.
        favoured: three of four draws above it are rounded to a multiple of it, as people choose channels.
    """

    name: str
    low: int
    high: int
    default: int
    multiple: int = 1
    favoured: int = 1

    @property
    def allowed(self) -> str:
        """What may stand there, for messages."""
        of = f" divisible by {self.multiple}" if self.multiple > 1 else ""
        return f"an integer from {self.low} to {self.high}{of}"

    def parse(self, text: str) -> Value | None:
        """The value a text stands for; None if it is not one of this field's."""
        if DIGITS.fullmatch(text) is None or str(int(text)) != text:
            return None
        value = int(text)
        return value if self.low <= value <= self.high and value % self.multiple == 0 else None

    def sample(self, rng: np.random.Generator) -> Value:
        """One value at random, log-uniform and rounded."""
        drawn = exp(rng.uniform(log(self.low), log(self.high + self.multiple)))
        favoured = self.favoured > self.multiple and drawn > self.favoured and rng.random() < FAVOUR
        step = self.favoured if favoured else self.multiple
        return min(self.high, max(self.low, int(drawn) // step * step))

    def steps(self, value: Value) -> tuple[Value, ...]:
        """A quarter less and a quarter more, at least one multiple away, within the bounds."""
        number = int(value)
        stride = max(1, round(number / 4 / self.multiple)) * self.multiple
        around = (max(self.low, number - stride), min(self.high, number + stride))
        return tuple(other for other in around if other != number)

    def encode(self, value: Value) -> float:
        """Place between the bounds on a logarithmic scale, 0–1."""
        return log(int(value) / self.low) / log(self.high / self.low)


Field = Choice | Integer

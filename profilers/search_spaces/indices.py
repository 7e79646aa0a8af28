"""Architectures as tables of papers write them: the index of each operator, as in `4,0,3,1`, `[4 0 3 1]` or `4031`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["IndexOrder", "read_indices"]

BRACKETS = ("[]", "()", "{}")
BETWEEN = re.compile(r"\s*[,;]\s*|\s+")
NUMBER = re.compile(r"[0-9]{1,2}(\.0*)?", re.ASCII)
"""An index, also as NumPy prints one of an array of floats: `4.`."""


def read_indices(text: str) -> tuple[int, ...] | None:
    """The indices that a text lists; None where it is no list of them.

    Args:
        text: whole numbers with commas, semicolons or blanks between them, or digits of which each is one; in brackets
            or not.
    """
    inner = text.strip()
    if inner[:1] + inner[-1:] in BRACKETS:
        inner = inner[1:-1].strip().rstrip(",")
    if inner.isascii() and inner.isdigit():
        return tuple(map(int, inner))
    parts = BETWEEN.split(inner)
    return tuple(int(float(part)) for part in parts) if all(map(NUMBER.fullmatch, parts)) else None


@dataclass(frozen=True, slots=True)
class IndexOrder:
    """How some code numbers operators, and in which order it lists what they stand at.

    Args:
        name: of the code, by which a text says that it is meant: `naslib:4,0,3,1,4,3`.
        about: who counts so, and how, for people.
        operators: names of the operators in its order.
        places: for each index that is listed, the place in the space's own text.
    """

    name: str
    about: str
    operators: Sequence[str]
    places: Sequence[int]

    def read(self, indices: Sequence[int], operators: Sequence[str]) -> tuple[int, ...]:
        """The indices in the space's own order.

        Args:
            indices: as this code lists them, one for each place.
            operators: the space's own names of operators.
        """
        own = [0] * len(self.places)
        for place, index in zip(self.places, indices, strict=True):
            own[place] = operators.index(self.operators[index])
        return tuple(own)

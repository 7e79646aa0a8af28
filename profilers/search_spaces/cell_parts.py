"""Cells that are no chains, cut into pieces that are looked at by themselves.

Runtimes join a step with what makes its input where nothing else reads that (a ReLU with the convolution before it, a
convolution with the sum behind it), and compute the same of the same once. So a cell is cut at values that several
operations read and behind operations that nothing is joined with, and its pieces say how often each operation stands in
the network. Networks of a space share nearly all pieces, however their cells differ.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from profilers.search_spaces.builder import GraphBuilder, Tensor

__all__ = ["CellNumbering", "Operation", "Piece", "Recording", "pieces_of"]


class Operation(NamedTuple):
    """Something that is computed.

    Args:
        name: says how it is recorded.
        reads: numbers of values: of a cell, 0 is its input, and `i + 1` what its operation `i` gives; of a piece, those
            that it reads come first, then what its operations give.
        copies: how often the network has it, of the same values.
    """

    name: str
    reads: tuple[int, ...]
    copies: int = 1


class CellNumbering:
    """Numbers what a cell computes, the same of the same once.

    Args:
        unlike: names of operations with parameters of their own, no two of which compute the same.

    Attributes:
        operations: in order.
    """

    def __init__(self, unlike: Collection[str]) -> None:
        self.operations: list[Operation] = []
        self._unlike = unlike
        self._values: dict[tuple[str, tuple[int, ...]], int] = {}

    def compute(self, name: str, *reads: int) -> int:
        """The number of the value that an operation gives."""
        value = self._values.get((name, reads))
        if value is not None and name not in self._unlike:
            known = self.operations[value - 1]
            self.operations[value - 1] = known._replace(copies=known.copies + 1)
            return value
        self.operations.append(Operation(name, reads))
        self._values[name, reads] = len(self.operations)
        return len(self.operations)


class Piece(NamedTuple):
    """Operations that may be joined with each other, and with no other.

    Args:
        operations: in order.
        reads: numbers of the cell's values.
        gives: number of the cell's value that the last operation gives, the only one that is read outside.
    """

    operations: tuple[Operation, ...]
    reads: tuple[int, ...]
    gives: int

    def then(self, name: str, copies: int = 1) -> "Piece":
        """The piece with one more operation, which reads what it gives."""
        last = Operation(name, (len(self.reads) + len(self.operations) - 1,), copies)
        return self._replace(operations=(*self.operations, last))


def pieces_of(operations: Sequence[Operation], joined: Collection[str]) -> list[Piece]:
    """The pieces of a cell, each behind those that it reads.

    Args:
        operations: of the cell, each behind those that it reads; the last one gives the cell's result.
        joined: names of operations whose result may be joined with the one operation that reads it.
    """
    readers: dict[int, set[int]] = {}
    for place, operation in enumerate(operations):
        for value in operation.reads:
            readers.setdefault(value, set()).add(place)
    ends = list(range(len(operations)))
    """The last operation of the piece that each belongs to."""
    for place in range(len(operations) - 2, -1, -1):
        those = readers.get(place + 1, set())
        if operations[place].name in joined and len(those) == 1:
            ends[place] = ends[min(those)]
    groups: dict[int, list[int]] = {}
    for place, end in enumerate(ends):
        groups.setdefault(end, []).append(place)
    return [_piece(operations, groups[end]) for end in sorted(groups)]


def _piece(operations: Sequence[Operation], places: Sequence[int]) -> Piece:
    inside = [place + 1 for place in places]
    read = [value for place in places for value in operations[place].reads]
    outside = [value for value in dict.fromkeys(read) if value not in inside]
    numbers = {value: number for number, value in enumerate((*outside, *inside))}
    renumbered = [
        operations[place]._replace(reads=tuple([numbers[value] for value in operations[place].reads]))
        for place in places
    ]
    return Piece(tuple(renumbered), tuple(outside), inside[-1])


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Records a piece. It is itself and equal to no other, so that what is known of it is found quickly.

    Args:
        operations: of the piece.
        record: how each is recorded, by name.
    """

    operations: tuple[Operation, ...]
    record: Mapping[str, Callable[..., Tensor]]

    def __call__(self, net: GraphBuilder, *inputs: Tensor) -> Tensor:
        """Record it behind its inputs; of copies, the first one is read."""
        values = list(inputs)
        for name, reads, copies in self.operations:
            read = [values[number] for number in reads]
            first, *_ = [self.record[name](net, *read) for _ in range(copies)]
            values.append(first)
        return values[-1]

"""Architectures → one flat vector: the arrays of their search space, integers as one-hot columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from latcast.schema import Architecture, InputError, UnsupportedGraphError
from predictors.base import FloatArray, Query
from profilers.search_spaces import get_space

__all__ = ["EncodingTable", "common_space"]


@dataclass(frozen=True, slots=True)
class EncodingTable:
    """Which numbers of a space's encodings become columns.

    An array of integers (operator indices) gives one column for each value seen at each place; an array of floats
    gives its numbers as they are. Places that never varied in training give no column.

    Args:
        space: name of the search space.
        columns: (place in the flattened encoding, value that it stands for, or None for the number itself).
        values: the values seen at each place that varied: the set of them, or (lowest, highest) of floats.
    """

    space: str
    columns: tuple[tuple[int, float | None], ...]
    values: Mapping[int, tuple[float, ...]]

    @classmethod
    def of(cls, queries: Sequence[Query]) -> Self:
        """The columns that these architectures need.

        Raises:
            InputError: they are not all of one space.
        """
        space = common_space(queries)
        if space is None:
            raise InputError("Learning from encodings takes architectures of one search space; give graphs otherwise.")
        flat, integer = _flattened(space, _architectures(queries, space))
        columns: list[tuple[int, float | None]] = []
        values: dict[int, tuple[float, ...]] = {}
        for place in np.flatnonzero(np.ptp(flat, axis=0) > 0):
            seen = tuple(float(value) for value in np.unique(flat[:, place]))
            values[int(place)] = seen if integer[place] else (seen[0], seen[-1])
            columns += [(int(place), value) for value in seen] if integer[place] else [(int(place), None)]
        return cls(space, tuple(columns), values)

    def features(self, queries: Sequence[Query]) -> FloatArray:
        """Float64 (n, columns).

        Raises:
            UnsupportedGraphError: a query without an architecture of the space.
        """
        if not queries:
            return np.empty((0, len(self.columns)))
        flat, _ = _flattened(self.space, _architectures(queries, self.space))
        found = [flat[:, place] if value is None else flat[:, place] == value for place, value in self.columns]
        return np.array(found, dtype=np.float64).reshape(len(self.columns), len(queries)).T.copy()

    def coverage(self, queries: Sequence[Query]) -> FloatArray:
        """Share of the places that varied in training whose value training has seen: float64 (n,)."""
        if not queries:
            return np.empty(0)
        flat, _ = _flattened(self.space, _architectures(queries, self.space))
        whole = {place for place, value in self.columns if value is not None}
        known = [
            np.isin(flat[:, place], seen)
            if place in whole
            else (seen[0] <= flat[:, place]) & (flat[:, place] <= seen[-1])
            for place, seen in self.values.items()
        ]
        return np.mean(known, axis=0, dtype=np.float64) if known else np.ones(len(queries))

    def to_vocabulary(self) -> dict[str, Any]:
        """JSON values for an artifact."""
        values = [[place, list(seen)] for place, seen in self.values.items()]
        return {"space": self.space, "columns": [list(column) for column in self.columns], "values": values}

    @classmethod
    def from_vocabulary(cls, vocabulary: Mapping[str, Any]) -> Self:
        """What `to_vocabulary` gave."""
        columns = tuple((int(place), None if value is None else float(value)) for place, value in vocabulary["columns"])
        values = {int(place): tuple(float(value) for value in seen) for place, seen in vocabulary["values"]}
        return cls(str(vocabulary["space"]), columns, values)


def common_space(queries: Sequence[Query]) -> str | None:
    """The search space that all queries have their architectures of; None where there is no such space."""
    spaces = {query.architecture.space if query.architecture else None for query in queries}
    return spaces.pop() if len(spaces) == 1 else None


def _architectures(queries: Sequence[Query], space: str) -> list[Architecture]:
    found = [query.architecture for query in queries if query.architecture and query.architecture.space == space]
    if len(found) != len(queries):
        raise UnsupportedGraphError(f"This predictor reads architectures of the space {space!r} only; "
                                    f"{len(queries) - len(found)} of {len(queries)} queries have none.")  # fmt: skip
    return found


def _flattened(space: str, architectures: Sequence[Architecture]) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Encodings as rows (n, places), and which places hold integers (places,)."""
    encode = get_space(space).encode
    rows, integer = [], np.empty(0, dtype=bool)
    for architecture in architectures:
        arrays = [np.asarray(array) for _, array in sorted(encode(architecture).items())]
        rows.append(np.concatenate([array.ravel().astype(np.float64) for array in arrays]))
        integer = np.concatenate([np.full(array.size, array.dtype.kind in "iu") for array in arrays])
    return np.array(rows), integer

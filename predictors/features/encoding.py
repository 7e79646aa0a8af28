"""Architectures as flat vectors: the encodings of their search space, integers as one-hot columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from latcast.schema import Architecture, InputError, UnsupportedGraphError
from latcast.schema.counting import counted
from predictors.base import FloatArray, Query
from profilers.search_spaces import get_space

__all__ = ["EncodingTable", "common_space"]


@dataclass(frozen=True, slots=True)
class EncodingTable:
    """The columns that a space's encodings give.

    An array of integers (operator indices) gives one column for each value that a place has in training; an array of
    floats gives its numbers unchanged. Places that do not vary in training give no column.

    Args:
        space: name of the search space.
        columns: (place in the flattened encoding, value that it stands for, or None for the number itself).
        values: place → its values in training where they vary: all of integers, (lowest, highest) of floats.
    """

    space: str
    columns: tuple[tuple[int, float | None], ...]
    values: Mapping[int, tuple[float, ...]]

    @classmethod
    def of(cls, queries: Sequence[Query]) -> Self:
        """The table of the architectures of a training set.

        Raises:
            InputError: the queries are not all architectures of one space.
        """
        space = common_space(queries)
        if space is None:
            raise InputError("Learning from encodings takes architectures of one search space; give graphs otherwise.")
        flat, integer = _flattened(space, _architectures(queries, space))
        columns: list[tuple[int, float | None]] = []
        values: dict[int, tuple[float, ...]] = {}
        for place in np.flatnonzero(np.ptp(flat, axis=0) > 0):
            unique = tuple(float(value) for value in np.unique(flat[:, place]))
            values[int(place)] = unique if integer[place] else (unique[0], unique[-1])
            columns += [(int(place), value) for value in unique] if integer[place] else [(int(place), None)]
        return cls(space, tuple(columns), values)

    def features(self, queries: Sequence[Query]) -> FloatArray:
        """The features of n queries, float64 (n, columns).

        Raises:
            UnsupportedGraphError: a query has no architecture of the space.
        """
        if not queries:
            return np.empty((0, len(self.columns)))
        flat, _ = _flattened(self.space, _architectures(queries, self.space))
        rows = [flat[:, place] if value is None else flat[:, place] == value for place, value in self.columns]
        return np.array(rows, dtype=np.float64).reshape(len(self.columns), len(queries)).T.copy()

    def coverage(self, queries: Sequence[Query]) -> FloatArray:
        """Share of the places that vary in training whose value is in training, float64 (n,).

        Raises:
            UnsupportedGraphError: a query has no architecture of the space.
        """
        if not queries:
            return np.empty(0)
        flat, _ = _flattened(self.space, _architectures(queries, self.space))
        whole = {place for place, value in self.columns if value is not None}
        covered = [
            np.isin(flat[:, place], trained)
            if place in whole
            else (trained[0] <= flat[:, place]) & (flat[:, place] <= trained[-1])
            for place, trained in self.values.items()
        ]
        return np.mean(covered, axis=0, dtype=np.float64) if covered else np.ones(len(queries))

    def to_vocabulary(self) -> dict[str, Any]:
        """The table as JSON values, for an artifact."""
        values = [[place, list(trained)] for place, trained in self.values.items()]
        return {"space": self.space, "columns": [list(column) for column in self.columns], "values": values}

    @classmethod
    def from_vocabulary(cls, vocabulary: Mapping[str, Any]) -> Self:
        """The table that `to_vocabulary` stored."""
        columns = tuple((int(place), None if value is None else float(value)) for place, value in vocabulary["columns"])
        values = {int(place): tuple(float(value) for value in trained) for place, trained in vocabulary["values"]}
        return cls(str(vocabulary["space"]), columns, values)


def common_space(queries: Sequence[Query]) -> str | None:
    """The search space of the architectures of all queries; None where they have none in common."""
    spaces = {query.architecture.space if query.architecture else None for query in queries}
    return spaces.pop() if len(spaces) == 1 else None


def _architectures(queries: Sequence[Query], space: str) -> list[Architecture]:
    architectures = [q.architecture for q in queries if q.architecture and q.architecture.space == space]
    if len(architectures) != len(queries):
        raise UnsupportedGraphError(
            f"This predictor reads architectures of the space {space!r} only; "
            f"{len(queries) - len(architectures)} of {counted(len(queries), 'query')} have none."
        )
    return architectures


def _flattened(space: str, architectures: Sequence[Architecture]) -> tuple[FloatArray, NDArray[np.bool_]]:
    """(encodings as rows, float64 (n, places); whether each place holds an integer, bool (places,))."""
    encode = get_space(space).encode
    rows, integer = [], np.empty(0, dtype=bool)
    for architecture in architectures:
        arrays = [np.asarray(array) for _, array in sorted(encode(architecture).items())]
        rows.append(np.concatenate([array.ravel().astype(np.float64) for array in arrays]))
        integer = np.concatenate([np.full(array.size, array.dtype.kind in "iu") for array in arrays])
    return np.array(rows), integer

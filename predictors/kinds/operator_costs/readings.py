"""What a runtime may execute of an architecture: operators at places, and the work of each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from predictors.base import FloatArray
from predictors.kinds.universal.cells.fbnet_features import FBNET, block_quantities
from predictors.kinds.universal.cells.feature_space import one_hot
from predictors.kinds.universal.cells.nasbench201_features import (
    NASBENCH201,
    additions,
    cell_codes,
    executed,
    live,
    needed,
)
from profilers.search_spaces.fbnet import OPERATORS as BLOCK_OPERATORS
from profilers.search_spaces.fbnet import POSITIONS
from profilers.search_spaces.nasbench201 import EDGES
from profilers.search_spaces.nasbench201 import OPERATORS as CELL_OPERATORS

__all__ = ["READINGS", "VERSION", "Reading", "readings_of"]

VERSION = "operator-costs-1"
"""Of the readings, their places and their operators."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One way to read the architectures of a space.

    Args:
        name: of the reading.
        counts: texts (n) → float64 (n, p), how often each place's operator is executed.
        operators: intp (p,), the operator at each place, 0 and on.
        work: float64 (p, q), what each place has to do, by quantity; the mean over places of each is one.
    """

    name: str
    counts: Callable[[Sequence[str]], FloatArray]
    operators: NDArray[np.intp]
    work: FloatArray


def _fbnet() -> tuple[Reading, ...]:
    """Blocks: pointwise and depthwise multiply-adds, activations moved, and one for each block that computes."""
    quantities = block_quantities()
    work = np.stack([quantities[:, 0], quantities[:, 1] + quantities[:, 2], quantities[:, 4], quantities[:, 5]], axis=1)
    operators = np.tile(np.arange(len(BLOCK_OPERATORS)), POSITIONS)
    return (Reading(name="blocks", counts=FBNET.features, operators=operators, work=work / work.mean(axis=0)),)


def _nasbench201() -> tuple[Reading, ...]:
    """Cells: operators by edge and sums of two tensors, of the edges that one kind of runtime executes."""
    rules: Mapping[str, Callable[[NDArray[np.int64]], NDArray[np.bool_]]] = {
        "all edges": lambda cells: np.ones(cells.shape, dtype=bool),
        "needed edges": needed,
        "live edges": live,
        "folded edges": lambda cells: executed(cells) & (cells > 0),
    }
    size = len(CELL_OPERATORS)
    operators = np.append(np.tile(np.arange(size), len(EDGES)), size)

    def reading(name: str, rule: Callable[[NDArray[np.int64]], NDArray[np.bool_]]) -> Reading:
        def counts(texts: Sequence[str]) -> FloatArray:
            cells = cell_codes(texts)
            kept = rule(cells)
            hot = one_hot(cells, size) * np.repeat(kept, size, axis=1)
            return np.column_stack([hot, additions(kept)])

        return Reading(name=name, counts=counts, operators=operators, work=np.ones((len(operators), 1)))

    return tuple(reading(name, rule) for name, rule in rules.items())


READINGS: Mapping[str, Callable[[], tuple[Reading, ...]]] = {FBNET.name: _fbnet, NASBENCH201.name: _nasbench201}
"""Search spaces whose operators and work are known."""


@cache
def readings_of(space: str) -> tuple[Reading, ...]:
    """All readings of a space in `READINGS`."""
    return READINGS[space]()

"""The rows of a target's columns that are wanted, and how many of them have each code.

A count is one pass over the wanted rows and two bytes of each; what charts show are sums of a few such counts.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from service.measurements.columns import Bools, Ints, TargetColumns

__all__ = ["Selection"]

Codes = npt.NDArray[Any]
"""A whole number from 0 for each row of the target."""


class Selection:
    """Wanted rows; what was counted of them serves again.

    Args:
        columns: of the target.
        mask: which rows are wanted, bool (n,).
    """

    def __init__(self, columns: TargetColumns, mask: Bools) -> None:
        self.columns, self.mask = columns, mask
        self.is_all = bool(mask.all())
        self._counts: dict[str, Ints] = {}

    def __len__(self) -> int:
        return int(np.count_nonzero(self.mask))

    @cached_property
    def rows(self) -> Ints:
        """Places of the wanted rows; to take by place is several times as fast as by mask."""
        return np.flatnonzero(self.mask)

    def counts(self, name: str, codes: Callable[[], Codes], cells: int) -> Ints:
        """How many wanted rows have each code, int64 (cells,).

        Args:
            name: of the codes; they are computed once for the columns.
            codes: computes them.
            cells: how many there are.
        """
        if self.is_all:
            return self.totals(name, codes, cells)
        if name not in self._counts:
            wanted = self._codes(name, codes).take(self.rows)
            self._counts[name] = np.bincount(wanted, minlength=cells)
        return self._counts[name]

    def totals(self, name: str, codes: Callable[[], Codes], cells: int) -> Ints:
        """How many of all the target's rows have each code, int64 (cells,)."""
        totals: Ints = self.columns.keep(
            f"totals {name}", lambda: np.bincount(self._codes(name, codes), minlength=cells)
        )
        return totals

    def _codes(self, name: str, codes: Callable[[], Codes]) -> Codes:
        made: Codes = self.columns.keep(f"codes {name}", codes)
        return made

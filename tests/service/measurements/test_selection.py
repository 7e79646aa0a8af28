"""Wanted rows are counted by code: as often as they are there, and once for the same rows."""

from collections.abc import Callable

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.measurements.selection import Codes, Selection
from tests.service.measurements.columns_made import made

CELLS = 4


@given(st.lists(st.tuples(st.integers(0, CELLS - 1), st.booleans()), min_size=1))
def test_every_wanted_row_is_counted_under_its_code(rows: list[tuple[int, bool]]) -> None:
    codes = np.array([code for code, _ in rows], np.uint8)
    selection = Selection(made([1.0] * len(rows)), np.array([wanted for _, wanted in rows]))
    counts = selection.counts("code", lambda: codes, CELLS)
    assert list(counts) == [sum(wanted and code == cell for code, wanted in rows) for cell in range(CELLS)]
    assert list(selection.totals("code", lambda: codes, CELLS)) == [list(codes).count(cell) for cell in range(CELLS)]
    assert len(selection) == sum(wanted for _, wanted in rows) == len(selection.rows)


def test_codes_are_computed_once_for_the_columns() -> None:
    computed: list[int] = []

    def coding() -> Callable[[], Codes]:
        def codes() -> Codes:
            computed.append(1)
            return np.array([0, 1, 1])

        return codes

    columns = made([1.0, 2.0, 3.0])
    some, others = (Selection(columns, np.array(mask)) for mask in ([True, False, False], [False, True, True]))
    assert list(some.counts("code", coding(), 2)) == [1, 0]
    assert list(others.counts("code", coding(), 2)) == [0, 2]
    assert some.counts("code", coding(), 2) is some.counts("code", coding(), 2)
    assert len(computed) == 1

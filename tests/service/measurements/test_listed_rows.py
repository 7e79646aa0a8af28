"""Orders of rows: by time or a quantity, unknown ones last, and rows that are gone left out."""

import math
from typing import Any

import numpy as np
import pytest

from service.measurements.listed_rows import page_ids, rows_of
from tests.service.helpers import World
from tests.service.measurements.columns_made import made


@pytest.mark.parametrize(
    ("sort", "ids"),
    [("id", [10, 11, 12, 13]), ("-id", [13, 12, 11, 10]), ("ms", [12, 10, 13, 11]), ("-ms", [13, 10, 12, 11])],
)
def test_orders(sort: Any, ids: list[int]) -> None:
    columns = made([2.0, math.nan, 1.0, 3.0])
    assert page_ids(columns, np.ones(4, bool), sort=sort, offset=0, limit=10) == ids
    assert page_ids(columns, np.ones(4, bool), sort=sort, offset=1, limit=2) == ids[1:3]
    odd = np.array([False, True, False, True])
    assert page_ids(columns, odd, sort=sort, offset=0, limit=9) == [one for one in ids if one in (11, 13)]


def test_rows_come_in_the_order_of_their_ids(measured: World) -> None:
    with measured.database.read() as session:
        assert [row.id for row in rows_of(session, [3, 999, 1])] == [3, 1]

"""Filters of columns: ranges, names, operators; what is not known lies in no range. Texts: `routes/test_rows.py`."""

import math
from typing import Any, cast

import pytest
from sqlalchemy.orm import Session

from service.measurements.row_filter import RowFilter, mask_of
from tests.service.measurements.columns_made import made

NO_SESSION = cast(Session, None)


@pytest.mark.parametrize(
    ("wanted", "rows"),
    [
        ({}, [0, 1, 2, 3]),
        ({"outcome": "failed"}, [3]),
        ({"ms": (2.0, None)}, [1, 2]),
        ({"ms": (None, 2.0)}, [0, 1]),
        ({"noisy": True}, [2]),
        ({"created": (250.0, 600.0)}, [2, 3]),
        ({"noise": (0.5, None)}, []),
        ({"flops": (5e6, None)}, [1, 3]),
        ({"operators": ("Conv",)}, [0, 2]),
        ({"operators": ("Conv", "Relu"), "ms": (3.0, None)}, [2]),
        ({"operators": ("Softmax",)}, []),
        ({"families": ("zoo/mobile", "none")}, [0, 2]),
        ({"spaces": ("none",)}, []),
        ({"graph": "g1-odd"}, [1, 3]),
        ({"sources": ("one",)}, [0, 1]),
        ({"sources": ("none", "nobody")}, [2, 3]),
        ({"sources": ("nobody",)}, []),
        ({"sources": ("one", "none"), "families": ("zoo/mobile",)}, [0, 2]),
    ],
)
def test_filters(wanted: dict[str, Any], rows: list[int]) -> None:
    columns = made([1.0, 2.0, 4.0, math.nan], noisy=[False, False, True, False])
    assert mask_of(NO_SESSION, columns, RowFilter(**wanted)).nonzero()[0].tolist() == rows

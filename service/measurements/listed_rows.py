"""Rows of a target's columns as they are listed and exported: in an order, a page at a time."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from service.db.statements import chunks
from service.db.tables import Measurement
from service.measurements.columns import Bools, Floats, Ints, TargetColumns
from service.measurements.pages import WITHOUT_SAMPLES, MeasurementSummary, summaries

__all__ = ["RowSort", "page_ids", "rows_of"]

RowSort = Literal["id", "-id", "ms", "-ms", "flops", "-flops", "noise", "-noise"]


def page_ids(columns: TargetColumns, mask: Bools, *, sort: RowSort, offset: int, limit: int) -> list[int]:
    """Ids of one page; rows of which the quantity is not known come last.

    Args:
        columns: of the target.
        mask: which rows are wanted.
        sort: quantity, `-` for the greatest first; `id` is the order of time.
        offset: wanted rows before the page.
        limit: rows on it at most.
    """
    order = _order(columns, sort)
    wanted = order if mask.all() else order[mask[order]]
    ids: list[int] = columns.ids[wanted[offset : offset + limit]].tolist()
    return ids


def _order(columns: TargetColumns, sort: RowSort) -> Ints:
    name, descending = sort.removeprefix("-"), sort.startswith("-")
    if name == "id":
        ascending = np.arange(len(columns))
        return ascending[::-1] if descending else ascending
    order: Ints = columns.keep(f"order {sort}", lambda: _sorted(getattr(columns, name), descending=descending))
    return order


def _sorted(values: Floats, *, descending: bool) -> Ints:
    """NumPy puts what is not a number last, which is where it belongs either way."""
    return np.argsort(-values if descending else values, kind="stable")


def rows_of(session: Session, ids: list[int]) -> list[MeasurementSummary]:
    """The rows of these ids as they stand in lists, in this order; those that are gone are left out."""
    rows: Mapping[int, Measurement] = {
        row.id: row
        for part in chunks(ids)
        for row in session.scalars(select(Measurement).where(Measurement.id.in_(part)).options(*WITHOUT_SAMPLES))
    }
    return summaries(session, [rows[row_id] for row_id in ids if row_id in rows])

"""Lists a page at a time: rows in an order that puts no two in one place, and a cursor that says where to go on."""

import base64
import binascii
import json
import math
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Row, Select, literal, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from latcast.schema import InputError
from service.db.records import is_storable_text

__all__ = ["Order", "Page", "fetch_page"]

T = TypeVar("T")
BIGGEST_INTEGER = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Order:
    """An order of the rows of one table.

    Args:
        name: what a cursor remembers of it.
        columns: what the rows are sorted by; none of them is ever null, and all together are unique.
        descending: the greatest first.
    """

    name: str
    columns: tuple[InstrumentedAttribute[Any], ...]
    descending: bool = False

    def by(self) -> list[ColumnElement[Any]]:
        """What to sort by."""
        return [column.desc() if self.descending else column.asc() for column in self.columns]

    def after(self, values: list[Any]) -> ColumnElement[bool]:
        """The rows that come after the one with these values."""
        place = tuple_(*self.columns)
        last = tuple_(*(literal(value, column.type) for value, column in zip(values, self.columns, strict=True)))
        return place < last if self.descending else place > last


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Rows, and the cursor of the next page; None on the last one."""

    items: list[T]
    next_cursor: str | None


def fetch_page(
    session: Session, query: Select[*tuple[Any, ...]], order: Order, *, limit: int, cursor: str | None
) -> Page[Row[*tuple[Any, ...]]]:
    """One page of a query.

    Args:
        session: reads.
        query: its rows begin with an entity of the table that the order is of.
        order: of the rows.
        limit: most rows on the page.
        cursor: where the page before ended; None for the first page.

    Raises:
        InputError: a cursor that no page gave, or one of another order.
    """
    if cursor is not None:
        query = query.where(order.after(_decode(cursor, order)))
    rows = list(session.execute(query.order_by(*order.by()).limit(limit + 1)))
    more = len(rows) > limit
    return Page(items=rows[:limit], next_cursor=_encode(rows[limit - 1][0], order) if more else None)


def _encode(entity: Any, order: Order) -> str:
    place = [order.name, *(getattr(entity, column.key) for column in order.columns)]
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _decode(cursor: str, order: Order) -> list[Any]:
    try:
        values: list[Any]
        name, *values = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        fits = len(values) == len(order.columns) and all(map(_fits, values, order.columns))
    except (binascii.Error, ValueError, TypeError):
        name, values, fits = "", [], False
    if not isinstance(name, str) or (name == order.name and not fits) or not name:
        raise InputError("This cursor is none that a page gave; leave it out to begin at the first page.")
    if name != order.name:
        raise InputError(f"This cursor belongs to another order than {order.name}; leave it out to begin anew.")
    return values


def _fits(value: Any, column: InstrumentedAttribute[Any]) -> bool:
    """Whether the database can compare the value with the column."""
    kind = column.type.python_type
    if kind is float:
        return type(value) in (int, float) and math.isfinite(value)
    if kind is int:
        return type(value) is int and abs(value) <= BIGGEST_INTEGER
    return isinstance(value, str) and is_storable_text(value)

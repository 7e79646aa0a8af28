"""Pages: every row once whatever the order, and cursors that nobody can make something else of."""

import base64
import json

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from latcast.schema import InputError
from service.db import tables
from service.db.pagination import Order, fetch_page
from service.db.session import Database
from service.db.tables import Architecture, Measurement

BY_TEXT = Order("text", (Architecture.space, Architecture.id))
NEWEST = Order("newest", (Architecture.id,), descending=True)
BY_LATENCY = Order("latency", (Measurement.median_ms, Measurement.id))


@pytest.fixture
def filled(database: Database) -> Database:
    with database.write.begin() as session:
        rows = [("b", "1"), ("a", "1"), ("b", "2"), ("a", "2"), ("c", "1")]
        session.add_all(
            [Architecture(id=number, space=space, text=text) for number, (space, text) in enumerate(rows, 1)]
        )
    return database


def walk(session: Session, order: Order, limit: int) -> list[list[int]]:
    """Ids page by page."""
    pages, cursor = [], None
    while True:
        page = fetch_page(session, select(Architecture), order, limit=limit, cursor=cursor)
        pages.append([row.id for (row,) in page.items])
        if (cursor := page.next_cursor) is None:
            return pages


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 9])
def test_every_row_is_on_one_page_in_order_and_no_page_is_empty(filled: Database, limit: int) -> None:
    with filled.read() as session:
        for order, ids in ((BY_TEXT, [2, 4, 1, 3, 5]), (NEWEST, [5, 4, 3, 2, 1])):
            pages = walk(session, order, limit)
            assert [number for page in pages for number in page] == ids
            assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)
            assert pages[-1]


def test_rows_that_come_meanwhile_disturb_nothing(filled: Database) -> None:
    with filled.read() as session:
        first = fetch_page(session, select(Architecture), NEWEST, limit=2, cursor=None)
    with filled.write.begin() as session:
        session.add(Architecture(id=9, space="z", text="new"))
    with filled.read() as session:
        second = fetch_page(session, select(Architecture), NEWEST, limit=2, cursor=first.next_cursor)
        assert [row.id for (row,) in second.items] == [3, 2]


def test_equal_latencies_are_told_apart_by_their_ids(filled: Database) -> None:
    number = {"settings": {}, "feeds": [], "runs": [], "sentinel_ms": [], "protocol_version": 0, "statistic": "mean"}
    with filled.write.begin() as session:
        session.add(tables.Target(id="t", backend="table", origin="theirs", record={}, offered=False))
        session.flush()
        for ms in (2.0, 1.5, 2.0, 1.5, 2.0):
            session.add(Measurement(target_id="t", architecture_id=1, median_ms=ms, **number))
    ids, cursor = [], None
    with filled.read() as session:
        for _ in range(3):
            page = fetch_page(session, select(Measurement), BY_LATENCY, limit=2, cursor=cursor)
            ids += [row.id for (row,) in page.items]
            cursor = page.next_cursor
    assert cursor is None
    assert ids == [2, 4, 1, 3, 5]


def encoded(*place: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "W10=",
        "bnVsbA==",
        "é",
        encoded("latency"),
        encoded("latency", 1.0),
        encoded("latency", "1", 2),
        encoded("latency", float("nan"), 2),
        encoded("latency", 1.0, 2**63),
        encoded("latency", 1.0, True),
        encoded(1, 1.0, 2),
    ],
)
def test_cursors_that_no_page_gave_are_refused(database: Database, cursor: str) -> None:
    with database.read() as session, pytest.raises(InputError, match="none that a page gave"):
        fetch_page(session, select(Measurement), BY_LATENCY, limit=2, cursor=cursor)


def test_a_cursor_of_another_order_is_refused(database: Database) -> None:
    with database.read() as session, pytest.raises(InputError, match="another order than latency"):
        fetch_page(session, select(Measurement), BY_LATENCY, limit=2, cursor=encoded("newest", 1))


def test_texts_that_no_database_keeps_are_refused(database: Database) -> None:
    for text in ("\0", "\ud800"):
        with database.read() as session, pytest.raises(InputError, match="none that a page gave"):
            fetch_page(session, select(Architecture), BY_TEXT, limit=2, cursor=encoded("text", text, 1))

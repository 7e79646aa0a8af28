"""Graphs are named by hashes or by beginnings of them, on both databases."""

from collections.abc import Callable

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from latcast.errors import NotFoundError
from latcast.schema import InputError
from service.db import tables
from service.db.session import Database
from service.graphs.names import find_hash, find_hashes, find_hidden_hash, find_known_hash, find_wanted_hash

FIRST, SECOND, HIDDEN, LAST = (
    f"g1-{digits.ljust(64, '0')}" for digits in ("0123456789", "0123456709", "01234567ff", "ffffffff")
)
Find = Callable[[Session, str], str]


@pytest.fixture
def stored(database: Database) -> Database:
    """Three graphs of which two begin alike, and one that begins so, too, and is hidden."""
    with database.write.begin() as session:
        for name in (FIRST, SECOND, HIDDEN, LAST):
            hidden = 1.0 if name == HIDDEN else None
            session.add(tables.Graph(hash=name, model=b"", summary={}, hidden_unix_s=hidden))
    return database


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        (FIRST, FIRST),
        (FIRST[:13], FIRST),
        ("0123456789", FIRST),
        ("G1-0123456789", FIRST),
        (FIRST[3:], FIRST),
        ("g1-012345670", SECOND),
        ("g1-ffffffff", LAST),
        ("FFFFFFFF", LAST),
        ("g1-ffffffff…", LAST),
        ("ffffffff...", LAST),
    ],
)
def test_a_beginning_stands_for_the_hash(stored: Database, name: str, meant: str) -> None:
    with stored.read() as session:
        for find in (find_hash, find_known_hash, find_wanted_hash):
            assert find(session, name) == meant


def test_a_beginning_of_several_is_refused_with_all_of_them(stored: Database) -> None:
    with stored.read() as session:
        with pytest.raises(InputError, match=f"^Several graphs begin with '01234567': {SECOND}, {FIRST}. Give more"):
            find_hash(session, "01234567")
        with pytest.raises(InputError, match=f": {SECOND}, {FIRST}, {HIDDEN}. Give more"):
            find_known_hash(session, "g1-01234567")
        with pytest.raises(InputError, match="Several graphs"):
            find_wanted_hash(session, "g1-01234567")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("g1-none", r"There is no graph 'g1-none'; upload its model first \(POST /v1/graphs\)\.$"),
        ("g1-0123456a", r"upload its model first \(POST /v1/graphs\)\.$"),
        ("g1-fffffff", r"A hash may be shortened to its first 8 digits, not to fewer\.$"),
        ("g1-", "not to fewer"),
        (FIRST + "0", r"/v1/graphs\)\.$"),
        (HIDDEN, r"/v1/graphs\)\.$"),
        ("", r"no graph ''"),
        ("%", r"no graph '%'"),
    ],
)
def test_what_no_hash_begins_with_is_said(stored: Database, name: str, said: str) -> None:
    with stored.read() as session, pytest.raises(NotFoundError, match=said):
        find_hash(session, name)


def test_filters_take_names_that_no_graph_has_as_they_are(stored: Database) -> None:
    with stored.read() as session:
        assert find_wanted_hash(session, "g1-none") == "g1-none"
        assert find_wanted_hash(session, HIDDEN[:13]) == HIDDEN


def test_hidden_graphs_are_found_where_they_are_meant(stored: Database) -> None:
    with stored.read() as session:
        assert find_hidden_hash(session, "g1-01234567") == find_known_hash(session, HIDDEN) == HIDDEN
        with pytest.raises(NotFoundError, match="There is no hidden graph 'g1-ffffffff'"):
            find_hidden_hash(session, "g1-ffffffff")


def test_of_very_many_some_are_listed(database: Database) -> None:
    with database.write.begin() as session:
        for number in range(30):
            session.add(tables.Graph(hash=f"g1-{'a' * 62}{number:02x}", model=b"", summary={}))
    with database.read() as session, pytest.raises(InputError, match=r"a09, and more. Give more digits") as caught:
        find_hash(session, "aaaaaaaa")
    assert str(caught.value).count("g1-") == 10


def test_many_names_are_found_in_order_and_whole_hashes_together(stored: Database) -> None:
    asked: list[str] = []
    event.listen(stored.engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    with stored.read() as session:
        assert find_hashes(session, [LAST, FIRST, SECOND, LAST]) == [LAST, FIRST, SECOND, LAST]
        assert len([statement for statement in asked if statement.startswith("SELECT")]) == 1
        assert find_hashes(session, ["ffffffff", FIRST, "g1-012345670"]) == [LAST, FIRST, SECOND]
        assert find_hashes(session, []) == []
        for name, error in ((HIDDEN, NotFoundError), ("g1-0123456", NotFoundError), ("01234567", InputError)):
            with pytest.raises(error):
                find_hashes(session, [FIRST, name])

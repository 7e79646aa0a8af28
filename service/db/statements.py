"""Statements that SQLAlchemy spells differently for each database, or that have to keep a database's limits."""

from collections.abc import Collection, Iterator
from typing import TypeVar

from sqlalchemy import Connection, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from service.db import tables

__all__ = ["chunks", "insert_missing", "lock_until_commit"]

CHUNK = 500
"""Values in one IN (…): both databases have limits."""
T = TypeVar("T")


def chunks(values: Collection[T]) -> Iterator[list[T]]:
    """The values in lists that fit into one statement."""
    ordered = list(values)
    for start in range(0, len(ordered), CHUNK):
        yield ordered[start : start + CHUNK]


def insert_missing(bind: Connection | Session, table: type[tables.Base]) -> sqlite.Insert | postgresql.Insert:
    """An insertion into the table that leaves out rows whose keys are there; give it values, or rows to select.

    What is selected needs a WHERE: SQLite would read what follows as part of a join.
    """
    if _dialect(bind) == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing()
    return postgresql.insert(table).on_conflict_do_nothing()


def lock_until_commit(connection: Connection, key: int) -> None:
    """Wait until nobody else holds the key, and hold it to the end of the transaction; SQLite's writers wait anyway."""
    if _dialect(connection) == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


def _dialect(bind: Connection | Session) -> str:
    engine = bind.get_bind() if isinstance(bind, Session) else bind
    return engine.dialect.name

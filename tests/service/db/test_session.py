"""Engines: SQLite is durable, and its writers wait at the beginning of a transaction."""

import sqlite3

import pytest
from sqlalchemy import text

from service.db.session import Database, create_engine_for
from service.settings import Settings


def test_sqlite_is_durable_and_checks_foreign_keys(new_sqlite: str) -> None:
    engine = create_engine_for(Settings(database_url=new_sqlite))
    with engine.connect() as connection:
        values = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    engine.dispose()
    assert values == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}


def test_sqlite_writers_wait_at_the_beginning_and_readers_do_not(new_sqlite: str) -> None:
    database = Database(create_engine_for(Settings(database_url=new_sqlite)))
    other = sqlite3.connect(new_sqlite.removeprefix("sqlite:///"), timeout=0, isolation_level=None)
    with database.write.begin() as writer:
        writer.connection()  # begins now
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        with database.read() as session:
            assert session.scalar(text("SELECT count(*) FROM job")) == 0
    other.close()
    database.close()

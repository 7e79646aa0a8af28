"""Engines: SQLite is durable, and its writers wait at the beginning of a transaction; what reads writes nothing."""

import sqlite3

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError

from service.db import records, tables
from service.db.failures import is_away
from service.db.session import Database, create_engine_at, create_engine_for
from service.settings import Settings
from tests.service.helpers import OTHER_TARGET, TARGET


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


def test_a_read_leaves_what_the_server_has_prepared_for_the_next_one(database: Database) -> None:
    if database.engine.dialect.name == "sqlite":
        pytest.skip("prepares within the process")
    for _ in range(10):
        with database.read() as session:
            assert session.scalars(select(tables.Device.id).order_by(tables.Device.name)).all() == []
    with database.engine.connect() as connection:
        prepared = connection.scalars(text("SELECT statement FROM pg_prepared_statements")).all()
    assert any("ORDER BY device.name" in statement for statement in prepared)


def test_what_is_changed_while_reading_is_never_written(database: Database) -> None:
    with database.write.begin() as session:
        session.add(records.target_row(TARGET, None))
    with database.read() as session:
        row = session.scalars(select(tables.Target)).one()
        row.offered = not (before := row.offered)
        session.add(records.target_row(OTHER_TARGET, None))
    assert row.offered is not before, "an object outlives its session"
    with database.read() as session:
        assert session.scalars(select(tables.Target.offered)).all() == [before]


def test_a_read_that_fails_says_why_and_its_connection_is_used_again(database: Database) -> None:
    for _ in range(3):
        with pytest.raises(DBAPIError, match="nowhere"), database.read() as session:
            session.execute(text("SELECT 1 FROM nowhere"))
    with database.read() as session:
        assert session.scalar(text("SELECT 1")) == 1


def test_behind_a_pooler_nothing_is_prepared_after_the_first_surprise(database: Database) -> None:
    if database.engine.dialect.name == "sqlite":
        pytest.skip("has no server")
    engine = create_engine_at(database.engine.url)
    own = Database(engine)

    def forget(connection: Connection) -> None:
        """Another server's connection, as a pooler may lend for the next transaction."""
        connection.connection.driver_connection.pgconn.exec_(b"DEALLOCATE ALL")  # type: ignore[union-attr]

    failures: list[DBAPIError] = []
    for _ in range(40):
        try:
            with own.write.begin() as session:
                forget(session.connection())
                assert session.scalars(select(tables.Device.id)).all() == []
        except DBAPIError as error:
            failures.append(error)
    assert [(is_away(error), error.connection_invalidated) for error in failures] == [(True, True)]
    own.close()

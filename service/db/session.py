"""Engines and sessions for both databases; nothing is created at import."""

import sqlite3
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, cast

import structlog
from sqlalchemy import URL, Connection, Engine, ExceptionContext, create_engine, event
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from latcast.schema import InputError
from service.db.addresses import database_address
from service.db.commit_note import CommitNote
from service.db.database_file import SameFile, count_commit, keep_private
from service.db.migrate import upgrade
from service.db.visibility import VisibleOnly
from service.db.write_turns import QueuedConnection, WriteTurns
from service.settings import Settings

__all__ = ["Database", "create_engine_at", "create_engine_for", "upgrade"]

BUSY_TIMEOUT_MS = 10_000
READ_ONLY = "latcast_read_only"
CHANGES = "latcast_changes"
"""Rows that a connection of SQLite had changed before the transaction began."""

log = structlog.get_logger(__name__)


def create_engine_for(settings: Settings) -> Engine:
    """An engine for the configured database.

    SQLite: write-ahead log, foreign keys on, `synchronous=FULL` (what was committed survives a power cut), and
    transactions that begin with `BEGIN IMMEDIATE` unless they are known to read only: a writer waits for its turn at
    the beginning instead of failing in the middle. A file that is deleted, replaced or overwritten under it is refused
    at the next connection, transaction and commit. Needs a local disk. PostgreSQL: psycopg 3, connections are tested
    before use, so a restarted server is noticed; behind a pooler that lends connections for a transaction nothing is
    prepared.

    Raises:
        InputError: the address is none that latcast can use, or the database's file or folder cannot be made.
    """
    return create_engine_at(database_address(settings.url))


def create_engine_at(url: URL) -> Engine:
    """What `create_engine_for` makes, for an address.

    Raises:
        InputError: the database's file or folder cannot be made.
    """
    if url.get_backend_name() != "sqlite":
        engine = create_engine(url, pool_pre_ping=True, pool_size=10, max_overflow=20)
        _stop_preparing_behind_poolers(engine)
        return engine
    patience_s = BUSY_TIMEOUT_MS / 1000
    own: dict[str, Any] = {"timeout": patience_s, "check_same_thread": False, "factory": QueuedConnection}
    engine = create_engine(url, connect_args=own)
    note = None
    if url.database and url.database != ":memory:" and not url.database.startswith("file:"):
        _make_file(Path(url.database))
        _refuse_other_files(engine, SameFile(Path(url.database).absolute()))
        note = CommitNote(Path(url.database).absolute())
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", partial(_begin_sqlite, WriteTurns(patience_s)))
    event.listen(engine, "commit", partial(_count_commit, note))
    return engine


def _stop_preparing_behind_poolers(engine: Engine) -> None:
    """Prepare no statement any more, once the server has not the ones that were prepared.

    A pooler that lends a server's connection for each transaction may hand it to somebody who prepared others. The
    call that meets it fails as if the database were away, and is tried again; connections are made anew.
    """
    prepares = [True]

    def connected(connection: Any, _record: Any) -> None:
        if not prepares[0]:
            connection.prepare_threshold = None

    def failed(context: ExceptionContext) -> None:
        if getattr(context.original_exception, "sqlstate", None) in _OF_OTHERS:
            context.is_disconnect = True
            if prepares[0]:
                log.warning("the server lacks what was prepared: a pooler, so that nothing is prepared from now on")
            prepares[0] = False

    event.listen(engine, "connect", connected)
    event.listen(engine, "handle_error", failed)


_OF_OTHERS = {"26000", "42P05"}
"""PostgreSQL's codes for a prepared statement that does not exist, or exists already."""


def _make_file(path: Path) -> None:
    try:
        keep_private(path)
    except OSError as error:
        raise InputError(
            f"The database cannot be kept in {str(path.parent)!r} ({error.strerror}): name another folder with "
            "--data-dir or LATCAST_DATA_DIR."
        ) from error


def _refuse_other_files(engine: Engine, file: SameFile) -> None:
    """Look at the file before SQLite opens it, before a transaction begins, and before it is acknowledged."""

    def before_commit(connection: Connection) -> None:
        try:
            file.check()
        except OperationalError:
            connection.invalidate()  # the pool would lend it again with its transaction still open
            raise

    for moment in ("do_connect", "begin"):
        event.listen(engine, moment, lambda *_arguments: file.check())
    event.listen(engine, "commit", before_commit)


def _configure_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver leaves BEGIN to us
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_TIMEOUT_MS}"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(turns: WriteTurns, connection: Connection) -> None:
    driver = _driver_of(connection)
    if connection.get_execution_options().get(READ_ONLY, False):
        connection.exec_driver_sql("BEGIN")
    else:
        try:
            turns.begin(driver)
        except sqlite3.Error as error:
            raise OperationalError("BEGIN IMMEDIATE", None, error) from error
    connection.info[CHANGES] = driver.total_changes


def _count_commit(note: CommitNote | None, connection: Connection) -> None:
    driver, reads = _driver_of(connection), connection.get_execution_options().get(READ_ONLY, False)
    if reads or driver.total_changes == connection.info.get(CHANGES):  # what was detached keeps no info: it counts
        return
    try:
        count = count_commit(driver)
        if note is not None:
            note.write(driver, count)
    except sqlite3.Error as error:
        connection.invalidate()  # the pool would lend it again with its transaction still open
        raise OperationalError(None, None, error) from error


def _driver_of(connection: Connection) -> QueuedConnection:
    return cast(QueuedConnection, connection.connection.dbapi_connection)  # a detached one has no driver_connection


class ReadsOfServer(VisibleOnly):
    """Reads, of which the transaction is committed at the end.

    At a rollback psycopg forgets what it has prepared on a connection, and the server plans the same statements again
    for whoever uses it next; there is nothing to take back.
    """

    def close(self) -> None:
        """Close the session; its objects stay as they are."""
        if self.in_transaction() and self.is_active:
            self.expunge_all()  # nothing that was changed by mistake is written
            with suppress(SQLAlchemyError):
                self.commit()
        super().close()


class Database:
    """An engine with its two session factories.

    `with database.write.begin() as session:` is one transaction, committed at the end; `with database.read() as
    session:` reads a consistent state and blocks no writer. Both factories may be used from many threads, each
    session by one. What is hidden is seen by those statements alone that ask for it (`service.db.visibility`).
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.write: sessionmaker[Session] = sessionmaker(engine, class_=VisibleOnly, expire_on_commit=False)
        self.read: sessionmaker[Session] = sessionmaker(
            engine.execution_options(**{READ_ONLY: True}),
            class_=VisibleOnly if engine.dialect.name == "sqlite" else ReadsOfServer,
        )

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

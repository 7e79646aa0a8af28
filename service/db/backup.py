"""Copies of a database, made while it is in use, and put back; a copy of either kind is one file of SQLite."""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import cast

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, func, inspect, select
from sqlalchemy.exc import DatabaseError

from latcast.errors import ConflictError
from latcast.schema import InputError
from latcast.schema.counting import counted
from profilers.host.private_files import sync_folder
from service.db.copying import copy_rows, reflected, set_sequences
from service.db.database_file import renaming
from service.db.migrate import current_revision, require_own, upgrade
from service.db.session import READ_ONLY, create_engine_at

__all__ = ["back_up", "reading_engine", "restore"]


def back_up(engine: Engine, path: Path) -> None:
    """Copy the database, whatever its revision, as it is at this moment; others go on reading and writing meanwhile.

    Args:
        engine: of the database.
        path: of the copy, a file of SQLite that is its owner's alone. It is there whole and on the disk, or not at all.

    Raises:
        InputError: the database holds nothing of latcast, or the file is there already, or cannot be written.
    """
    if path.exists():
        raise InputError(f"{path} is there already: name a file that is not.")
    engine = engine.execution_options(**{READ_ONLY: True})
    with engine.connect() as connection:
        require_own(connection)
        if current_revision(connection) is None:
            raise InputError("The database is empty: there is nothing to copy.")
    try:
        with _draft(path) as draft:
            (_copy_file if engine.dialect.name == "sqlite" else _copy_server)(engine, draft)
            _close_file(draft)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}.") from error


@contextmanager
def _draft(path: Path) -> Iterator[Path]:
    """A file beside the path, its owner's alone, which takes the path's place at the end."""
    with tempfile.TemporaryDirectory(prefix=".latcast-", dir=path.absolute().parent) as folder:
        draft = Path(folder) / "copy.db"
        yield draft
        descriptor = os.open(draft, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
        draft.replace(path)
    sync_folder(path.absolute().parent)


def _copy_file(engine: Engine, draft: Path) -> None:
    """SQLite's own way, in one step: it reads one state, and stops no writer."""
    draft.touch(mode=0o600)
    with engine.connect() as connection, closing(sqlite3.connect(draft)) as copy:
        cast(sqlite3.Connection, connection.connection.driver_connection).backup(copy)


def _copy_server(engine: Engine, draft: Path) -> None:
    """All rows as one transaction sees them, into tables of the same revision."""
    copy = _engine_of(draft)
    reading = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    try:
        with reading.connect() as source:
            upgrade(copy, current_revision(source) or "head")
            with copy.begin() as destination:
                copy_rows(source, destination)
    finally:
        copy.dispose()


def _close_file(draft: Path) -> None:
    """Make it one file without companions, known by a number of its own, and look whether it can be read."""
    with closing(sqlite3.connect(draft)) as copy:
        copy.execute("PRAGMA journal_mode=DELETE")
        copy.execute(renaming())
        (verdict,) = copy.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise InputError(f"The copy is damaged, and so is the database ({verdict}): see `latcast db check`.")


def _engine_of(path: Path) -> Engine:
    return create_engine_at(URL.create("sqlite", database=str(path)))


def reading_engine(path: Path) -> Engine:
    """An engine that reads a file of SQLite and leaves it as it is.

    Raises:
        InputError: there is no such file.
    """
    if not path.is_file():
        raise InputError(f"There is no file {path}.")
    return create_engine("sqlite://", creator=lambda: _reading(path), poolclass=NullPool)


def _reading(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


def restore(path: Path, engine: Engine) -> dict[str, int]:
    """Put a copy into a database that is empty, of either kind, at the newest revision; how many rows each table got.

    Args:
        path: of a copy by `back_up`, or of any database of latcast in SQLite, of this version or an earlier one. It
            stays as it is.
        engine: of the database.

    Raises:
        InputError: the file is no database of latcast, or one of a newer version.
        ConflictError: the database holds something.
        UnavailableError: it cannot be reached or written.
    """
    with tempfile.TemporaryDirectory(prefix="latcast-restore-") as folder:
        upgraded = _upgraded(path, Path(folder) / "copy.db")
        try:
            upgrade(engine)
            with engine.begin() as destination, upgraded.connect() as source:
                _require_empty(destination)
                copied = copy_rows(source, destination)
                set_sequences(destination)
                return copied
        finally:
            upgraded.dispose()


def _upgraded(path: Path, copy: Path) -> Engine:
    """A copy of the file at the newest revision."""
    try:
        _copy_file(reading_engine(path), copy)
    except (DatabaseError, sqlite3.DatabaseError) as error:
        raise InputError(f"{path} is no database of latcast, or a damaged one.") from error
    upgraded = _engine_of(copy)
    with upgraded.connect() as connection:
        if current_revision(connection) is None and not inspect(connection).get_table_names():
            raise InputError(f"{path} is empty.")
    upgrade(upgraded)
    return upgraded


def _require_empty(connection: Connection) -> None:
    for table in reflected(connection):
        count = connection.scalar(select(func.count()).select_from(table))
        if count:
            rows = counted(count, f"row of {table.name}, which stays", f"rows of {table.name}, which stay")
            raise ConflictError(
                f"The database holds {rows}: restore into an empty one (another LATCAST_DATA_DIR or "
                "LATCAST_DATABASE_URL), or move the file away while no service runs."
            )

"""The database's file, its log and its folder are the owner's alone, and another file in its place is refused."""

import gc
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete, func, select
from sqlalchemy.exc import OperationalError

from service.db import database_file, session, tables
from service.db.backup import back_up
from service.db.changes import Changes
from service.db.failures import cause_of
from service.db.session import READ_ONLY, Database, create_engine_for, upgrade
from service.settings import Settings


@pytest.fixture(autouse=True)
def _common_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}


def test_a_new_database_is_the_owners_alone_from_the_first_byte(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    engine = create_engine_for(settings)
    assert modes(settings.data_dir) == {"latcast.db": 0o600}
    upgrade(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT count(*) FROM job")
        names = [f"latcast.db{ending}" for ending in ("", "-wal", "-shm", "-commits")]
        assert modes(settings.data_dir) == dict.fromkeys(names, 0o600)
    engine.dispose()
    assert settings.data_dir.stat().st_mode & 0o777 == 0o700


def test_an_older_looser_database_is_tightened_and_its_folder_left(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tmp_path.chmod(0o755)
    path = tmp_path / "old.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE row (id INTEGER)")
    assert modes(tmp_path)["old.db-wal"] == 0o644
    create_engine_for(Settings(database_url=f"sqlite:///{path}")).dispose()
    assert set(modes(tmp_path).values()) == {0o600}
    assert tmp_path.stat().st_mode & 0o777 == 0o755
    assert not caplog.records
    connection.close()


def test_what_stays_open_to_others_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "theirs.db"
    path.touch(mode=0o644)
    tmp_path.chmod(0o777)
    monkeypatch.setattr(database_file, "restrict", lambda path: not path.stat())  # a companion that is not there raises
    database_file.keep_private(path)
    file, folder = (record.getMessage() for record in caplog.records)
    assert "chmod 600" in file
    assert "chmod go-w" in folder


def test_a_database_in_memory_has_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for url in ("sqlite://", "sqlite:///:memory:"):
        create_engine_for(Settings(database_url=url)).dispose()
    assert not list(tmp_path.iterdir())


def count(database: Database) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(tables.Architecture)) or 0


def add(database: Database, text: str) -> None:
    with database.write.begin() as session:
        session.add(tables.Architecture(space="s", text=text))


@pytest.fixture
def used(new_sqlite: str) -> Iterator[tuple[Path, Database]]:
    """A database's file, and the database, which has open connections to it."""
    database = Database(create_engine_for(Settings(database_url=new_sqlite)))
    add(database, "before")
    yield Path(new_sqlite.removeprefix("sqlite:///")), database
    database.close()


@pytest.mark.parametrize("replaced", [False, True])
def test_nothing_is_read_from_or_written_to_a_file_without_its_name(
    used: tuple[Path, Database], replaced: bool
) -> None:
    path, database = used
    aside = path.rename(path.with_name("aside"))
    if replaced:
        path.write_bytes(aside.read_bytes())
    for use in (lambda: count(database), lambda: add(database, "lost")):
        with pytest.raises(OperationalError, match="deleted or replaced") as error:
            use()
        assert "stop `latcast serve`" in cause_of(error.value).sentence
    database.close()
    with pytest.raises(OperationalError, match="deleted or replaced"):  # a new connection would make an empty file
        count(database)
    assert path.exists() == replaced


def test_a_file_that_goes_during_a_transaction_is_no_success(used: tuple[Path, Database]) -> None:
    path, database = used
    writing = database.write()
    writing.add(tables.Architecture(space="s", text="during"))
    writing.flush()
    aside = path.rename(path.with_name("aside"))
    with pytest.raises(OperationalError, match="deleted or replaced"):
        writing.commit()
    writing.close()
    aside.rename(path)
    assert count(database) == 1


def test_the_file_under_its_name_again_is_used_again(used: tuple[Path, Database]) -> None:
    path, database = used
    changes = Changes(database)
    changes.look()
    aside, generation = path.rename(path.with_name("aside")), changes.generation
    changes.look()
    assert (changes.reachable, changes.generation > generation) == (False, True)
    aside.rename(path)
    changes.look()
    assert changes.reachable
    add(database, "after")
    assert count(database) == 2
    changes.close()


def another_database(path: Path, folder: Path) -> bytes:
    """A database of latcast that has seen more changes than the one at the path."""
    other = Database(create_engine_for(Settings(database_url=f"sqlite:///{folder / 'other.db'}")))
    upgrade(other.engine)
    for number in range(20):
        add(other, f"row {number}")
    other.close()
    content = (folder / "other.db").read_bytes()
    assert content[60:64] > path.read_bytes()[60:64]  # the number of commits
    return content


def a_backup(path: Path, folder: Path) -> bytes:
    """What `latcast db backup` makes, of this very moment."""
    database = Database(create_engine_for(Settings(database_url=f"sqlite:///{path}")))
    back_up(database.engine, folder / "backup.db")
    database.close()
    return (folder / "backup.db").read_bytes()


def write_back(database: Database) -> None:
    """Let SQLite write what it keeps in its log into the file."""
    run_raw(database, "PRAGMA wal_checkpoint(TRUNCATE)")


def run_raw(database: Database, statement: str) -> None:
    connection = database.engine.raw_connection()
    connection.cursor().execute(statement)
    connection.close()


OVERWRITTEN: dict[str, Callable[[Path, Path], bytes]] = {
    "earlier copy": lambda _path, folder: (folder / "earlier.db").read_bytes(),
    "backup": a_backup,
    "another database": another_database,
    "text": lambda _path, _folder: b"hello" * 1000,
    "zeros": lambda path, _folder: bytes(path.stat().st_size),
    "nothing": lambda _path, _folder: b"",
    "its first pages": lambda path, _folder: path.read_bytes()[:8192],
}


@pytest.mark.parametrize("content", OVERWRITTEN)
def test_a_file_that_is_written_over_in_place_is_refused(used: tuple[Path, Database], content: str) -> None:
    path, database = used
    changes, inode = Changes(database), path.stat().st_ino
    write_back(database)
    shutil.copyfile(path, path.with_name("earlier.db"))
    add(database, "after")
    write_back(database)
    changes.look()
    assert (changes.reachable, count(database)) == (True, 2)
    before = path.read_bytes()
    path.write_bytes(OVERWRITTEN[content](path, path.parent))
    assert path.stat().st_ino == inode
    for use in (lambda: count(database), lambda: add(database, "lost")):
        with pytest.raises(OperationalError, match="was overwritten") as error:
            use()
        assert "written over the database's file" in cause_of(error.value).sentence
    changes.look()
    assert not changes.reachable
    path.write_bytes(before)  # the log beside it may have been played into what was there meanwhile
    with pytest.raises(OperationalError, match="was overwritten"):
        count(database)
    changes.close()


def test_a_file_that_is_written_over_during_a_transaction_is_no_success(used: tuple[Path, Database]) -> None:
    path, database = used
    writing = database.write()
    writing.add(tables.Architecture(space="s", text="during"))
    writing.flush()
    path.write_bytes(another_database(path, path.parent))
    with pytest.raises(OperationalError, match="was overwritten"):
        writing.commit()
    writing.close()


def test_what_sqlite_itself_does_to_the_file_is_no_overwriting(used: tuple[Path, Database]) -> None:
    path, database = used
    other = Database(create_engine_for(Settings(database_url=f"sqlite:///{path}")))
    for number in range(20):
        add(other if number % 2 else database, f"row {number}" + "long" * 5000)
        write_back(database if number % 3 else other)
    with database.write.begin() as session:
        session.execute(delete(tables.Architecture))
    size = path.stat().st_size
    run_raw(database, "VACUUM")
    write_back(other)
    assert path.stat().st_size < size
    upgrade(other.engine)
    assert count(database) == count(other) == 0
    other.close()


@pytest.mark.parametrize("steps", [(2**30, 2**31 - 2), (2**30, -(2**31), -2)])
def test_commits_are_counted_beyond_the_numbers_that_the_head_can_hold(
    used: tuple[Path, Database], steps: tuple[int, ...]
) -> None:
    _path, database = used
    for step in steps:  # more at once would be a step back
        run_raw(database, f"PRAGMA user_version = {step}")
        write_back(database)
        assert count(database)
    for text in "abc":
        add(database, text)
        write_back(database)
    assert commits(database) == {2**31 - 2: -(2**31) + 1, -2: 1}[steps[-1]]


def commits(database: Database) -> int:
    with database.read() as session:
        return int(session.connection().exec_driver_sql("PRAGMA user_version").scalar() or 0)


def test_only_what_changes_something_is_counted(used: tuple[Path, Database]) -> None:
    _path, database = used
    before = commits(database)
    with database.write.begin() as session:
        session.execute(select(tables.Architecture)).all()
    assert commits(database) == before
    add(database, "more")
    assert commits(database) == before + 1


def test_a_connection_that_was_detached_counts_what_it_writes(used: tuple[Path, Database]) -> None:
    _path, database = used
    before = commits(database)
    with database.engine.connect() as connection:
        connection.detach()
        connection.execution_options(**{READ_ONLY: True})
        with connection.begin():
            connection.exec_driver_sql("CREATE TEMPORARY TABLE mine (id INTEGER)")
            connection.exec_driver_sql("INSERT INTO mine VALUES (1)")
        assert commits(database) == before
        connection.execution_options(**{READ_ONLY: False})
        with connection.begin():
            connection.exec_driver_sql("DELETE FROM architecture")
    assert (commits(database), count(database)) == (before + 1, 0)


def test_a_commit_that_cannot_be_counted_is_a_failure_of_the_database(
    used: tuple[Path, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    _path, database = used

    def fail(_connection: sqlite3.Connection) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(session, "count_commit", fail)
        with pytest.raises(OperationalError, match="disk is full") as error:
            add(database, "lost")
    assert "no space left" in cause_of(error.value).sentence
    add(database, "after")
    assert count(database) == 2


LOCK_IN_ANOTHER_PROCESS = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=0)
try:
    connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    connection.execute("BEGIN EXCLUSIVE")
    connection.execute("PRAGMA journal_mode=DELETE")
except sqlite3.OperationalError as error:
    print(error)
"""


@pytest.mark.slow
def test_looking_at_the_file_takes_no_lock_of_sqlites_away(used: tuple[Path, Database]) -> None:
    path, database = used
    with database.read() as session:
        session.execute(select(tables.Architecture)).all()
        for _ in range(3):  # engines that come and go, as a worker's beside the service's
            other = Database(create_engine_for(Settings(database_url=f"sqlite:///{path}")))
            assert count(other) == 1
            other.close()
            del other
            gc.collect()
        arguments = [sys.executable, "-S", "-c", LOCK_IN_ANOTHER_PROCESS, str(path)]
        told = subprocess.run(arguments, capture_output=True, text=True, check=True)
        assert told.stdout.strip() == "database is locked"


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs Linux's list of open files")
def test_a_deleted_file_can_be_copied_out_of_the_process_that_uses_it(used: tuple[Path, Database]) -> None:
    path, database = used
    path.unlink()
    files = [one for one in Path("/proc/self/fd").iterdir() if one.is_symlink()]
    still_open = next(one for one in files if str(one.readlink()) == f"{path} (deleted)")
    rescued = path.with_name("rescued.db")
    shutil.copyfile(still_open, rescued)
    shutil.copyfile(f"{path}-wal", f"{rescued}-wal")
    restored = Database(create_engine_for(Settings(database_url=f"sqlite:///{rescued}")))
    assert count(restored) == 1
    restored.close()
    database.close()

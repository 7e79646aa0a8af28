"""The database's file, its log and its folder are the owner's alone, and another file in its place is refused."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from service.db import database_file, tables
from service.db.changes import Changes
from service.db.failures import cause_of
from service.db.session import Database, create_engine_for, upgrade
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
        assert modes(settings.data_dir) == dict.fromkeys(("latcast.db", "latcast.db-wal", "latcast.db-shm"), 0o600)
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
    session = database.write()
    session.add(tables.Architecture(space="s", text="during"))
    session.flush()
    aside = path.rename(path.with_name("aside"))
    with pytest.raises(OperationalError, match="deleted or replaced"):
        session.commit()
    session.close()
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

"""A database that lost transactions while nobody used it is noticed; one that is as it was is not."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from service.cli.common import open_database
from service.db import tables
from service.db.commit_note import missing_commits
from service.db.session import Database, create_engine_for, upgrade
from service.settings import Settings


def keep_graphs(database: Database, *names: str) -> None:
    for name in names:
        with database.write.begin() as session:
            session.add(tables.Graph(hash=name, model=b"", summary={}, created_unix_s=0.0))


def killed(folder: Path, *names: str) -> Path:
    """A copy of a folder as it would be after its service was killed: the log is not written back."""
    settings = Settings(data_dir=folder)
    database = Database(create_engine_for(settings))
    upgrade(database.engine)
    keep_graphs(database, *names)
    copy = folder.with_name(f"{folder.name}-killed")
    shutil.copytree(folder, copy)
    database.close()
    return copy


def missing(folder: Path) -> int:
    engine = create_engine_for(Settings(data_dir=folder))
    try:
        return missing_commits(engine)
    finally:
        engine.dispose()


def remove_log(folder: Path) -> None:
    for ending in ("-wal", "-shm"):
        (folder / f"latcast.db{ending}").unlink()


def empty_log(folder: Path) -> None:
    (folder / "latcast.db-wal").write_bytes(b"")
    (folder / "latcast.db-shm").unlink()


def cut_log(folder: Path) -> None:
    log = folder / "latcast.db-wal"
    os.truncate(log, log.stat().st_size * 3 // 4)
    (folder / "latcast.db-shm").unlink()


def test_what_is_all_there_is_not_missed(tmp_path: Path) -> None:
    folder = killed(tmp_path / "data", "a", "b", "c")
    assert missing(folder) == 0
    assert missing(tmp_path / "data") == 0


@pytest.mark.parametrize("harm", [remove_log, empty_log, cut_log])
def test_a_log_that_is_gone_is_noticed(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    written_back = tmp_path / "data"
    killed(written_back)  # whose close writes the log back
    shutil.rmtree(tmp_path / "data-killed")
    folder = killed(written_back, *map(str, range(60)))
    harm(folder)
    assert 0 < missing(folder) < 60


def test_an_earlier_copy_is_noticed_and_another_database_is_none(tmp_path: Path) -> None:
    early = killed(tmp_path / "data")
    database = Database(create_engine_for(Settings(data_dir=tmp_path / "data")))
    keep_graphs(database, "a", "b", "c")
    database.close()
    shutil.copy(tmp_path / "data" / "latcast.db-commits", early)
    assert missing(early) == 2  # the last one is not noted
    other = killed(tmp_path / "other")
    shutil.copy(tmp_path / "data" / "latcast.db-commits", other)
    assert missing(other) == 0


def test_it_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    killed(tmp_path / "data")
    shutil.rmtree(tmp_path / "data-killed")
    folder = killed(tmp_path / "data", "a", "b", "c")
    remove_log(folder)
    for said in (True, False):
        with open_database(data_dir=folder) as (database, _):
            keep_graphs(database, f"first-{said}", f"second-{said}")
        told = " ".join(capsys.readouterr().err.split())
        assert ("lacks 2 of its newest changes or more: the file with -wal after its name was removed" in told) is said


def test_a_note_that_cannot_be_read_or_written_stops_nobody(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    killed(folder, "a")
    note = folder / "latcast.db-commits"
    for content in (b"", b"x", b"1 2 3", b"\xff" * 64):
        note.write_bytes(content)
        assert missing(folder) == 0
    note.unlink()
    note.mkdir()
    killed_again = Database(create_engine_for(Settings(data_dir=folder)))
    keep_graphs(killed_again, "b")
    killed_again.close()
    assert missing(folder) == 0


def test_other_databases_have_no_note() -> None:
    assert missing_commits(create_engine("sqlite://")) == 0

"""A database is copied while others write, and a copy is put back into either kind of database, and served."""

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, make_url, text
from sqlalchemy.exc import DatabaseError

from latcast.client import Client
from latcast.errors import ConflictError
from latcast.schema import InputError
from service.app import create_app
from service.db.backup import back_up, reading_engine, restore
from service.db.integrity import look
from service.db.migrate import current_revision, head_revision
from service.db.session import create_engine_for
from service.db.tables import Architecture
from service.settings import Settings
from tests.service.db.test_copying import contents
from tests.service.helpers import TARGET, DirectReader, FakeForecaster, World, run_sql

DATABASES = Path(__file__).parents[2] / "data" / "databases"
RELEASES = sorted(DATABASES.glob("*.sqlite3"))
"""A database of each release; every migration runs on them."""


@pytest.fixture(params=["sqlite", "postgres"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database of each kind in which there is nothing yet."""
    url = f"sqlite:///{tmp_path / 'new' / 'latcast.db'}"
    if request.param == "postgres":
        server: str = request.getfixturevalue("postgres_server")
        run_sql(server, "DROP DATABASE IF EXISTS restored WITH (FORCE)", "CREATE DATABASE restored")
        url = make_url(server).set(database="restored").render_as_string(hide_password=False)
    engine = create_engine_for(Settings(database_url=url))
    yield engine
    engine.dispose()


def served(engine: Engine) -> list[dict[str, Any]]:
    """What the service answers about the measurements of `TARGET` over this database."""
    settings = Settings(database_url=engine.url.render_as_string(hide_password=False), log_level="error")
    app = create_app(settings, reader=DirectReader(), forecaster=FakeForecaster())
    with TestClient(app) as http:
        client = Client("http://testserver", transport=http._transport)
        rows = list(client.measurements(TARGET.id))
        return [*rows, *(client.measurement(row["id"]) for row in rows if row["median_ms"] is not None)]


@pytest.mark.slow
def test_a_restored_copy_answers_as_the_database_did(measured: World, empty: Engine, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    back_up(measured.database.engine, copy)
    before = contents(measured.database.engine)
    with measured.database.write.begin() as session:
        session.add(Architecture(space="toy", text="later"))
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.glob("copy.db*")] == ["copy.db"], "one file, without companions"
    rows = restore(copy, empty)
    assert contents(empty) == before
    assert rows["measurement"] == 7
    assert served(empty) == served(measured.database.engine)
    with empty.connect() as connection:
        assert look(connection).problems == ()


def test_a_copy_has_one_moment_while_others_write(measured: World, tmp_path: Path) -> None:
    """A writer's open transaction neither waits for the copy, nor is it in it."""
    with measured.database.write.begin() as session:
        session.execute(text("UPDATE device SET name = 'later'"))
        back_up(measured.database.engine, tmp_path / "copy.db")
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        assert copy.execute("SELECT name FROM device").fetchall() == [("bench",)]


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.stem)
def test_databases_of_every_release_are_restored(release: Path, empty: Engine) -> None:
    before = release.read_bytes()
    rows = restore(release, empty)
    assert release.read_bytes() == before
    assert rows["job"] > 0
    with empty.connect() as connection:
        assert current_revision(connection) == head_revision()
        assert look(connection).problems == ()


def test_nothing_is_written_over(measured: World, tmp_path: Path) -> None:
    engine, copy = measured.database.engine, tmp_path / "copy.db"
    back_up(engine, copy)
    with pytest.raises(InputError, match="there already"):
        back_up(engine, copy)
    with pytest.raises(ConflictError, match="1 row of api_key, which stays"):
        restore(copy, engine)


def test_what_is_no_copy_is_refused(empty: Engine, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file"):
        restore(tmp_path / "nowhere.db", empty)
    (tmp_path / "text.db").write_text("not a database, but long enough to look at" * 20)
    with pytest.raises(InputError, match="no database of latcast"):
        restore(tmp_path / "text.db", empty)
    with closing(sqlite3.connect(tmp_path / "strange.db")) as strange:
        strange.execute("CREATE TABLE photos (id INTEGER)")
    with pytest.raises(InputError, match="another program"):
        restore(tmp_path / "strange.db", empty)
    with pytest.raises(InputError, match="empty"):
        back_up(empty, tmp_path / "copy.db")
    assert not list(tmp_path.glob("copy.db*"))


def test_a_copy_nowhere_is_refused(measured: World, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        back_up(measured.database.engine, tmp_path / "nowhere" / "copy.db")


def test_files_are_read_whatever_they_are_called_and_stay(tmp_path: Path) -> None:
    path = tmp_path / "50%?#.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE device (id INTEGER)")
    with reading_engine(path).connect() as connection, pytest.raises(DatabaseError, match="readonly"):
        connection.execute(text("INSERT INTO device VALUES (1)"))

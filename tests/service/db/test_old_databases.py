"""A database of each release is brought to today's revision with all its rows, on SQLite and PostgreSQL, and serves."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from service.app import create_app
from service.db.backup import restore
from service.db.integrity import look
from service.db.migrate import current_revision, head_revision
from service.db.session import Database
from service.db.tables import Base
from service.settings import Settings
from tests.service.helpers import DirectReader, FakeForecaster

WITHOUT_SOURCE = """
SELECT count(*) FROM measurement LEFT JOIN attempt ON attempt.lease_token = measurement.lease_token
WHERE coalesce(measurement.agent_id, '') <> coalesce(attempt.agent_id, '')
OR with_kernels <> EXISTS (SELECT 1 FROM kernel_measurement WHERE measurement_id = measurement.id)"""
"""Rows that do not say who reported them, or whether their kernels were timed."""
FILES = sorted((Path(__file__).parents[2] / "data" / "databases").glob("*.sqlite3"))


def counts(path: Path) -> dict[str, int]:
    """How many rows each table of a file has."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]  # noqa: S608 - names of our tables
            for name in names
            if name in Base.metadata.tables
        }


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_old_database_is_whole_after_all_migrations(
    file: Path, database: Database, database_url: str, tmp_path: Path
) -> None:
    restore(file, database.engine)
    with database.engine.connect() as connection:
        found = look(connection)
        assert (found.problems, current_revision(connection)) == ((), head_revision())
    before = counts(file)
    assert {name: found.rows[name] for name in before} == before
    with database.engine.connect() as connection:
        assert connection.scalar(text(WITHOUT_SOURCE)) == 0
        reported = connection.scalar(
            text("SELECT count(*) FROM measurement WHERE agent_id IS NOT NULL AND with_kernels")
        )
    assert reported or not before["measurement"]
    settings = Settings(database_url=database_url, data_dir=tmp_path, log_level="error", rate_per_second=0)
    app = create_app(settings, reader=DirectReader(), forecaster=FakeForecaster())
    with TestClient(app) as http:
        assert http.get("/readyz").status_code == 200
        assert http.get("/v1/session").json()["keys_required"] is True


def test_every_release_has_a_file() -> None:
    assert {file.name[:3] for file in FILES} >= {"0_1", "0_2"}

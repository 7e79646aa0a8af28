"""A database that is whole has no problems; each kind of damage is named in a sentence."""

import sqlite3
import zlib
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from latcast.schema import InputError, JobState
from service.db import tables
from service.db.integrity import PIECE_BYTES, Findings, look
from service.db.session import Database, create_engine_for
from service.settings import Settings
from tests.service.helpers import World


def findings(database: Database) -> Findings:
    with database.engine.connect() as connection:
        return look(connection)


def test_a_database_in_use_is_whole(measured: World) -> None:
    found = findings(measured.database)
    assert found.problems == ()
    assert found.revision == found.head
    assert (found.rows["measurement"], found.rows["graph"], found.rows["adaptation"]) == (7, 6, 0)


def test_damage_is_named(measured: World) -> None:
    with measured.database.write.begin() as session:
        session.add(tables.Artifact(digest="wrong", content=b"x"))
        session.add(tables.Graph(hash="g", model=b"not packed", summary={}))
        session.add(tables.Graph(hash="h", model=zlib.compress(b"cut off" * 100)[:-9], summary={}))
        session.add(tables.Graph(hash="i", model=zlib.compress(bytes(3 * PIECE_BYTES)), summary={}))
        for number in range(7):
            session.add(tables.Job(id=f"j{number}", kind="adapt", state=JobState.LEASED, payload={}, max_attempts=1))
    problems = findings(measured.database).problems
    assert "1 artifact differs from its digest: wrong." in problems
    assert "2 graphs cannot be unpacked: g, h." in problems
    assert "7 leased jobs have no attempt: j0, j1, j2, j3, j4 and 2 more." in problems


def test_references_to_nothing_are_counted(new_sqlite: str, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "latcast.db")) as connection, connection:  # whose foreign keys are off
        connection.execute("INSERT INTO architecture (space, text, graph_hash) VALUES ('toy', 'a', 'none')")
    database = Database(create_engine_for(Settings(database_url=new_sqlite)))
    assert findings(database).problems == ("1 row of architecture refers to rows that are not there.",)
    database.close()


def test_counters_behind_their_rows_are_named(new_postgres: str) -> None:
    database = Database(create_engine_for(Settings(database_url=new_postgres)))
    with database.write.begin() as session:
        session.add(tables.Architecture(id=41, space="toy", text="a"))
    (problem,) = findings(database).problems
    assert problem.startswith("The counter of architecture is at 1, and there is a row 41")
    database.close()


def test_strangers_are_refused_and_old_ones_named(database: Database) -> None:
    with database.write.begin() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    assert any("latcast db upgrade" in problem for problem in findings(database).problems)
    with database.write.begin() as session:
        session.execute(text("UPDATE alembic_version SET version_num = 'future'"))
    with pytest.raises(InputError, match="newer latcast"):
        findings(database)

"""Whether a process can serve, part by part, with a sentence where one is not as it should be."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import event, text

from service.db.session import Database, create_engine_for
from service.operations.readiness import KEPT_S, Readiness, is_ready
from service.settings import Settings
from tests.service.helpers import World, model


def looked(database: Database, artifacts: str = "") -> dict[str, str]:
    """What a first look says."""
    return dict(Readiness(database, lambda: artifacts).state())


def set_revision(database: Database, revision: str) -> None:
    with database.write.begin() as session:
        session.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})


def test_all_parts_are_well(database: Database) -> None:
    state = looked(database)
    assert state == {"database": "ok", "migrations": "ok", "artifacts": "ok"}
    assert is_ready(state)


def test_an_artifact_that_cannot_be_used_is_said_and_others_are_served(database: Database) -> None:
    state = looked(database, "Damaged: the adaptation of target t.")
    assert state["artifacts"] == "Damaged: the adaptation of target t."
    assert is_ready(state)


def test_a_revision_from_before_asks_for_a_restart_and_a_newer_one_for_an_upgrade(database: Database) -> None:
    set_revision(database, "0001")
    assert "restart `latcast serve`" in looked(database)["migrations"]
    set_revision(database, "9999")
    state = looked(database)
    assert "made by a newer latcast" in state["migrations"]
    assert "restart" not in state["migrations"]
    assert not is_ready(state)


def test_a_table_that_is_missing_is_said(new_sqlite: str) -> None:
    database = Database(create_engine_for(Settings(database_url=new_sqlite)))
    with database.write.begin() as session:
        session.execute(text("ALTER TABLE microbench RENAME TO former"))
    state = looked(database)
    assert "lacks a table" in state["database"]
    assert not is_ready(state)
    database.close()


def test_an_unreachable_database_is_not_ready() -> None:
    away = Database(create_engine_for(Settings(database_url="postgresql://nobody@127.0.0.1:1/none?connect_timeout=1")))
    assert "cannot be reached" in looked(away)["database"]
    away.close()


def test_readiness_waits_for_no_writer(new_sqlite: str) -> None:
    database = Database(create_engine_for(Settings(database_url=new_sqlite)))
    begun: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *arguments: begun.append(arguments[2]))
    writer = sqlite3.connect(new_sqlite.removeprefix("sqlite:///"), isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    assert is_ready(looked(database))
    assert "BEGIN" in begun
    assert "BEGIN IMMEDIATE" not in begun
    writer.close()
    database.close()


def test_the_database_is_looked_at_once_a_second(database: Database) -> None:
    now = [100.0]
    readiness = Readiness(database, lambda: "", clock=lambda: now[0])
    assert is_ready(readiness.state())
    set_revision(database, "9999")
    now[0] += KEPT_S / 2
    assert is_ready(readiness.state())
    now[0] += KEPT_S / 2
    assert not is_ready(readiness.state())


def deleted(path: Path) -> None:
    path.unlink()


def overwritten(path: Path) -> None:
    path.write_bytes(b"x" * path.stat().st_size)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("harm", "says"), [(deleted, "deleted or replaced"), (overwritten, "written over the database's file")]
)
def test_harm_to_the_file_is_said_by_readiness_and_by_every_call(
    new_sqlite: str, make_world: Callable[..., World], harm: Callable[[Path], None], says: str
) -> None:
    world = make_world()
    world.client.targets()
    harm(Path(new_sqlite.removeprefix("sqlite:///")))
    for answer in (world.http.get("/targets"), world.http.post("/graphs", content=model())):
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
        assert says in answer.json()["detail"]
    ready = world.http.get("/readyz")
    assert ready.status_code == 503
    assert says in ready.json()["parts"]["database"]

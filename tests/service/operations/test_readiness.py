"""Whether a process can serve: database, migrations and artifacts, with a sentence where one is not as it should be."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from service.db import tables
from service.db.session import Database, create_engine_for
from service.settings import Settings
from tests.service.helpers import World, model


def test_ready_only_with_database_migrations_and_artifacts(world: World) -> None:
    assert world.client.readiness() == {
        "ready": True,
        "parts": {"database": "ok", "migrations": "ok", "artifacts": "ok"},
    }
    with world.database.write.begin() as session:
        session.add(tables.Artifact(digest="d", content=b"other bytes"))
        session.flush()
        session.add(tables.Predictor(kind="flops", artifact_digest="d", metrics={}))
    response = world.http.get("/readyz")
    assert response.status_code == 503
    assert "Corrupt artifacts: d" in response.json()["parts"]["artifacts"]
    with world.database.write.begin() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    assert "restart" in world.client.readiness()["parts"]["migrations"]
    assert not world.client.is_ready()
    assert world.http.get("/healthz").status_code == 200


def test_unreachable_database_is_not_ready(tmp_path) -> None:
    from service.operations.readiness import ArtifactCheck, readiness

    engine = create_engine_for(Settings(database_url="postgresql://nobody@127.0.0.1:1/none?connect_timeout=1"))
    assert "cannot be reached" in readiness(engine, ArtifactCheck())["database"]
    Database(engine).close()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_deleted_file_is_said_by_readiness_and_by_every_call(
    new_sqlite: str, make_world: Callable[..., World]
) -> None:
    world = make_world()
    world.client.targets()
    Path(new_sqlite.removeprefix("sqlite:///")).unlink()
    for answer in (world.http.get("/targets"), world.http.post("/graphs", content=model())):
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
        assert "deleted or replaced" in answer.json()["detail"]
    ready = world.http.get("/readyz")
    assert ready.status_code == 503
    assert "deleted or replaced" in ready.json()["parts"]["database"]

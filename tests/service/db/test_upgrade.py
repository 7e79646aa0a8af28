"""A database of version 0.1 is migrated, and adaptations that were interrupted at any point go on to their end.

`tests/data/databases` has the database: as a file of SQLite, and its rows as JSON for PostgreSQL, with what version 0.1
itself made of every open job (`facts`).
"""

import base64
import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from fastapi.testclient import TestClient
from sqlalchemy import Engine, MetaData, func, make_url, select, text, update
from sqlalchemy.orm import Session

from latcast.client import Client
from latcast.schema import Device, ProfileSettings, from_plain
from profilers.onnx_graph import load_graph
from service.app import create_app
from service.db import records, tables
from service.db.migrate import _config, current_revision, head_revision
from service.db.session import Database, create_engine_for, upgrade
from service.db.tables import GraphFacts
from service.graphs.store import facts_of
from service.jobs import queue
from service.jobs.payloads import AdaptPayload, Pool, parsed
from service.settings import Settings
from tests.service.helpers import CELL, DEVICE, OTHER_TARGET, TARGET, DirectReader, World, measurement, run_sql

DATABASES = Path(__file__).parents[2] / "data" / "databases"
DOCUMENT = json.loads((DATABASES / "0_1_open_adaptation.json").read_text(encoding="utf-8"))
FACTS = DOCUMENT["facts"]
OPEN = ("adapt_fitting", "adapt_stale", "adapt_measuring", "adapt_planning", "adapt_pending", "adapt_table")


@pytest.fixture
def old_sqlite(tmp_path: Path) -> str:
    """Address of a copy of the file that version 0.1 left behind."""
    path = tmp_path / "old.db"
    shutil.copy(DATABASES / "0_1_open_adaptation.sqlite3", path)
    return f"sqlite:///{path}"


@pytest.fixture(scope="module")
def postgres_template(postgres_server: str) -> str:
    """Name of a PostgreSQL database with the rows of version 0.1, to be copied."""
    run_sql(postgres_server, "CREATE DATABASE old_template")
    engine = create_engine_for(Settings(database_url=named(postgres_server, "old_template")))
    upgrade(engine, DOCUMENT["revision"])
    load_rows(engine)
    engine.dispose()
    return "old_template"


@pytest.fixture
def old_postgres(postgres_server: str, postgres_template: str) -> str:
    """Address of a PostgreSQL database with the rows of version 0.1."""
    run_sql(
        postgres_server,
        "DROP DATABASE IF EXISTS old WITH (FORCE)",
        f"CREATE DATABASE old TEMPLATE {postgres_template}",
    )
    return named(postgres_server, "old")


def named(url: str, database: str) -> str:
    """The address of another database of the same server."""
    return make_url(url).set(database=database).render_as_string(hide_password=False)


def load_rows(engine: Engine) -> None:
    """Fill the tables of the old revision, which are not those of today's code."""
    metadata = MetaData()
    metadata.reflect(engine)
    with engine.begin() as connection:
        for table in metadata.sorted_tables:
            for row in DOCUMENT["tables"].get(table.name, []):
                connection.execute(table.insert(), {name: decoded(value) for name, value in row.items()})
        for name in ("architecture", "measurement", "microbench"):  # explicit ids leave the sequences behind
            newest = select(func.max(metadata.tables[name].c.id)).scalar_subquery()
            connection.execute(select(func.setval(func.pg_get_serial_sequence(name, "id"), newest)))


def decoded(value: Any) -> Any:
    """Bytes stand as base 64 in the JSON file."""
    if isinstance(value, dict) and value.keys() == {"base64"}:
        return base64.b64decode(value["base64"])
    return value


@pytest.fixture(params=["sqlite", "postgres"])
def old_engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """The database of version 0.1, not migrated yet."""
    engine = create_engine_for(Settings(database_url=request.getfixturevalue(f"old_{request.param}")))
    yield engine
    engine.dispose()


@pytest.fixture
def make_world(old_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], World]]:
    """Makes the service of today over the database, once that is migrated; its jobs are carried on by hand."""
    monkeypatch.setattr("service.learning.catalogue.REFRESH_SECONDS", 0.0)
    worlds: list[World] = []

    def make() -> World:
        url = old_engine.url.render_as_string(hide_password=False)
        settings = Settings(
            database_url=url,
            data_dir=tmp_path,
            tick_seconds=3600,
            learn_seconds=0,
            log_level="error",
            rate_per_second=0,
        )
        app = create_app(settings, reader=DirectReader())
        http = TestClient(app)
        http.__enter__()
        client = Client("http://testserver", FACTS["keys"]["admin"], transport=http._transport)
        worlds.append(World(app=app, settings=settings, database=app.state.parts.database, http=http, client=client))
        return worlds[-1]

    yield make
    for world in worlds:
        world.http.__exit__(None, None, None)


def work(agent: Client) -> int:
    """Measure whatever there is to measure, as the machine of the record would; how much that was."""
    done = 0
    while (job := agent.lease(wait_s=0)) is not None:
        graph = load_graph(agent.model(job["graph"]))
        target = TARGET if job["settings"]["threads"] == 1 else OTHER_TARGET
        asked = from_plain(ProfileSettings, job["settings"])
        sent = replace(measurement(graph.hash, target=target, ms=0.05 + graph.flops / 20e6), settings=asked)
        agent.result(job["id"], job["lease_token"], sent)
        done += 1
    return done


def support_of(session: Session, job_id: str) -> list[str]:
    """The networks that an adaptation's support consists of."""
    row = session.scalars(select(tables.Adaptation).where(tables.Adaptation.job_id == job_id)).one()
    chosen = session.scalars(select(tables.Measurement).where(tables.Measurement.id.in_(row.support)))
    return [one.graph_hash or (one.architecture.text if one.architecture else "") for one in chosen]


def forecast_medians(world: World) -> dict[str, float]:
    item = [{"space": "nasbench201", "text": CELL}]
    return {name: world.client.predict(target, item)[0]["latency_ms"] for name, target in FACTS["targets"].items()}


def recorded_medians(when: str) -> dict[str, Any]:
    """Forecasts of version 0.1; the shipped predictor knows more ways of executing cells since: .3 % apart."""
    return {name: pytest.approx(one["latency_ms"], rel=3e-3) for name, one in FACTS["finished"][when].items()}


@pytest.mark.slow
def test_open_adaptations_are_finished_and_rest_on_what_was_measured_before_as_well(
    old_engine: Engine, make_world: Callable[[], World]
) -> None:
    upgrade(old_engine)
    world = make_world()
    agent = world.client_with(FACTS["keys"]["agent"])
    assert forecast_medians(world) == recorded_medians("before")
    with world.database.write.begin() as session:
        queue.expire(session)
    while world.step() or work(agent) or any(world.client.jobs(state="leased")):
        pass
    with world.database.read() as session:
        active = session.scalars(select(tables.Adaptation.target_id).where(tables.Adaptation.active)).all()
    assert len(set(active)) == len(active)
    for name in OPEN:
        job, recorded = world.client.job(FACTS["jobs"][name]), FACTS["finished"]["results"][name]
        assert job["state"] == "done"
        assert job["result"]["support"] >= recorded["result"]["support"]
        assert job["result"]["failed"] == recorded["result"]["failed"]
        assert job["reasons"][-1]["outcome"] == "done"
        with world.database.read() as session:
            missing = set(recorded["support"]) - set(support_of(session, job["id"]))
            assert not missing or name == "adapt_pending", name  # which chooses today, among what is not measured


def test_forecasts_stay_when_the_device_moves_to_its_new_fingerprint(
    old_engine: Engine, make_world: Callable[[], World]
) -> None:
    """Artifacts know targets by their ids; those of version 0.1 follow from a fingerprint without the hardware."""
    upgrade(old_engine)
    with old_engine.begin() as connection:  # nothing is adapted meanwhile
        connection.execute(text("UPDATE job SET state = 'cancelled' WHERE kind = 'adapt'"))
    world = make_world()
    agent = world.client_with(FACTS["keys"]["agent"])
    new = replace(from_plain(Device, world.client.devices()[0]["device"]), fingerprint="fingerprint-with-hardware")
    offered = [replace(target, device=new.fingerprint) for target in (TARGET, OTHER_TARGET)]
    measured = {target.id: len(list(world.client.measurements(target.id))) for target in (TARGET, OTHER_TARGET)}
    former_ids = [target.id.encode() for target in (TARGET, OTHER_TARGET)]
    assert holders_of(world, former_ids), "there is something to rename"
    agent.register(new, offered, former_fingerprint=DEVICE.fingerprint)
    assert not holders_of(world, former_ids)
    assert forecast_medians(world) == recorded_medians("before")
    for former, target in zip((TARGET, OTHER_TARGET), offered, strict=True):
        assert len(list(world.client.measurements(target.id))) == measured[former.id]
        (new, old) = (
            world.client.predict(one.id, [{"space": "nasbench201", "text": CELL}])[0] for one in (target, former)
        )
        # What is remembered of an interval is its width: the last digit may differ.
        assert new.pop("interval_ms") == pytest.approx(old.pop("interval_ms"), rel=1e-12)
        assert new == old


def holders_of(world: World, ids: list[bytes]) -> list[str]:
    """The artifacts that know a target by one of these ids, after a check that each artifact is somebody's."""
    with world.database.read() as session:
        kept = session.execute(select(tables.Artifact.digest, tables.Artifact.content)).all()
        used = {*session.scalars(select(tables.Adaptation.artifact_digest))}
        used |= {*session.scalars(select(tables.Predictor.artifact_digest))}
    assert {digest for digest, _ in kept} == used
    return [digest for digest, content in kept if any(name in content for name in ids)]


def test_finished_jobs_stay_as_they_were(old_engine: Engine, make_world: Callable[[], World]) -> None:
    upgrade(old_engine)
    world = make_world()
    for name in ("adapt_done", "adapt_failed", "adapt_cancelled", "profile_done", "profile_failed"):
        kept = next(row for row in DOCUMENT["tables"]["job"] if row["id"] == FACTS["jobs"][name])
        job = world.client.job(kept["id"])
        assert (job["state"], job["result"], job["attempts"]) == (kept["state"], kept.get("result"), kept["attempts"])
        attempts = [row for row in DOCUMENT["tables"]["attempt"] if row["job_id"] == kept["id"]]
        assert {one["agent_id"] for one in job["reasons"]} == {row["agent_id"] for row in attempts}
        assert all(one["process"] is None for one in job["reasons"])


def test_a_lease_of_version_0_1_still_delivers(old_engine: Engine, make_world: Callable[[], World]) -> None:
    upgrade(old_engine)
    world = make_world()
    agent = world.client_with(FACTS["keys"]["agent"])
    leased = FACTS["jobs"]["leased"][0]
    graph = world.client.job(leased["id"])["graph"]
    target = TARGET if world.client.job(leased["id"])["target"] == TARGET.id else OTHER_TARGET
    receipt = agent.result(leased["id"], leased["lease_token"], measurement(graph, target=target))
    assert receipt["state"] == "done"


def test_claims_leave_the_payloads_even_those_that_run(old_engine: Engine) -> None:
    """A claim that has not run out must not keep a job from being carried on."""
    planning = FACTS["jobs"]["adapt_planning"]
    claim_until(old_engine, planning, time.time() + 3600)
    upgrade(old_engine)
    database = Database(old_engine)
    with database.read() as session:
        jobs = session.scalars(select(tables.Job).where(tables.Job.kind == "adapt")).all()
        assert len(jobs) > len(OPEN)
        assert not [job.id for job in jobs if "claim" in job.payload]
        payload = parsed(AdaptPayload, queue.find(session, planning))
        assert payload.pool == Pool(space=("nasbench201",))
    worker = queue.Worker(process="tests")
    with database.write.begin() as session:
        leased = []
        while job := queue.lease(session, kinds={AdaptPayload.kind}, worker=worker, lease_seconds=60):
            leased.append(job.id)
    waiting = {FACTS["jobs"][name] for name in ("adapt_stale", "adapt_measuring")}  # for their children
    assert set(leased) == {FACTS["jobs"][name] for name in OPEN} - waiting


def claim_until(engine: Engine, job_id: str, until_unix_s: float) -> None:
    """Claim a step as version 0.1 did."""
    job = MetaData()
    job.reflect(engine, only=["job"], resolve_fks=False)
    table = job.tables["job"]
    with engine.begin() as connection:
        payload = connection.execute(select(table.c.payload).where(table.c.id == job_id)).scalar_one()
        claimed = {**payload, "claim": {"token": "0" * 16, "until_unix_s": until_unix_s}}
        connection.execute(update(table).where(table.c.id == job_id).values(payload=claimed))


def test_the_migration_can_be_taken_back(old_engine: Engine) -> None:
    """Leases of the service's own, which the version before does not know, are gone then."""
    upgrade(old_engine)
    database = Database(old_engine)
    with database.write.begin() as session:
        job = queue.lease(session, kinds={AdaptPayload.kind}, worker=queue.Worker(process="tests"), lease_seconds=60)
        assert job is not None
    with old_engine.begin() as connection:
        command.downgrade(_config(connection), DOCUMENT["revision"])
    with old_engine.connect() as connection:
        assert current_revision(connection) == DOCUMENT["revision"]
        assert connection.execute(select(tables.Job.state).where(tables.Job.id == job.id)).scalar() == "queued"
        attempts = connection.execute(text("SELECT count(*) FROM attempt")).scalar()
        assert attempts == len(DOCUMENT["tables"]["attempt"])
    upgrade(old_engine)
    with old_engine.connect() as connection:
        assert current_revision(connection) == head_revision()


def test_columns_of_lists_are_filled_as_new_rows_fill_them(old_engine: Engine) -> None:
    upgrade(old_engine)
    with Session(old_engine) as session:
        graphs = {row.hash: facts_of(row.hash, row.summary) for row in session.scalars(select(tables.Graph))}
        assert graphs
        names = ("hash", "flops", "parameter_bytes", "activation_bytes", "nodes", "operators")
        facts = {row.hash: {name: getattr(row, name) for name in names} for row in session.scalars(select(GraphFacts))}
        assert facts == graphs
        rows = session.scalars(select(tables.Measurement).where(tables.Measurement.statistic == "samples")).all()
        for row in rows:
            summary = records.summary_record(row)
            expected = summary and pytest.approx(summary.iqr_ms / summary.median_ms)
            assert row.relative_iqr == expected
        assert any(row.relative_iqr is not None for row in rows)

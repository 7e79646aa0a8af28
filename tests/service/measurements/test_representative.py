"""One rule says which measurement represents a network, for learning, for answers and for support sets."""

import pytest
from sqlalchemy import update

from latcast.client import Client
from service.db import tables
from service.learning.datasets import load_dataset
from service.measurements.lookup import GRAPHS, measured_latencies, measured_networks
from service.measurements.representative import representative_ids
from tests.service.helpers import OTHER_TARGET, TARGET, World, measurement


@pytest.fixture
def agent(world: World) -> Client:
    """The agent of both targets."""
    return world.agent([TARGET, OTHER_TARGET])


@pytest.fixture
def rows(world: World, agent: Client) -> dict[str, int]:
    """Measurements by what is special about them: quiet ones, a later noisy one, and one of another network."""
    return {
        "first": world.measure(agent, ms=1.0),
        "second": world.measure(agent, ms=2.0),
        "noisy": world.measure(agent, ms=9.0, noisy=True),
        "noisy alone": world.measure(agent, 5, ms=5.0, noisy=True),
    }


def test_learning_and_answers_rest_on_the_same_rows(world: World, rows: dict[str, int]) -> None:
    graphs = [world.graph(4), world.graph(5)]
    with world.database.read() as session:
        chosen = representative_ids(session)
        assert chosen == [rows["second"], rows["noisy alone"]]
        assert [row.id for row in measured_networks(session, TARGET, GRAPHS)] == chosen
        latencies = measured_latencies(session, TARGET, GRAPHS, graphs)
        learnt = load_dataset(session).latency_ms
    assert [latencies[graph].median_ms for graph in graphs] == pytest.approx(learnt.tolist())


@pytest.mark.slow
def test_failures_and_other_feeds_represent_nothing(world: World, rows: dict[str, int]) -> None:
    with world.database.write.begin() as session:
        failed = {"median_ms": None, "failure_stage": "run", "failure_message": "no"}
        session.execute(update(tables.Measurement).where(tables.Measurement.id == rows["second"]).values(failed))
        session.execute(
            update(tables.Measurement).where(tables.Measurement.id == rows["noisy alone"]).values(feeds_key="zeros")
        )
    with world.database.read() as session:
        assert representative_ids(session) == [rows["first"]]
        assert [row.id for row in measured_networks(session, TARGET, GRAPHS)] == [rows["first"]]


def test_targets_are_kept_apart_and_tables_left_out_unless_asked_for(
    world: World, agent: Client, rows: dict[str, int]
) -> None:
    graph = world.graph(4)
    world.client.profile(OTHER_TARGET.id, graphs=[graph])
    job = agent.lease(wait_s=0)
    assert job is not None
    agent.result(job["id"], job["lease_token"], measurement(graph, target=OTHER_TARGET))
    with world.database.write.begin() as session:
        session.add(tables.Target(id="t", backend="table", origin="theirs", record={}, offered=False))
        session.flush()
        number = {"settings": {}, "feeds": [], "runs": [], "sentinel_ms": [], "protocol_version": 0}
        session.add(tables.Measurement(target_id="t", graph_hash=graph, median_ms=3.0, statistic="mean", **number))
    with world.database.read() as session:
        assert len(representative_ids(session)) == 3
        assert len(representative_ids(session, target_ids=[OTHER_TARGET.id])) == 1
        assert len(representative_ids(session, imported=True)) == 4
        assert len(representative_ids(session, target_ids=["t"], imported=True)) == 1
        assert representative_ids(session, target_ids=["t"]) == []

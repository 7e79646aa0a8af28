"""Alerts: work that waits for a device that is away, and work that failed."""

from sqlalchemy import update

from latcast.schema import Failure
from service.db import tables
from service.fleet.alerts import alerts_of
from service.fleet.presence import presence_of
from tests.service.helpers import DEVICE, TARGET, World, add_row


def alerts(world: World) -> list[tuple[str, str, str]]:
    with world.database.read() as session:
        ids = [row.id for row in session.query(tables.Device)]
        found = alerts_of(session, presence_of(session, ids, world.settings))
    return [(alert.level, alert.subject, alert.text) for alert in found]


def test_all_is_well_while_the_agent_is_there(world: World) -> None:
    world.agent()
    world.client.profile(TARGET.id, graphs=[world.graph()])
    assert alerts(world) == []


def test_a_silent_agent_with_work_is_one_alert_for_its_device(world: World) -> None:
    world.agent()
    world.client.profile(TARGET.id, graphs=[world.graph(2), world.graph(3)])
    with world.database.write.begin() as session:
        session.execute(update(tables.Agent).values(seen_unix_s=1.0))
    ((level, subject, text),) = alerts(world)
    assert (level, subject) == ("error", DEVICE.name)
    assert text.startswith("2 measurements wait for it. No agent of bench since")


def test_a_machine_that_became_slower_is_an_alert(world: World) -> None:
    world.agent()
    graph = world.graph()
    for place in range(20):
        add_row(world, graph, median_ms=1.0, sentinel_median_ms=2.0 if place < 15 else 2.6)
    ((level, subject, text),) = alerts(world)
    assert (level, subject) == ("warning", DEVICE.name)
    assert text.startswith("Its sentinel takes 30% longer than before")
    assert "latcast_targets_drifted 1.0" in world.http.get("/metrics").text


def test_failures_of_one_reason_are_one_alert(world: World) -> None:
    agent = world.agent()
    world.client.profile(TARGET.id, graphs=[world.graph(2), world.graph(3)])
    for _ in range(2):
        job = agent.lease(wait_s=0)
        assert job is not None
        agent.failure(job["id"], job["lease_token"], Failure(stage="open", message="no such operator"))
    ((level, subject, text),) = alerts(world)
    assert (level, subject) == ("warning", "profile")
    assert text.startswith("Failed 2 times in the last day.")

"""Numbers for operators: devices that are there, what waits and why, how old queue and leases are."""

import time

from sqlalchemy import update

from service.db.tables import Agent, Attempt, Job
from service.jobs.gauges import SILENT_S, fleet_gauges
from service.settings import Settings
from tests.service.helpers import TARGET, World


def values(world: World, name: str) -> dict[tuple[str, ...], float]:
    with world.database.read() as session:
        return fleet_gauges(session, Settings())[name][2]


def test_an_empty_service_has_nothing(world: World) -> None:
    assert values(world, "latcast_jobs") == {}
    assert values(world, "latcast_jobs_queued") == {("turn",): 0, ("agent",): 0}
    assert values(world, "latcast_queue_age_seconds") == values(world, "latcast_lease_age_seconds") == {(): 0.0}


def test_devices_queue_and_leases(world: World) -> None:
    agent = world.agent()
    world.client.profile(TARGET.id, graphs=[world.graph()])
    assert values(world, "latcast_jobs_queued") == {("turn",): 1, ("agent",): 0}
    assert values(world, "latcast_devices") == {("online",): 1, ("silent",): 0}
    with world.database.write.begin() as session:
        session.execute(update(Job).values(created_unix_s=time.time() - 1000))
    assert values(world, "latcast_queue_age_seconds")[()] >= 1000
    assert agent.lease(wait_s=0) is not None
    with world.database.write.begin() as session:
        session.execute(update(Attempt).values(started_unix_s=time.time() - 500))
        session.execute(update(Agent).values(seen_unix_s=time.time() - SILENT_S - 10))
    assert values(world, "latcast_lease_age_seconds")[()] >= 500
    assert values(world, "latcast_devices") == {("online",): 0, ("silent",): 1}
    assert values(world, "latcast_jobs_queued") == {("turn",): 0, ("agent",): 0}

"""The background look for jobs that nobody will take."""

import time

from sqlalchemy import update

from service.db import tables
from service.worker.abandoned import AbandonedJobs, fail_abandoned_jobs
from tests.service.helpers import DEVICE, OTHER_TARGET, TARGET, World


def test_abandoned_jobs_fail_and_others_stay(world: World) -> None:
    agent = world.agent([TARGET, OTHER_TARGET])
    graph = world.graph()
    (lost,) = world.client.profile(TARGET.id, graphs=[graph])
    (kept,) = world.client.profile(OTHER_TARGET.id, graphs=[graph])
    assert not fail_abandoned_jobs(world.database, world.settings)
    agent.register(DEVICE, [OTHER_TARGET])
    with world.database.write.begin() as session:
        session.execute(update(tables.Device).values(registered_unix_s=time.time() - 3600))
    assert not fail_abandoned_jobs(world.database, world.settings)
    assert world.client.job(lost["id"])["state"] == "failed"
    assert world.client.job(kept["id"])["state"] == "queued"


def test_agents_have_time_to_come_back_to_a_service_that_was_away(world: World) -> None:
    agent = world.agent([TARGET, OTHER_TARGET])
    (lost,) = world.client.profile(TARGET.id, graphs=[world.graph()])
    agent.register(DEVICE, [OTHER_TARGET])
    with world.database.write.begin() as session:
        session.execute(update(tables.Device).values(registered_unix_s=time.time() - 3600))
    now = [5.0]
    jobs = AbandonedJobs(world.database, world.settings, clock=lambda: now[0])
    now[0] += world.settings.unoffered_job_seconds - 1
    jobs.look()
    assert world.client.job(lost["id"])["state"] == "queued"
    now[0] += 2
    jobs.look()
    assert world.client.job(lost["id"])["state"] == "failed"

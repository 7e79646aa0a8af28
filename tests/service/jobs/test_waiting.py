"""Jobs say why they wait; those for which nobody will come fail with the reason, and the adaptations above them."""

import time

import pytest
from sqlalchemy import update

from latcast.schema import JobState
from service.db import tables
from service.jobs.waiting import abandoned, fail_abandoned
from tests.service.fleet.test_presence import revoke, seen
from tests.service.helpers import DEVICE, OTHER_TARGET, TARGET, World

HOUR = 3600.0


def registered(world: World, ago_s: float) -> None:
    with world.database.write.begin() as session:
        session.execute(update(tables.Device).values(registered_unix_s=time.time() - ago_s))


def fail(world: World) -> int:
    with world.database.write.begin() as session:
        return fail_abandoned(session, world.settings)


def test_a_job_waits_silently_while_an_agent_is_there(world: World) -> None:
    agent = world.agent()
    (made,) = world.client.profile(TARGET.id, graphs=[world.graph()])
    assert made["waiting"] is None
    assert world.client.job(made["id"])["waiting"] is None
    seen(world, HOUR)
    then = time.strftime("%H:%M UTC", time.gmtime(time.time() - HOUR))
    waiting = world.client.job(made["id"])["waiting"]
    assert waiting.startswith("No agent of bench since")
    assert f"{then}: start it there" in waiting
    assert [job["waiting"] for job in world.client.jobs()] == [waiting]
    assert agent.lease(wait_s=0) is not None
    assert world.client.job(made["id"])["waiting"] is None
    assert fail(world) == 0


def test_an_adaptation_says_why_it_waits(world: World) -> None:
    world.agent()
    made = world.client.adapt(TARGET.id, samples=3)
    seen(world, HOUR)
    assert "No agent of bench since" in world.client.job(made["id"])["waiting"]


@pytest.mark.parametrize("how", ["upgraded", "revoked", "dead"])
def test_a_job_that_nobody_will_take_fails_with_the_reason(world: World, how: str) -> None:
    agent = world.agent()
    (made,) = world.client.profile(TARGET.id, graphs=[world.graph()])
    if how == "upgraded":
        agent.register(DEVICE, [OTHER_TARGET])
    elif how == "revoked":
        revoke(world)
    else:
        seen(world, 8 * 24 * HOUR)
    words = {"upgraded": "no longer offers this target", "revoked": "was revoked at", "dead": "No agent of bench since"}
    assert words[how] in world.client.job(made["id"])["waiting"]
    assert fail(world) == (1 if how == "dead" else 0)
    registered(world, HOUR)
    with world.database.write.begin() as session:
        revoked = update(tables.ApiKey).where(tables.ApiKey.revoked_unix_s.is_not(None))
        session.execute(revoked.values(revoked_unix_s=1.0))
    assert fail(world) == (0 if how == "dead" else 1)
    failed = world.client.job(made["id"])
    assert failed["state"] == JobState.FAILED
    assert words[how] in failed["result"]["error"]
    assert failed["waiting"] is None


def test_other_jobs_and_those_that_are_leased_stay(world: World) -> None:
    agent = world.agent([TARGET, OTHER_TARGET])
    graph = world.graph()
    held, queued, other = (
        world.client.profile(target.id, graphs=[graph])[0] for target in (TARGET, TARGET, OTHER_TARGET)
    )
    job = agent.lease(wait_s=0)
    assert job is not None
    assert job["id"] == held["id"]
    agent.register(DEVICE, [OTHER_TARGET])
    registered(world, HOUR)
    with world.database.read() as session:
        assert set(abandoned(session, world.settings)) == {TARGET.id}
    assert fail(world) == 1
    states = {job["id"]: job["state"] for job in world.client.jobs()}
    assert states == {held["id"]: "leased", queued["id"]: "failed", other["id"]: "queued"}

"""Jobs say why they wait; those for which nobody will come fail with the reason, and the adaptations above them."""

import time

import pytest
from sqlalchemy import select, update

from latcast.schema import JobKind, JobState
from service.db import tables
from service.jobs import queue
from service.jobs.waiting import abandoned, fail_abandoned, why_waiting
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


def queued_for(world: World, job_id: str, seconds: float) -> str:
    """Make it that the job is in the queue for so long; the time of day at which it came."""
    then = time.time() - seconds
    with world.database.write.begin() as session:
        session.execute(update(tables.Job).where(tables.Job.id == job_id).values(updated_unix_s=then))
    return time.strftime("%H:%M UTC", time.gmtime(then))


def test_a_training_says_that_no_worker_runs(world: World) -> None:
    job_id = world.client.train("flops")["id"]
    assert world.client.job(job_id)["waiting"] is None
    queued_for(world, job_id, 59.0)
    assert world.client.job(job_id)["waiting"] is None  # the service's own worker is being started
    since = queued_for(world, job_id, 61.0)
    waiting = world.client.job(job_id)["waiting"]
    assert waiting.startswith(f"The service's own worker has not begun since {since}: its log says why")
    with world.database.read() as session:
        (job,) = session.scalars(select(tables.Job)).all()
        elsewhere = world.settings.model_copy(update={"embedded_worker": False})
        assert why_waiting(session, [job], elsewhere)[job_id].startswith(
            f"No worker has begun since {since}: start one"
        )
    assert [one["waiting"] for one in world.client.jobs()] == [waiting]
    assert fail(world) == 0


def test_a_worker_that_has_just_ended_another_training_is_not_called_idle(world: World) -> None:
    first, second = (world.client.train("flops")["id"] for _ in range(2))
    queued_for(world, second, 500.0)
    with world.database.write.begin() as session:
        values = {"state": "failed", "updated_unix_s": time.time() - 30.0}
        session.execute(update(tables.Job).where(tables.Job.id == first).values(**values))
    assert world.client.job(second)["waiting"] is None
    with world.database.write.begin() as session:
        then = time.time() - 90.0
        session.execute(update(tables.Job).where(tables.Job.id == first).values(updated_unix_s=then))
    since = time.strftime("%H:%M UTC", time.gmtime(then))
    assert world.client.job(second)["waiting"].startswith(f"The service's own worker has not begun since {since}")


def test_a_training_waits_two_seconds_for_workers_elsewhere_before_it_complains(world: World) -> None:
    job_id = world.client.train("flops")["id"]
    elsewhere = world.settings.model_copy(update={"embedded_worker": False})
    for seconds, words in ((1.0, ""), (2.5, "start one on the service's database (latcast worker), or cancel")):
        queued_for(world, job_id, seconds)
        with world.database.read() as session:
            reason = why_waiting(session, session.scalars(select(tables.Job)).all(), elsewhere).get(job_id, "")
        assert (words in reason) if words else not reason


def test_a_training_names_the_one_before_it(world: World) -> None:
    first, second = (world.client.train("flops")["id"] for _ in range(2))
    with world.database.write.begin() as session:
        queue.lease(session, kinds={JobKind.TRAIN}, worker=queue.Worker(process="host:1"), lease_seconds=1000)
    queued_for(world, second, HOUR)
    assert f"{first} is under way" in world.client.job(second)["waiting"]

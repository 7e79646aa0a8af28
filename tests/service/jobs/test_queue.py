"""The queue: nothing is lost, nothing is done twice."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from latcast.client import Client
from latcast.errors import ConflictError, LeaseLostError
from latcast.schema import Failure, JobKind, JobState, ProfileSettings
from service.db import tables
from service.jobs import queue
from service.jobs.payloads import AdaptPayload, ProfilePayload
from tests.service.helpers import DEVICE, OTHER_TARGET, TARGET, World, measurement

MakeWorld = Callable[..., World]


MEASURE = ProfilePayload(settings=ProfileSettings(backend="fake"))
ADAPT = AdaptPayload(samples=2, sampler="random")
WORKER = queue.Worker(process="here:1")


def enqueue_adaptation(session: Session, *, max_attempts: int = 2) -> tables.Job:
    return queue.enqueue(session, ADAPT, max_attempts=max_attempts, target_id=TARGET.id)


def lease_own(world: World, *, lease_seconds: float = 60.0) -> tables.Job | None:
    """Lease as the service's own worker does; the job's row, detached."""
    with world.database.write.begin() as session:
        return queue.lease(session, kinds={JobKind.ADAPT}, worker=WORKER, lease_seconds=lease_seconds)


def lease(agent: Client, *, wait_s: float = 0.0) -> dict:
    job = agent.lease(wait_s=wait_s)
    assert job is not None
    return job


def rows(world: World) -> int:
    with world.database.read() as session:
        return session.scalar(select(func.count()).select_from(tables.Measurement)) or 0


def test_lease_that_runs_out_returns_the_job_and_another_agent_finishes_it(make_world: MakeWorld) -> None:
    world = make_world(lease_seconds=0.2)
    first, second = world.agent(), world.agent()
    graph = world.graph()
    world.client.profile(TARGET.id, graphs=[graph])
    lost = lease(first)
    taken = lease(second, wait_s=5)
    assert taken["id"] == lost["id"]
    assert taken["lease_token"] != lost["lease_token"]
    assert not first.heartbeat(lost["id"], lost["lease_token"])
    with pytest.raises(LeaseLostError, match="another worker"):
        first.result(lost["id"], lost["lease_token"], measurement(graph, ms=9.0))
    assert second.result(taken["id"], taken["lease_token"], measurement(graph))["state"] == "done"
    with pytest.raises(LeaseLostError):
        first.failure(lost["id"], lost["lease_token"], Failure(stage="crash", message="late"))
    assert rows(world) == 1
    assert [reason["outcome"] for reason in world.client.job(lost["id"])["reasons"]] == ["expired", "done"]


def test_silence_ends_a_job_after_its_attempts(world: World) -> None:
    agent = world.agent()
    (made,) = world.client.profile(TARGET.id, graphs=[world.graph()])
    for _ in range(world.settings.max_attempts):
        lease(agent)
        with world.database.write.begin() as session:
            assert queue.expire(session, now=time.time() + 1000) == 1
    job = world.client.job(made["id"])
    assert job["state"] == "failed"
    assert [reason["outcome"] for reason in job["reasons"]] == ["expired"] * world.settings.max_attempts


@pytest.mark.slow
def test_heartbeats_keep_a_lease(make_world: MakeWorld) -> None:
    world = make_world(lease_seconds=2)
    agent = world.agent()
    graph = world.graph()
    world.client.profile(TARGET.id, graphs=[graph])
    job = lease(agent)
    for _ in range(6):
        time.sleep(0.4)
        assert agent.heartbeat(job["id"], job["lease_token"])
    assert agent.result(job["id"], job["lease_token"], measurement(graph))["state"] == "done"


def test_many_agents_never_get_the_same_job(world: World) -> None:
    agents = [world.agent() for _ in range(4)]
    graph = world.graph()
    made = world.client.profile(TARGET.id, graphs=[graph] * 20)

    def work(agent: Client) -> list[str]:
        got = []
        while (job := agent.lease(wait_s=0)) is not None:
            got.append(job["id"])
        return got

    with ThreadPoolExecutor(4) as pool:
        got = [job for part in pool.map(work, agents) for job in part]
    assert sorted(got) == sorted(job["id"] for job in made)


def test_jobs_come_in_order_and_only_for_targets_that_are_offered(world: World) -> None:
    agent = world.agent([TARGET, OTHER_TARGET])
    other = world.agent([], device=_other_device())
    graph = world.graph()
    first = world.client.profile(OTHER_TARGET.id, graphs=[graph])[0]
    second = world.client.profile(TARGET.id, graphs=[graph])[0]
    assert other.lease(wait_s=0) is None
    agent.register(DEVICE, [TARGET])  # the other target is no longer offered
    assert lease(agent)["id"] == second["id"]
    assert agent.lease(wait_s=0) is None
    with pytest.raises(ConflictError, match="no longer offers"):
        world.client.profile(OTHER_TARGET.id, graphs=[graph])
    agent.register(DEVICE, [TARGET, OTHER_TARGET])
    assert lease(agent)["id"] == first["id"]


def _other_device():
    from dataclasses import replace

    return replace(DEVICE, fingerprint="machine-2", name="elsewhere")


def test_cancelled_job_is_not_leased_and_ends_the_lease(world: World) -> None:
    agent = world.agent()
    graph = world.graph()
    first, second = world.client.profile(TARGET.id, graphs=[graph, graph])
    job = lease(agent)
    assert world.client.cancel(first["id"])["state"] == "cancelled"
    assert world.client.cancel(second["id"])["state"] == "cancelled"
    assert world.client.cancel(second["id"])["state"] == "cancelled"
    assert not agent.heartbeat(job["id"], job["lease_token"])
    with pytest.raises(LeaseLostError):
        agent.result(job["id"], job["lease_token"], measurement(graph))
    assert agent.lease(wait_s=0) is None
    assert rows(world) == 0


def test_cancelling_a_parent_cancels_its_children(world: World) -> None:
    world.agent()
    with world.database.write.begin() as session:
        parent = enqueue_adaptation(session)
        for _ in range(2):
            queue.enqueue(session, MEASURE, max_attempts=1, target_id=TARGET.id, parent_id=parent.id)
    job = world.client.cancel(parent.id)
    assert job["children"] == {"cancelled": 2}
    assert lease_own(world) is None


def test_finished_job_cannot_be_cancelled(world: World) -> None:
    agent = world.agent()
    world.measure(agent)
    (job,) = world.client.jobs()
    with pytest.raises(ConflictError, match="done already"):
        world.client.cancel(job["id"])


# --- The service's own worker -----------------------------------------------------------------------------------


def test_the_services_own_jobs_are_leased_like_those_of_agents(world: World) -> None:
    agent = world.agent()
    with world.database.write.begin() as session:
        made = enqueue_adaptation(session)
    assert agent.lease(wait_s=0) is None  # agents measure, and nothing else
    job = lease_own(world)
    assert job is not None
    assert (job.id, job.state, job.attempts) == (made.id, JobState.LEASED, 1)
    assert lease_own(world) is None
    with world.database.write.begin() as session:
        first = queue.complete(session, job_id=job.id, lease_token=job.lease_token, result={"answer": 1})
        again = queue.complete(session, job_id=job.id, lease_token=job.lease_token, result={"answer": 2})
    assert first == again
    shown = world.client.job(job.id)
    assert (shown["state"], shown["result"]) == ("done", {"answer": 1})
    assert [(one["process"], one["agent_id"], one["outcome"]) for one in shown["reasons"]] == [("here:1", None, "done")]


def test_a_job_waits_for_its_children_and_a_release_is_no_attempt(world: World) -> None:
    agent = world.agent()
    graph = world.graph()
    with world.database.write.begin() as session:
        parent = enqueue_adaptation(session)
    job = lease_own(world)
    assert job is not None
    with world.database.write.begin() as session:
        queue.enqueue(session, MEASURE, max_attempts=1, target_id=TARGET.id, graph_hash=graph, parent_id=parent.id)
        first = queue.release(session, job_id=job.id, lease_token=job.lease_token)
        assert queue.release(session, job_id=job.id, lease_token=job.lease_token) == first
    assert first.state == JobState.QUEUED
    assert world.client.job(job.id)["attempts"] == 0
    with world.database.read() as session:
        assert not queue.has_work(session, kinds={JobKind.ADAPT}, worker=WORKER)
    assert lease_own(world) is None
    child = lease(agent)
    assert lease_own(world) is None  # a leased child is not finished either
    agent.failure(child["id"], child["lease_token"], Failure(stage="memory", message="too large"))
    again = lease_own(world)
    assert again is not None
    assert (again.id, again.attempts) == (job.id, 1)


def test_a_final_failure_ends_a_job_and_keeps_what_it_says(world: World) -> None:
    world.agent()
    with world.database.write.begin() as session:
        enqueue_adaptation(session)
    job = lease_own(world)
    assert job is not None
    failure = {"job_id": job.id, "lease_token": job.lease_token, "message": "No base.", "final": True}
    with world.database.write.begin() as session:
        first = queue.fail(session, **failure, result={"error": "No base."})
        assert queue.fail(session, **failure) == first
    shown = world.client.job(job.id)
    assert (shown["state"], shown["result"]) == ("failed", {"error": "No base."})
    assert [one["message"] for one in shown["reasons"]] == ["No base."]


def test_whoever_lost_the_lease_can_neither_finish_nor_release_nor_fail_the_job(world: World) -> None:
    world.agent()
    with world.database.write.begin() as session:
        enqueue_adaptation(session)
    lost = lease_own(world, lease_seconds=0.001)
    assert lost is not None
    with world.database.write.begin() as session:
        assert queue.expire(session, now=time.time() + 10) == 1
    held = lease_own(world)
    assert held is not None
    late = {"job_id": lost.id, "lease_token": lost.lease_token}
    with world.database.write.begin() as session:
        for report in (
            lambda: queue.complete(session, **late, result={}),
            lambda: queue.release(session, **late),
            lambda: queue.fail(session, **late, message="late", final=True),
            lambda: queue.heartbeat(session, **late, lease_seconds=1.0),
        ):
            with pytest.raises(LeaseLostError):
                report()
        assert queue.heartbeat(session, job_id=held.id, lease_token=held.lease_token, lease_seconds=60.0) > time.time()
    assert world.client.job(held.id)["state"] == "leased"

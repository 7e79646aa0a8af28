"""What agents report is stored once, and ends their lease."""

import time
from collections.abc import Callable
from dataclasses import replace
from threading import Thread

import pytest
from sqlalchemy import func, select, update

from latcast.client import Client
from latcast.errors import LeaseLostError, NotFoundError
from latcast.schema import Failure, InputError
from service.db import tables
from service.db.visibility import ALL_ROWS
from service.jobs import queue, reports
from service.jobs.queue import Receipt
from service.worker.abandoned import fail_abandoned_jobs
from tests.service.helpers import OTHER_TARGET, TARGET, World, measurement

MakeWorld = Callable[..., World]


def lease(agent: Client) -> dict:
    job = agent.lease(wait_s=0)
    assert job is not None
    return job


def rows(world: World) -> int:
    with world.database.read() as session:
        return session.scalar(select(func.count()).select_from(tables.Measurement)) or 0


def test_repeated_result_is_answered_alike_and_stored_once(world: World) -> None:
    agent = world.agent()
    graph = world.graph()
    world.client.profile(TARGET.id, graphs=[graph])
    job = lease(agent)
    answers = [agent.result(job["id"], job["lease_token"], measurement(graph)) for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    assert rows(world) == 1


def test_repeated_failure_is_answered_alike_and_counts_once(world: World) -> None:
    agent = world.agent()
    world.client.profile(TARGET.id, graphs=[world.graph()])
    job = lease(agent)
    failure = Failure(stage="crash", message="signal 11")
    answers = [agent.failure(job["id"], job["lease_token"], failure) for _ in range(2)]
    assert answers[0] == answers[1]
    assert answers[0]["state"] == "queued"
    assert [reason["message"] for reason in world.client.job(job["id"])["reasons"]] == ["signal 11"]


def test_a_result_after_a_failure_of_the_same_lease_is_refused(world: World) -> None:
    """The failure's row must not be taken for the result's: nothing would be stored, and 200 answered."""
    agent = world.agent()
    graph = world.graph()
    world.client.profile(TARGET.id, graphs=[graph])
    job = lease(agent)
    agent.failure(job["id"], job["lease_token"], Failure(stage="crash", message="signal 11"))
    with pytest.raises(LeaseLostError):
        agent.result(job["id"], job["lease_token"], measurement(graph))
    assert world.client.job(job["id"])["state"] == "queued"


def test_failing_job_fails_after_its_attempts_with_every_reason(make_world: MakeWorld) -> None:
    world = make_world(max_attempts=2)
    agent = world.agent()
    world.client.profile(TARGET.id, graphs=[world.graph()])
    for number in (1, 2):
        job = lease(agent)
        agent.failure(job["id"], job["lease_token"], Failure(stage="crash", message=f"crash {number}"))
    assert agent.lease(wait_s=0) is None
    failed = world.client.job(job["id"])
    assert failed["state"] == "failed"
    assert [reason["message"] for reason in failed["reasons"]] == ["crash 1", "crash 2"]
    kept = list(world.client.measurements(TARGET.id, outcome="failed"))
    assert [row["failure_message"] for row in kept] == ["crash 2", "crash 1"]


@pytest.mark.parametrize("stage", sorted(reports.FINAL_STAGES))
def test_failure_that_would_repeat_is_not_tried_again(world: World, stage: str) -> None:
    agent = world.agent()
    world.client.profile(TARGET.id, graphs=[world.graph()])
    job = lease(agent)
    assert agent.failure(job["id"], job["lease_token"], Failure(stage=stage, message="no"))["state"] == "failed"


def test_failed_measurement_is_stored_and_fails_the_job(world: World) -> None:
    agent = world.agent()
    graph = world.graph()
    world.client.profile(TARGET.id, graphs=[graph])
    job = lease(agent)
    failed = replace(measurement(graph), runs=(), failure=Failure(stage="run", message="NaN"))
    answer = agent.result(job["id"], job["lease_token"], failed)
    assert answer["state"] == "failed"
    assert agent.result(job["id"], job["lease_token"], failed) == answer
    assert rows(world) == 1


def test_late_result_counts_while_nobody_else_has_the_job(make_world: MakeWorld) -> None:
    world = make_world(lease_seconds=0.1)
    agent = world.agent()
    graph = world.graph()
    world.client.profile(TARGET.id, graphs=[graph])
    job = lease(agent)
    deadline = time.monotonic() + 5
    while world.client.job(job["id"])["state"] != "queued" and time.monotonic() < deadline:
        time.sleep(0.02)
    assert agent.result(job["id"], job["lease_token"], measurement(graph))["state"] == "done"
    assert agent.lease(wait_s=0) is None
    assert rows(world) == 1


def leased_long_ago(world: World) -> tuple[Client, str, dict]:
    """An agent that was silent for a week, the graph that it was to measure, and its job, which was given up."""
    agent = world.agent()
    graph = world.graph()
    world.client.profile(TARGET.id, graphs=[graph])
    job, now = lease(agent), time.time()
    with world.database.write.begin() as session:
        assert queue.expire(session, now=now + 3600) == 1
        session.execute(update(tables.Agent).values(seen_unix_s=now - 8 * 86_400))
    fail_abandoned_jobs(world.database, world.settings)
    return agent, graph, job


def test_a_result_that_comes_after_weeks_is_kept_though_its_job_was_given_up(world: World) -> None:
    agent, graph, job = leased_long_ago(world)
    assert world.client.job(job["id"])["state"] == "failed"
    receipt = agent.result(job["id"], job["lease_token"], measurement(graph))
    assert (receipt["state"], rows(world)) == ("failed", 1)
    assert agent.result(job["id"], job["lease_token"], measurement(graph)) == receipt
    assert rows(world) == 1
    with pytest.raises(LeaseLostError):
        agent.failure(job["id"], job["lease_token"], Failure(stage="internal", message="late"))


@pytest.mark.parametrize("hidden", ["graph", "target"])
def test_a_late_result_of_what_was_hidden_meanwhile_is_kept_out_of_sight(world: World, hidden: str) -> None:
    agent, graph, job = leased_long_ago(world)
    now = time.time()
    with world.database.write.begin() as session:
        table = {"graph": tables.Graph, "target": tables.Target}[hidden]
        session.execute(update(table).values(hidden_unix_s=now))
    receipt = agent.result(job["id"], job["lease_token"], measurement(graph))
    assert agent.result(job["id"], job["lease_token"], measurement(graph)) == receipt
    with world.database.read() as session:
        row = session.get_one(tables.Measurement, receipt["measurement_id"], execution_options=ALL_ROWS)
        assert row.hidden_unix_s == now
    assert rows(world) == 0


def test_a_result_that_is_sent_again_while_it_is_being_stored_is_one_row(world: World) -> None:
    agent = world.agent()
    graph = world.graph()
    world.client.profile(TARGET.id, graphs=[graph])
    job = lease(agent)
    again: list[Receipt] = []

    def report() -> Receipt:
        with world.database.write.begin() as session:
            return reports.take_measurement(
                session, job_id=job["id"], lease_token=job["lease_token"], measurement=measurement(graph)
            )

    with world.database.write.begin() as session:
        first = reports.take_measurement(
            session, job_id=job["id"], lease_token=job["lease_token"], measurement=measurement(graph)
        )
        second = Thread(target=lambda: again.append(report()))
        second.start()
        second.join(timeout=0.3)
        assert second.is_alive(), "it waits for the first"
    second.join()
    assert again == [first]
    assert rows(world) == 1


def test_result_for_other_work_is_refused_and_the_lease_goes_on(world: World) -> None:
    agent = world.agent([TARGET, OTHER_TARGET])
    graph, other = world.graph(4), world.graph(5)
    world.client.profile(TARGET.id, graphs=[graph])
    job = lease(agent)
    for wrong in (measurement(other), measurement(graph, target=OTHER_TARGET)):
        with pytest.raises(InputError, match="asks for graph"):
            agent.result(job["id"], job["lease_token"], wrong)
    assert agent.result(job["id"], job["lease_token"], measurement(graph))["state"] == "done"


def test_unknown_token_and_unknown_job(world: World) -> None:
    agent = world.agent()
    graph = world.graph()
    (made,) = world.client.profile(TARGET.id, graphs=[graph])
    with pytest.raises(LeaseLostError, match="never leased"):
        agent.result(made["id"], "guess", measurement(graph))
    with pytest.raises(NotFoundError):
        agent.result("nothing", "guess", measurement(graph))

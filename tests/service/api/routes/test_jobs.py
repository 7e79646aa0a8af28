"""The calls about jobs: lease with a wait, listing, events."""

import time
from concurrent.futures import ThreadPoolExecutor

from latcast.client import Client
from tests.service.helpers import TARGET, World, measurement


def lease(agent: Client) -> dict:
    job = agent.lease(wait_s=0)
    assert job is not None
    return job


def test_from_registration_to_result(world: World) -> None:
    agent = world.agent()
    graph = world.graph()
    (made,) = world.client.profile(TARGET.id, graphs=[graph], settings={"processes": 2})
    job = lease(agent)
    assert (job["id"], job["graph"], job["kind"]) == (made["id"], graph, "profile")
    assert job["settings"]["processes"] == 2
    assert job["settings"]["backend"] == "fake"
    assert agent.heartbeat(job["id"], job["lease_token"])
    receipt = agent.result(job["id"], job["lease_token"], measurement(graph, ms=3.0))
    assert receipt["state"] == "done"
    done = world.client.job(job["id"])
    assert done["state"] == "done"
    assert done["result"] == {"measurement_id": receipt["measurement_id"]}
    assert world.client.measurement(receipt["measurement_id"]) == measurement(graph, ms=3.0)
    assert agent.lease(wait_s=0) is None


def test_waiting_for_a_job_ends_when_one_comes(world: World) -> None:
    agent = world.agent()
    graph = world.graph()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(agent.lease, wait_s=10)
        time.sleep(0.3)
        (made,) = world.client.profile(TARGET.id, graphs=[graph])
        job = waiting.result(timeout=10)
    assert job is not None
    assert job["id"] == made["id"]


def test_jobs_are_listed_newest_first_and_filtered(world: World) -> None:
    agent = world.agent()
    graph = world.graph()
    made = world.client.profile(TARGET.id, graphs=[graph] * 3)
    lease(agent)
    assert [job["id"] for job in world.client.jobs()] == [job["id"] for job in reversed(made)]
    assert [job["id"] for job in world.client.jobs(state="leased")] == [made[0]["id"]]


def test_events_tell_each_change_until_the_end(world: World) -> None:
    agent = world.agent()
    graph = world.graph()
    (made,) = world.client.profile(TARGET.id, graphs=[graph])

    def work() -> None:
        time.sleep(0.4)
        job = lease(agent)
        time.sleep(0.6)
        agent.result(job["id"], job["lease_token"], measurement(graph))

    with ThreadPoolExecutor(1) as pool:
        pool.submit(work)
        response = world.http.get(f"/v1/jobs/{made['id']}/events")
    states = [line.split('"state":"')[1].split('"')[0] for line in response.text.splitlines() if "data:" in line]
    assert states == ["queued", "leased", "done"]
    assert world.http.get("/v1/jobs/none/events").status_code == 404

"""Jobs over REST: from lease to result, calls that wait, lists, and streams of changes."""

from asyncio import to_thread
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

import pytest

from latcast.client import Client
from latcast.errors import AuthenticationError, LeaseLostError
from latcast.schema import Failure
from service.api.job_watch import Look
from service.fleet.access import Principal
from tests.service.helpers import DEVICE, TARGET, World, measurement


def lease(agent: Client, *, wait_s: float = 0.0) -> dict:
    job = agent.lease(wait_s=wait_s)
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
    taken = measurement(graph, ms=3.0)
    taken = replace(taken, settings=replace(taken.settings, processes=2))
    receipt = agent.result(job["id"], job["lease_token"], taken)
    assert receipt["state"] == "done"
    done = world.client.job(job["id"])
    assert done["state"] == "done"
    assert done["result"] == {"measurement_id": receipt["measurement_id"]}
    assert world.client.measurement(receipt["measurement_id"]) == taken
    assert agent.lease(wait_s=0) is None


def test_waiting_for_a_job_ends_when_one_comes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = world.agent()
    graph = world.graph()
    made: list[str] = []
    writes = world.app.state.parts.writes
    take = writes.lease

    async def take_twice(caller: Principal) -> Any:
        """There is nothing at first; then a job comes."""
        if made:
            return await take(caller)
        assert await take(caller) is None
        (job,) = await to_thread(lambda: world.client.profile(TARGET.id, graphs=[graph]))
        made.append(job["id"])
        return None

    monkeypatch.setattr(writes, "lease", take_twice)
    assert lease(agent, wait_s=30)["id"] == made[0]


def test_a_call_for_a_job_waits_no_longer_than_the_service_allows(make_world: Callable[..., World]) -> None:
    world = make_world(max_lease_wait_s=0.01)
    assert world.agent().lease(wait_s=3600) is None


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
    leased: list[dict] = []
    watch = world.app.state.parts.watch
    look = watch.look

    def change_and_look(job_ids: Collection[str], key_ids: Collection[str]) -> Look:
        """The job is leased before the first look, as it was at the second, and done before the third."""
        if not leased:
            leased.append(lease(agent))
        elif len(leased) == 2:
            agent.result(made["id"], leased[0]["lease_token"], measurement(graph))
        else:
            leased.append({})
        return look(job_ids, key_ids)

    watch.look = change_and_look
    response = world.http.get(f"/v1/jobs/{made['id']}/events")
    assert response.headers["content-type"].startswith("text/event-stream")
    states = [line.split('"state":"')[1].split('"')[0] for line in response.text.splitlines() if "data:" in line]
    assert states == ["queued", "leased", "done"]


def test_a_key_that_is_revoked_while_it_waits_gets_no_job(
    keyed: tuple[World, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, keys = keyed
    writes = world.app.state.parts.writes
    take = writes.lease

    async def take_and_revoke(caller: Principal) -> Any:
        """There is nothing at first; then a job comes, and the key is revoked."""
        assert await take(caller) is None
        await to_thread(lambda: world.client.profile(TARGET.id, graphs=[world.graph()]))
        await to_thread(revoke_agents, world)
        return None

    monkeypatch.setattr(writes, "lease", take_and_revoke)
    with pytest.raises(AuthenticationError, match="revoked"):
        world.client_with(keys["agent"]).lease(wait_s=30)
    assert [job["state"] for job in world.client.jobs()] == ["queued"]

    fresh = world.client.create_enrolment_token(device=DEVICE.name)["enrolment_token"]
    key = world.client_with(None).register(DEVICE, [TARGET], enrolment_token=fresh)["agent_key"]

    async def revoke_and_take(caller: Principal) -> Any:
        """The key is revoked after the call was let in, and before a job is looked for."""
        await to_thread(revoke_agents, world)
        return await take(caller)

    monkeypatch.setattr(writes, "lease", revoke_and_take)
    with pytest.raises(AuthenticationError, match="revoked"):
        world.client_with(key).lease(wait_s=30)
    assert [job["state"] for job in world.client.jobs()] == ["queued"]


def revoke_agents(world: World) -> None:
    for key in world.client.api_keys():
        if key["scope"] == "agent":
            world.client.revoke_key(key["id"])


def test_a_stream_ends_when_its_key_is_revoked(keyed: tuple[World, dict[str, str]]) -> None:
    world, keys = keyed
    (made,) = world.client.profile(TARGET.id, graphs=[world.graph()])
    watch = world.app.state.parts.watch
    look = watch.look

    def revoke_and_look(job_ids: Collection[str], key_ids: Collection[str]) -> Look:
        (row,) = [key for key in world.client.api_keys() if key["scope"] == "client"]
        world.client.revoke_key(row["id"])
        return look(job_ids, key_ids)

    watch.look = revoke_and_look
    headers = {"Authorization": f"Bearer {keys['client']}"}
    response = world.http.get(f"/v1/jobs/{made['id']}/events", headers=headers)
    assert response.status_code == 200
    assert response.text.count("event: job") == 1


def test_a_lease_belongs_to_the_device_that_it_was_given_to(keyed: tuple[World, dict[str, str]]) -> None:
    world, keys = keyed
    token = world.client.create_enrolment_token()["enrolment_token"]
    other = replace(DEVICE, fingerprint="machine-2", name="thief")
    thief = world.client_with(world.client_with(None).register(other, [], enrolment_token=token)["agent_key"])
    graph = world.graph()
    world.client.profile(TARGET.id, graphs=[graph])
    agent = world.client_with(keys["agent"])
    job = lease(agent)
    lease_of = (job["id"], job["lease_token"])
    assert not thief.heartbeat(*lease_of)
    with pytest.raises(LeaseLostError, match="another device"):
        thief.result(*lease_of, measurement(graph, ms=123456.0))
    with pytest.raises(LeaseLostError, match="another device"):
        thief.failure(*lease_of, Failure(stage="load", message="no"))
    assert agent.heartbeat(*lease_of)
    fresh = world.client.create_enrolment_token(device=DEVICE.name)["enrolment_token"]
    again = world.client_with(world.client_with(None).register(DEVICE, [TARGET], enrolment_token=fresh)["agent_key"])
    assert again.result(*lease_of, measurement(graph))["state"] == "done", "the same device with its newer key"
    with pytest.raises(LeaseLostError, match="another device"):
        thief.result(*lease_of, measurement(graph))


def test_reports_need_an_agents_key_on_an_open_service_too(world: World) -> None:
    graph = world.graph()
    agent = world.agent()
    world.client.profile(TARGET.id, graphs=[graph])
    job = lease(agent)
    with pytest.raises(LeaseLostError, match="another device"):
        world.client.result(job["id"], job["lease_token"], measurement(graph))


def test_a_stream_of_a_job_that_is_not_there_is_refused(world: World) -> None:
    assert world.http.get("/v1/jobs/none/events").status_code == 404

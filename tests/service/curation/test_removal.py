"""Devices, targets and graphs go out of sight with what hangs on them, and come back with it."""

from dataclasses import replace

import pytest

from latcast.errors import AuthenticationError, LeaseLostError, NotFoundError
from latcast.schema import InputError
from tests.service.helpers import DEVICE, OTHER_TARGET, TARGET, World, measurement


def target_ids(world: World) -> set[str]:
    return {one["id"] for one in world.client.targets()}


def test_a_hidden_device_takes_its_targets_jobs_and_keys_along(keyed: tuple[World, dict[str, str]]) -> None:
    world, keys = keyed
    agent = world.client_with(keys["agent"])
    world.measure(agent)
    graph = world.graph(2)
    (queued,) = world.client.profile(TARGET.id, graphs=[graph])
    (device,) = world.client.devices()
    world.client.hide("devices", "bench")
    assert (world.client.devices(), target_ids(world)) == ([], set())
    assert [one["id"] for one in world.client.devices(hidden=True)] == [device["id"]]
    assert [one["id"] for one in world.client.targets(hidden=True)] == [TARGET.id]
    assert world.client.job(queued["id"])["state"] == "cancelled"
    with pytest.raises(NotFoundError):
        list(world.client.measurements(TARGET.id))
    with pytest.raises(AuthenticationError):
        agent.lease(wait_s=0)
    shown = world.client.show("devices", device["id"])
    assert (shown["hidden_unix_s"], target_ids(world)) == (None, {TARGET.id})
    assert len(list(world.client.measurements(TARGET.id))) == 1
    assert [one["action"] for one in world.client.audit(action="devices.")][:2] == ["devices.show", "devices.hide"]


def test_a_hidden_device_that_registers_again_is_there_again(keyed: tuple[World, dict[str, str]]) -> None:
    world, keys = keyed
    world.measure(world.client_with(keys["agent"]))
    (device,) = world.client.devices()
    world.client.hide("devices", device["id"])
    token = world.client.create_enrolment_token()["enrolment_token"]
    answer = world.client_with(None).register(DEVICE, [TARGET], enrolment_token=token)
    assert answer["device_id"] == device["id"]
    assert world.client.target(TARGET.id)["measurements"] == 1


def test_a_hidden_target_comes_back_alone(measured: World) -> None:
    measured.client.hide("targets", OTHER_TARGET.id)
    assert target_ids(measured) == {TARGET.id}
    with pytest.raises(NotFoundError, match="There is no target"):
        measured.client.target(OTHER_TARGET.id)
    measured.client.hide("devices", "bench")
    with pytest.raises(NotFoundError, match="bring that back first"):
        measured.client.show("targets", TARGET.id)
    (device,) = measured.client.devices(hidden=True)
    measured.client.show("devices", device["id"])
    assert target_ids(measured) == {TARGET.id}
    measured.client.show("targets", OTHER_TARGET.id)
    assert target_ids(measured) == {TARGET.id, OTHER_TARGET.id}
    with pytest.raises(NotFoundError, match="no hidden target"):
        measured.client.show("targets", OTHER_TARGET.id)


def test_a_hidden_graph_takes_its_measurements_along(world: World) -> None:
    agent = world.agent()
    row = world.measure(agent, 1)
    world.measure(agent, 2)
    graph = world.graph(1)
    (queued,) = world.client.profile(TARGET.id, graphs=[graph])
    leased = agent.lease(wait_s=0)
    assert leased is not None
    assert world.client.hide("graphs", graph) == {"graph": graph, "rows": 1}
    with pytest.raises(NotFoundError, match="There is no graph"):
        world.client.graph(graph)
    with pytest.raises(LeaseLostError):
        agent.result(queued["id"], leased["lease_token"], measurement(graph))
    assert row not in {one["id"] for one in world.client.measurements(TARGET.id)}
    assert world.client.show("graphs", graph)["rows"] == 1
    assert row in {one["id"] for one in world.client.measurements(TARGET.id)}
    world.client.hide("graphs", graph)
    assert world.graph(1) == graph  # uploaded again
    assert world.client.graph(graph)["hash"] == graph
    assert row not in {one["id"] for one in world.client.measurements(TARGET.id)}


def test_a_given_name_stays(world: World) -> None:
    agent = world.agent()
    renamed = world.client.rename_device("bench", "desk 4")
    assert (renamed["name"], renamed["device"]["name"]) == ("desk 4", "bench")
    agent.register(DEVICE, [TARGET])
    assert world.client.devices()[0]["name"] == "desk 4"
    assert world.client.target(TARGET.id)["device_name"] == "desk 4"
    assert world.client.rename_device("desk 4", "")["name"] == "bench"


def test_a_machine_that_was_registered_twice_becomes_one(world: World) -> None:
    first = world.agent([TARGET, OTHER_TARGET])
    world.measure(first, 1)
    twin, twin_target = replace(DEVICE, fingerprint="again"), replace(TARGET, device="again")
    second = world.client_with(world.client.register(twin, [twin_target])["agent_key"])
    graph = world.graph(2)
    world.client.profile(twin_target.id, graphs=[graph])
    job = second.lease(wait_s=0)
    assert job is not None
    second.result(job["id"], job["lease_token"], measurement(graph, target=twin_target))
    former, into = (one["id"] for one in sorted(world.client.devices(), key=lambda one: one["created_unix_s"]))
    merged = world.client.merge("devices", former, into)
    assert (merged["id"], len(world.client.devices())) == (into, 1)
    assert world.client.target(twin_target.id)["measurements"] == 2
    assert world.client.target(TARGET.id)["id"] == twin_target.id  # its former id
    assert len(world.client.targets()) == 2
    assert first.register(DEVICE, [TARGET])["device_id"] == into


def test_what_does_not_belong_together_is_not_merged(measured: World) -> None:
    other = replace(DEVICE, fingerprint="else", name="other", processor="Another CPU")
    measured.client.register(other, [replace(TARGET, device="else")])
    for name, into, why in (("bench", "other", "other hardware"), ("bench", "bench", "into itself")):
        with pytest.raises(InputError, match=why):
            measured.client.merge("devices", name, into)
    with pytest.raises(InputError, match="into itself"):
        measured.client.merge("targets", TARGET.id, TARGET.id)
    assert measured.client.merge("targets", OTHER_TARGET.id, TARGET.id)["measurements"] == 6

"""Whether agents are there: by when they called, by their keys, and whatever the clock did."""

import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import update

from latcast.client import Client
from latcast.errors import AuthenticationError, ConflictError
from service.db import tables
from service.db.records import device_id
from service.fleet.presence import presence_of, unmeasurable
from service.settings import Settings
from tests.service.helpers import DEVICE, OTHER_TARGET, TARGET, World

DAY = 86_400.0
HERE = device_id(DEVICE.fingerprint)


def seen(world: World, ago_s: float) -> None:
    with world.database.write.begin() as session:
        session.execute(update(tables.Agent).values(seen_unix_s=time.time() - ago_s))


def revoke(world: World) -> None:
    with world.database.write.begin() as session:
        session.execute(update(tables.ApiKey).values(revoked_unix_s=time.time()))


def target(world: World) -> tuple[bool, bool]:
    """Whether it is offered, and online."""
    shown = world.client.target(TARGET.id)
    return shown["offered"], shown["online"]


@pytest.mark.parametrize(
    ("ago_s", "offered", "online"),
    [
        (0.0, True, True),
        (100.0, True, True),  # a lease lasts longer
        (200.0, True, False),
        (6 * DAY, True, False),
        (8 * DAY, False, False),
        (-DAY, True, False),  # the clock was ahead when it called
    ],
)
def test_an_agent_is_there_while_it_calls_and_gone_after_a_week(
    world: World, ago_s: float, offered: bool, online: bool
) -> None:
    world.agent()
    seen(world, ago_s)
    assert target(world) == (offered, online)
    (device,) = world.client.devices()
    assert device["online"] == online
    assert device["seen_unix_s"] == pytest.approx(time.time() - ago_s, abs=10)


def test_a_device_whose_agent_is_in_quarantine_says_since_when(world: World) -> None:
    world.agent()
    assert world.client.devices()[0]["quarantined_unix_s"] is None
    with world.database.write.begin() as session:
        session.execute(update(tables.Agent).values(quarantined_unix_s=12.0))
    assert world.client.devices()[0]["quarantined_unix_s"] == 12.0


def test_a_revoked_agent_is_gone_at_once(world: World) -> None:
    world.agent()
    revoke(world)
    assert target(world) == (False, False)
    with pytest.raises(ConflictError, match=rf"revoked at \d\d:\d\d UTC: let the device in again .*--device {HERE}"):
        world.client.profile(TARGET.id, graphs=[world.graph()])


def test_a_device_that_nobody_works_for_was_never_seen(world: World) -> None:
    with world.database.read() as session:
        assert presence_of(session, ["nobody"], Settings())["nobody"].seen_unix_s is None
        assert unmeasurable(session, ["none"], Settings()) == {}


@pytest.mark.parametrize("call", [lambda agent: agent.lease(wait_s=0), lambda agent: agent.register(DEVICE, [TARGET])])
def test_calls_of_an_agent_are_noticed(world: World, call: Callable[[Client], object]) -> None:
    agent = world.agent()
    seen(world, 1000.0)
    call(agent)
    assert target(world) == (True, True)


def test_heartbeats_are_noticed(world: World) -> None:
    agent = world.agent()
    world.client.profile(TARGET.id, graphs=[world.graph()])
    job = agent.lease(wait_s=0)
    assert job is not None
    seen(world, 1000.0)
    assert agent.heartbeat(job["id"], job["lease_token"])
    assert target(world) == (True, True)


def test_a_second_agent_of_a_machine_is_refused_while_the_first_is_there(world: World) -> None:
    first = world.agent()
    first.lease(wait_s=0)
    for device, targets in (
        (DEVICE, [TARGET]),  # as from another home, with another state folder
        (replace(DEVICE, name="renamed"), [TARGET]),
        (DEVICE, [OTHER_TARGET]),
    ):
        with pytest.raises(
            ConflictError, match=r"is there already, which calls it 'bench' .*--state.*--device-id NAME"
        ):
            world.client.register(device, targets)
    assert [one["device"]["name"] for one in world.client.devices()] == ["bench"]
    first.register(replace(DEVICE, name="renamed"), [TARGET, OTHER_TARGET])  # its own life, started anew
    assert [one["device"]["name"] for one in world.client.devices()] == ["renamed"]
    seen(world, 1000.0)
    world.client.register(DEVICE, [TARGET])  # the first is gone
    assert [one["device"]["name"] for one in world.client.devices()] == ["bench"]


def test_a_second_agent_with_an_id_of_its_own_is_another_device(world: World) -> None:
    world.agent().lease(wait_s=0)
    other = replace(TARGET, device="machine-1 again")
    world.client.register(replace(DEVICE, fingerprint="machine-1 again"), [other])
    assert len(world.client.devices()) == 2


def test_of_two_agents_that_register_at_a_time_the_first_is_told_that_its_key_ended(world: World) -> None:
    first, second = (world.client_with(world.client.register(DEVICE, [TARGET])["agent_key"]) for _ in range(2))
    assert second.lease(wait_s=0) is None
    with pytest.raises(AuthenticationError, match="revoked"):
        first.lease(wait_s=0)


def test_a_registration_whose_answer_got_lost_is_made_again(world: World) -> None:
    world.agent()
    seen(world, 1000.0)
    world.client.register(DEVICE, [TARGET])  # by the agent of today, which never hears of it
    key = world.client.register(DEVICE, [TARGET])["agent_key"]
    assert world.client_with(key).lease(wait_s=0) is None

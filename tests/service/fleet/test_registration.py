"""Registration: whom a device is admitted by, and what registering again changes."""

import time
from dataclasses import replace
from typing import Any

import pytest

from latcast.errors import AuthenticationError, NotFoundError
from latcast.schema import InputError
from tests.service.helpers import DEVICE, TARGET, World


def test_enrolment_token_serves_one_device_and_expires(keyed: tuple[World, dict[str, str]]) -> None:
    world, _ = keyed
    stranger = world.client_with(None)
    other = replace(DEVICE, fingerprint="machine-2")
    with pytest.raises(AuthenticationError, match="enrolment token"):
        stranger.register(other, [])
    with pytest.raises(AuthenticationError, match="unknown"):
        stranger.register(other, [], enrolment_token="latcast_guess")
    token = world.client.create_enrolment_token()["enrolment_token"]
    first = stranger.register(other, [], enrolment_token=token)
    assert world.client_with(first["agent_key"]).register(other, [])["device_id"] == first["device_id"]
    with pytest.raises(AuthenticationError, match="another device"):
        stranger.register(replace(DEVICE, fingerprint="machine-3"), [], enrolment_token=token)
    short = world.client.create_enrolment_token(ttl_s=0.05)["enrolment_token"]
    time.sleep(0.1)
    with pytest.raises(AuthenticationError, match="expired"):
        stranger.register(other, [], enrolment_token=short)


def test_a_token_never_takes_over_a_registered_device(keyed: tuple[World, dict[str, str]]) -> None:
    world, keys = keyed
    stranger, token = world.client_with(None), world.client.create_enrolment_token()["enrolment_token"]
    (before,) = world.client.devices()
    with pytest.raises(AuthenticationError, match=f"registered already.*latcast keys enrol --device {before['id']}"):
        stranger.register(replace(DEVICE, name="mine now"), [], enrolment_token=token)
    (after,) = world.client.devices()
    assert (after["device"], after["registered_unix_s"]) == (before["device"], before["registered_unix_s"])
    assert [target["offered"] for target in world.client.targets()] == [True]
    other = replace(DEVICE, fingerprint="machine-2")
    assert stranger.register(other, [], enrolment_token=token)["agent_key"], "the token is not spent by the refusal"
    with pytest.raises(AuthenticationError, match=r"needs an enrolment token.*--device"):
        world.client_with(keys["client"]).register(DEVICE, [])


def test_a_token_is_spent_once_a_call_came_with_its_key(keyed: tuple[World, dict[str, str]]) -> None:
    world, _ = keyed
    other, stranger = replace(DEVICE, fingerprint="machine-2"), world.client_with(None)
    token = world.client.create_enrolment_token()["enrolment_token"]
    lost, key = (stranger.register(other, [], enrolment_token=token)["agent_key"] for _ in range(2))
    agents = [made for made in world.client.api_keys() if made["scope"] == "agent"]
    assert len(agents) == 2, "one of each device, however often the answer got lost"
    with pytest.raises(AuthenticationError, match="unknown or was revoked"):
        world.client_with(lost).lease(wait_s=0)
    world.client_with(key).lease(wait_s=0)
    with pytest.raises(AuthenticationError, match=r"used already.*latcast keys enrol --device"):
        stranger.register(other, [], enrolment_token=token)
    world.client_with(key).lease(wait_s=0)


def test_a_revoked_key_is_not_had_again_with_its_token(keyed: tuple[World, dict[str, str]]) -> None:
    world, _ = keyed
    other, stranger = replace(DEVICE, fingerprint="machine-2"), world.client_with(None)
    token = world.client.create_enrolment_token()["enrolment_token"]
    stranger.register(other, [], enrolment_token=token)
    newest = max(world.client.api_keys(), key=lambda key: key["id"])
    world.client.revoke_key(newest["id"])
    with pytest.raises(AuthenticationError, match="used already"):
        stranger.register(other, [], enrolment_token=token)


def test_an_admin_lets_a_device_in_again_and_its_earlier_keys_end(keyed: tuple[World, dict[str, str]]) -> None:
    world, keys = keyed
    (device,) = world.client.devices()
    token = world.client.create_enrolment_token(device=DEVICE.name)["enrolment_token"]
    stranger = world.client_with(None)
    with pytest.raises(AuthenticationError, match="made for another device"):
        stranger.register(replace(DEVICE, fingerprint="machine-2"), [], enrolment_token=token)
    again = stranger.register(DEVICE, [TARGET], enrolment_token=token)
    assert again["device_id"] == device["id"]
    world.client_with(again["agent_key"]).lease(wait_s=0)
    with pytest.raises(AuthenticationError, match="revoked"):
        world.client_with(keys["agent"]).lease(wait_s=0)
    with pytest.raises(NotFoundError, match="nobody"):
        world.client.create_enrolment_token(device="nobody")


def test_of_two_devices_with_one_name_the_id_tells_which(keyed: tuple[World, dict[str, str]]) -> None:
    world, _ = keyed
    world.client.register(replace(DEVICE, fingerprint="machine-2"), [])
    first, second = (device["id"] for device in world.client.devices())
    with pytest.raises(InputError, match=f"{first}, {second}"):
        world.client.create_enrolment_token(device=DEVICE.name)
    assert world.client.create_enrolment_token(device=second)["enrolment_token"]


def test_refused_registration_leaves_nothing(keyed: tuple[World, dict[str, str]]) -> None:
    world, _ = keyed
    with pytest.raises(AuthenticationError):
        world.client_with(None).register(replace(DEVICE, fingerprint="machine-2"), [])
    assert len(world.client.devices()) == 1


def test_agent_registers_again_with_its_own_key(keyed: tuple[World, dict[str, str]]) -> None:
    world, keys = keyed
    again = world.client_with(keys["agent"]).register(DEVICE, [TARGET])
    assert again["agent_key"] is None
    assert again["target_ids"] == [TARGET.id]


def test_registering_twice_is_the_same_device_and_updates_it(world: World) -> None:
    first = world.client.register(DEVICE, [TARGET])
    second = world.client.register(replace(DEVICE, name="renamed"), [TARGET])
    assert first["device_id"] == second["device_id"]
    (device,) = world.client.devices()
    assert device["device"]["name"] == "renamed"
    assert device["created_unix_s"] < device["registered_unix_s"]


def test_targets_have_to_be_the_devices_own(world: World) -> None:
    with pytest.raises(InputError, match="belongs to device"):
        world.client.register(DEVICE, [replace(TARGET, device="another")])
    with pytest.raises(InputError, match="origin"):
        world.client.register(DEVICE, [replace(TARGET, origin="table.csv")])


@pytest.mark.parametrize(
    "change",
    [
        {"name": "n" * 501},
        {"fingerprint": "a\0"},
        {"processor": "p\0"},
        {"features": ("f" * 500,) * 100},
        {"details": {"k" * 30_000: ""}},
        {"memory_bytes": 10**30},
    ],
)
def test_descriptions_that_no_machine_gives_are_refused(world: World, change: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        world.client.register(replace(DEVICE, **change), [])
    with pytest.raises(InputError, match="characters"):
        world.client.register(DEVICE, [replace(TARGET, backend="b" * 501)])

"""Registration: whom a device is admitted by, and what registering again changes."""

import time
from dataclasses import replace

import pytest

from latcast.errors import AuthenticationError
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
    assert stranger.register(other, [], enrolment_token=token)["device_id"] == first["device_id"]
    with pytest.raises(AuthenticationError, match="another device"):
        stranger.register(replace(DEVICE, fingerprint="machine-3"), [], enrolment_token=token)
    short = world.client.create_enrolment_token(ttl_s=0.05)["enrolment_token"]
    time.sleep(0.1)
    with pytest.raises(AuthenticationError, match="expired"):
        stranger.register(other, [], enrolment_token=short)


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

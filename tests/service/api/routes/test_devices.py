"""Devices and keys over REST."""

import time
from dataclasses import replace

from sqlalchemy import update

from latcast.schema import to_plain
from service.db.tables import Agent
from service.fleet.signs_of_life import NOTE_S
from tests.service.helpers import DEVICE, OTHER_TARGET, World


def test_devices_are_listed_with_their_records_and_when_their_agents_asked_for_work(world: World) -> None:
    agent = world.agent()
    other = replace(DEVICE, fingerprint="machine-2", name="silent")
    world.client.register(other, [replace(OTHER_TARGET, device="machine-2")])
    with world.database.write.begin() as session:
        session.execute(update(Agent).values(seen_unix_s=time.time() - 2 * NOTE_S))
    before = {device["device"]["name"]: device for device in world.client.devices()}
    assert before["bench"]["device"] == to_plain(DEVICE)
    agent.lease(wait_s=0)
    after = {device["device"]["name"]: device for device in world.client.devices()}
    assert after["bench"]["seen_unix_s"] > before["bench"]["seen_unix_s"]
    assert after["silent"] == before["silent"]
    agent.lease(wait_s=0)
    again = {device["device"]["name"]: device for device in world.client.devices()}
    assert again == after, "an agent that asks all the time is not written down each time"


def test_lists_of_devices_and_keys_go_on_where_they_ended(world: World) -> None:
    for number in range(3):
        world.client.register(replace(DEVICE, fingerprint=f"machine-{number}"), [])
    ids = [device["id"] for device in world.client.devices()]
    assert ids == sorted(ids)
    first = world.http.get("/v1/devices", params={"limit": 2}).json()
    second = world.http.get("/v1/devices", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [device["id"] for page in (first, second) for device in page["items"]] == ids
    assert second["next_cursor"] is None
    assert world.http.get("/v1/keys", params={"cursor": first["next_cursor"]}).status_code == 422


def test_a_key_is_shown_once_and_revoked_for_good(world: World) -> None:
    made = world.client.create_key("admin", name="mine")
    world.client.key = made["key"]
    (listed,) = world.client.api_keys()
    assert listed == {name: value for name, value in made.items() if name != "key"}
    assert (listed["scope"], listed["name"], listed["revoked_unix_s"]) == ("admin", "mine", None)
    second = world.client.create_key("admin")
    revoked = world.client.revoke_key(second["id"])
    assert revoked["revoked_unix_s"] >= second["created_unix_s"]
    assert world.client.revoke_key(second["id"]) == revoked


def test_a_token_lasts_as_long_as_was_asked_for(world: World) -> None:
    short, usual = (world.client.create_enrolment_token(ttl_s=ttl_s)["expires_unix_s"] for ttl_s in (10.0, None))
    assert usual - short > world.settings.enrolment_ttl_s - 60
    assert world.http.post("/v1/keys/enrolment", json={"ttl_s": -1}).status_code == 422

"""Last uses of keys are noted in memory and written down, never back in time."""

import pytest
from sqlalchemy import select

from service.db.tables import ApiKey
from service.fleet import key_uses
from service.fleet.key_uses import KeyUses
from tests.service.helpers import World


def last_uses(world: World) -> dict[str, float | None]:
    with world.database.read() as session:
        return {row.scope: row.last_used_unix_s for row in session.scalars(select(ApiKey)) if not row.may_measure}


def test_a_call_is_noted(keyed: tuple[World, dict[str, str]]) -> None:
    world, keys = keyed
    world.client_with(keys["client"]).targets()
    uses = world.app.state.parts.identities._uses
    assert not uses.look()
    used = last_uses(world)
    assert used["client"] is not None
    assert used["admin"] is not None
    assert used["agent"] is None, "it registered, and never called"


def test_of_two_processes_the_later_use_counts(
    keyed: tuple[World, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, _ = keyed
    (key_id,) = [key["id"] for key in world.client.api_keys() if key["scope"] == "client"]
    here, there = KeyUses(world.database), KeyUses(world.database)
    monkeypatch.setattr(key_uses.time, "time", lambda: 2e9)
    there.note(key_id)
    monkeypatch.setattr(key_uses.time, "time", lambda: 1e9)
    here.note(key_id)
    here.note(None)
    for uses in (there, here, here):
        uses.write()
    assert last_uses(world)["client"] == 2e9

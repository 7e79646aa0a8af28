"""Calls that change something are written down with the key that made them, and are listed."""

from service.fleet import audit
from tests.service.helpers import TARGET, World


def test_who_did_what_is_listed(keyed: tuple[World, dict[str, str]]) -> None:
    world, keys = keyed
    ids = {key["scope"]: key["id"] for key in world.client.api_keys()}
    (job,) = world.client_with(keys["measure"]).profile(TARGET.id, graphs=[world.graph()])
    world.client.cancel(job["id"])
    adaptation = world.client.adapt(TARGET.id, samples=3)
    world.client.revoke_key(ids["client"])
    done = [(one["action"], one["key"], one["subject"]) for one in world.client.audit()]
    assert done[:4] == [
        ("keys.revoke", ids["admin"], ids["client"]),
        ("jobs.adapt", ids["admin"], TARGET.id),
        ("jobs.cancel", ids["admin"], job["id"]),
        ("jobs.profile", ids["measure"], TARGET.id),
    ]
    assert {action for action, _, _ in done[4:]} == {"keys.create", "keys.enrol", "devices.register"}
    assert next(world.client.audit(action="jobs.a"))["detail"] == {"job": adaptation["id"], "samples": 3}
    assert [one["action"] for one in world.client.audit(subject=job["id"])] == ["jobs.cancel"]
    assert [one["action"] for one in world.client.audit(key=ids["measure"])] == ["jobs.profile"]
    assert not [one for one in world.client.audit() if any(key in str(one) for key in keys.values())]


def test_what_was_undone_is_not_there(world: World) -> None:
    with world.database.write.begin() as session:
        audit.record(session, None, "keys.create", "k", name=None)
        session.rollback()
    assert list(world.client.audit()) == []

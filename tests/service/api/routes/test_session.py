"""Who calls, as the dashboard asks before it shows anything."""

from tests.service.helpers import World


def test_on_an_open_service_everybody_may_everything(world: World) -> None:
    answer = world.http.get("/v1/session").json()
    assert answer.pop("version")
    assert answer == {"scope": None, "keys_required": False, "can_read": True, "can_measure": True, "can_write": True}


def test_scopes_decide(keyed: tuple[World, dict[str, str]]) -> None:
    world, keys = keyed
    may = {}
    for scope, key in keys.items():
        answer = world.http.get("/v1/session", headers={"authorization": f"Bearer {key}"}).json()
        assert answer["scope"] == scope
        may[scope] = (answer["can_read"], answer["can_measure"], answer["can_write"])
    assert may == {
        "admin": (True, True, True),
        "client": (True, False, False),
        "measure": (True, True, False),
        "agent": (False, False, False),
    }


def test_a_stranger_learns_that_a_key_is_needed_and_a_wrong_one_is_refused(keyed: tuple[World, dict[str, str]]) -> None:
    world, _ = keyed
    stranger = world.http.get("/v1/session").json()
    assert (stranger["keys_required"], stranger["can_read"]) == (True, False)
    assert world.http.get("/v1/session", headers={"authorization": "Bearer x"}).status_code == 401

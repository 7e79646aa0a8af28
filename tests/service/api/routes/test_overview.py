"""The overview: counts, queue and activity in one answer."""

from tests.service.helpers import TARGET, World


def test_it_counts_what_there_is(measured: World) -> None:
    measured.client.profile(TARGET.id, graphs=[measured.graph(3)])
    answer = measured.http.get("/v1/overview").json()
    assert (answer["measurements"], answer["noisy"], answer["failed"]) == (6, 1, 1)
    assert answer["devices_online"] == len(answer["devices"]) == 1
    assert {target["id"] for target in answer["targets"]} >= {TARGET.id}
    assert answer["jobs"] == {"done": 6, "failed": 1, "queued": 1}
    assert [(job["state"], job["kind"]) for job in answer["queue"]] == [("queued", "profile")]
    assert sum(hour["measured"] for hour in answer["activity"]) == 6
    assert [alert["subject"] for alert in answer["alerts"]] == ["profile"]


def test_agents_may_not_look(keyed: tuple[World, dict[str, str]]) -> None:
    world, keys = keyed
    assert world.http.get("/v1/overview", headers={"authorization": f"Bearer {keys['agent']}"}).status_code == 403

"""Networks compared over REST: on two targets, and by what they do in their time on one."""

import pytest

from tests.service.helpers import OTHER_TARGET, TARGET, World, measurement

WIDTHS = (3, 4, 5)


@pytest.fixture
def compared(world: World) -> World:
    """Three networks on two targets, on the second three times as slow."""
    agent = world.agent([TARGET, OTHER_TARGET])
    for width in WIDTHS:
        graph = world.graph(width)
        for target, factor in ((TARGET, 1.0), (OTHER_TARGET, 3.0)):
            world.client.profile(target.id, graphs=[graph])
            job = agent.lease(wait_s=0)
            assert job is not None
            agent.result(job["id"], job["lease_token"], measurement(graph, target=target, ms=factor * width))
    return world


def test_two_targets(compared: World) -> None:
    found = compared.http.get("/v1/compare", params={"a": TARGET.id, "b": OTHER_TARGET.id}).json()
    assert (found["a"], found["b"], found["networks"]) == (TARGET.id, OTHER_TARGET.id, len(WIDTHS))
    assert found["ratio"] == pytest.approx(3.0)
    assert found["spearman"] == pytest.approx(1.0)
    assert len(found["pairs"]) == len(WIDTHS)
    assert found["families"] == [], "models of callers are of no family"


def test_the_front_of_what_was_measured(compared: World) -> None:
    found = compared.http.get(f"/v1/targets/{TARGET.id}/frontier").json()
    assert found["networks"] == len(WIDTHS)
    assert [one["row"]["median_ms"] for one in found["items"]] == sorted(
        one["row"]["median_ms"] for one in found["items"]
    )
    assert all(one["flops"] > 0 for one in found["items"])


def test_unknown_targets_are_not_found(compared: World) -> None:
    assert compared.http.get("/v1/compare", params={"a": TARGET.id, "b": "nothing"}).status_code == 404
    assert compared.http.get("/v1/targets/nothing/frontier").status_code == 404
    assert compared.http.get("/v1/compare", params={"a": TARGET.id}).status_code == 422

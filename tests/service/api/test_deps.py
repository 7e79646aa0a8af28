"""What routes ask for: who calls, how much of a list, and nothing that is held while they work."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from service.api.routes import health
from service.app import ROUTERS
from service.fleet import access
from tests.service.helpers import World

MakeWorld = Callable[..., World]


def dependencies(route: APIRoute) -> Iterator[Callable[..., Any]]:
    """Whatever is called before the route is, at any depth."""
    pending = list(route.dependant.dependencies)
    while pending:
        dependant = pending.pop()
        pending += dependant.dependencies
        if dependant.call is not None:
            yield dependant.call


def test_routes_hold_no_connection_for_their_callers() -> None:
    """A dependency that yields would keep its session for as long as a call waits."""
    routes = [route for router in (*ROUTERS, health.router) for route in router.routes if isinstance(route, APIRoute)]
    calls = [call for route in routes for call in dependencies(route)]
    assert len(routes) > 30
    assert len(calls) > len(routes)
    yielding = {call for call in calls if inspect.isgeneratorfunction(call) or inspect.isasyncgenfunction(call)}
    assert yielding == set()


@pytest.mark.parametrize(("limit", "status"), [(1, 200), (50, 200), (51, 422), (0, 422), (-1, 422), ("x", 422)])
def test_a_page_is_as_large_as_the_service_allows(make_world: MakeWorld, limit: object, status: int) -> None:
    response = make_world(max_page_size=50).http.get("/v1/targets", params={"limit": limit})
    assert response.status_code == status
    if limit == 51:
        assert "at most 50 items" in response.json()["detail"]


def test_a_key_is_checked_even_where_none_is_needed(world: World) -> None:
    headers = {"Authorization": "Bearer latcast_guess"}
    for path in ("/v1/targets", "/metrics"):
        assert world.http.get(path).status_code == 200
        response = world.http.get(path, headers=headers)
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"


def test_guessing_keys_is_limited_by_address(make_world: MakeWorld) -> None:
    world = make_world(require_keys=True, rate_per_second=0.001, rate_burst=3)
    statuses = [world.http.get("/v1/targets", headers={"Authorization": f"Bearer k{n}"}).status_code for n in range(5)]
    assert statuses == [401, 401, 401, 429, 429]


@pytest.mark.parametrize(
    ("address", "rate", "keys", "limited"),
    [
        ("127.0.0.1", None, False, False),
        ("::1", None, False, False),
        ("10.0.0.7", None, False, True),
        ("127.0.0.1", 0.001, False, True),
        ("127.0.0.1", None, True, True),
    ],
)
def test_this_machines_callers_have_no_rate_while_there_are_no_keys(
    *,
    make_world: MakeWorld,
    monkeypatch: pytest.MonkeyPatch,
    address: str,
    rate: float | None,
    keys: bool,
    limited: bool,
) -> None:
    monkeypatch.setattr("service.app.RATE_PER_SECOND", 0.001)  # a slow machine makes fewer calls than the default lets
    world = make_world(rate_per_second=rate, rate_burst=5)
    headers = {}
    if keys:
        with world.database.write.begin() as session:
            headers["Authorization"] = f"Bearer {access.create_key(session, scope='admin')[1]}"
    http = TestClient(world.app, client=(address, 5000))
    statuses = {http.get("/v1/targets", headers=headers).status_code for _ in range(8)}
    assert statuses == ({200, 429} if limited else {200})

"""A page of somebody else reaches nothing through the browser of a service's owner."""

import asyncio
from collections.abc import Callable, Sequence

import pytest
from starlette.types import Message, Receive, Scope, Send

from service.api.door.origins import NamedHosts
from service.api.problems import MEDIA_TYPE
from tests.service.helpers import World

MakeWorld = Callable[..., World]
EVIL = "https://evil.example"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8321", "localhost.evil.example", "10.0.0.7", "0.0.0.0"])
@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/keys"), ("GET", "/v1/targets"), ("GET", "/openapi.json")])
def test_an_open_service_answers_to_loopback_names_alone(world: World, method: str, path: str, host: str) -> None:
    body = {"scope": "admin", "name": "mine"} if method == "POST" else None
    response = world.http.request(method, path, json=body, headers={"host": host})
    assert response.status_code == 421
    assert response.headers["content-type"] == MEDIA_TYPE
    assert "LATCAST_ALLOWED_HOSTS" in response.json()["detail"]
    assert not list(world.client.api_keys())  # it is as open as it was


@pytest.mark.parametrize(
    "host",
    ["localhost", "LocalHost:8321", "127.0.0.1", "127.0.0.1:9", "127.4.5.6", "[::1]", "[::1]:8321", "localhost."],
)
def test_loopback_names_are_answered(world: World, host: str) -> None:
    assert world.http.get("/v1/targets", headers={"host": host}).status_code == 200


def test_probes_call_by_any_address(world: World) -> None:
    for path in ("/healthz", "/readyz"):
        assert world.http.get(path, headers={"host": "10.0.0.7:8321"}).status_code == 200


def test_public_names_are_a_setting(make_world: MakeWorld) -> None:
    world = make_world(allowed_hosts="testserver, latcast.example.org, *.lab.example")
    allowed = ("latcast.example.org", "LATCAST.example.org:443", "a.lab.example", "127.0.0.1")
    for host, status in [(name, 200) for name in allowed] + [("lab.example", 421), ("x.latcast.example.org", 421)]:
        assert world.http.get("/v1/targets", headers={"host": host}).status_code == status, host


@pytest.mark.parametrize(
    ("listens_on", "allowed", "passes"),
    [
        ("127.0.0.1", (), False),
        ("localhost", (), False),
        ("0.0.0.0", (), True),  # asks for keys, and its names are not known
        ("::", (), True),
        ("0.0.0.0", ("latcast.example.org",), False),
        ("192.168.1.5", ("latcast.example.org",), False),
        ("127.0.0.1", ("*",), True),
    ],
)
def test_what_else_is_taken_depends_on_where_it_listens(listens_on: str, allowed: Sequence[str], passes: bool) -> None:
    assert reaches_a_route(listens_on, allowed, b"something.example") is passes
    assert reaches_a_route(listens_on, allowed, None)  # no browser calls without a name
    assert reaches_a_route(listens_on, allowed, listens_on.encode() if ":" not in listens_on else b"[::]")


def reaches_a_route(listens_on: str, allowed: Sequence[str], host: bytes | None) -> bool:
    reached = []

    async def route(_scope: Scope, _receive: Receive, _send: Send) -> None:
        reached.append(True)

    async def receive() -> Message:
        raise AssertionError("the body was read")

    async def send(_: Message) -> None:
        pass

    scope = {"type": "http", "path": "/v1/targets", "headers": [] if host is None else [(b"host", host)]}
    asyncio.run(NamedHosts(route, listens_on=listens_on, allowed=allowed)(scope, receive, send))
    return bool(reached)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": EVIL},
        {"origin": "null"},
        {"origin": "http://["},
        {"origin": "http://[x]y"},
        {"origin": "http://testserver:3000"},  # another program on the same host
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": EVIL},
        {"sec-fetch-site": "cross-site", "origin": "http://testserver", "authorization": "Basic eDp5"},
    ],
)
def test_pages_of_others_change_nothing(world: World, headers: dict[str, str]) -> None:
    for path in ("/v1/graphs", "/v1/keys", "/jobs/x/cancel"):
        response = world.http.post(path, content=b"{}", headers={"content-type": "text/plain", **headers})
        assert response.status_code == 403, path
        assert "LATCAST_CORS_ORIGINS" in response.json()["detail"]


@pytest.mark.parametrize(
    "headers",
    [
        {},  # no browser
        {"origin": "http://testserver"},
        {"sec-fetch-site": "same-origin", "origin": "https://before.the.proxy"},
        {"sec-fetch-site": "none"},
        {"origin": "https://good.example", "sec-fetch-site": "cross-site"},
    ],
)
def test_its_pages_and_those_of_named_origins_may_call(make_world: MakeWorld, headers: dict[str, str]) -> None:
    world = make_world(cors_origins="https://good.example")
    assert world.http.post("/v1/keys/enrolment", json={}, headers=headers).status_code == 201


def test_a_call_with_a_key_comes_from_whoever_has_it(keyed: tuple[World, dict[str, str]]) -> None:
    world, keys = keyed
    headers = {"authorization": f"Bearer {keys['admin']}", "origin": "moz-extension://some-id"}
    assert world.http.post("/v1/keys/enrolment", json={}, headers=headers).status_code == 201

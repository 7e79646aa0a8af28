"""Around every call: security headers, a request id, CORS, and bodies within their limits."""

import asyncio
from collections.abc import Callable, Sequence

from starlette.types import ASGIApp, Message

from service.api.middleware import JsonLimit
from service.api.problems import MEDIA_TYPE
from tests.service.helpers import TARGET, World

MakeWorld = Callable[..., World]


def test_answers_carry_security_headers_and_a_request_id(world: World) -> None:
    for path in ("/v1/targets", "/nothing", "/healthz"):
        headers = world.http.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-request-id"]
    assert world.http.get("/healthz", headers={"x-request-id": "mine-1"}).headers["x-request-id"] == "mine-1"
    forged = world.http.get("/healthz", headers={"x-request-id": "a b<script>"}).headers["x-request-id"]
    assert "<" not in forged


def test_only_named_origins_may_call_from_pages(make_world: MakeWorld) -> None:
    asking = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    assert "access-control-allow-origin" not in make_world().http.options("/v1/predict", headers=asking).headers
    world = make_world(cors_origins="https://good.example, https://also.example")
    assert "access-control-allow-origin" not in world.http.options("/v1/predict", headers=asking).headers
    good = {**asking, "origin": "https://good.example"}
    assert world.http.options("/v1/predict", headers=good).headers["access-control-allow-origin"] == good["origin"]


def test_bodies_above_the_limit_are_refused_announced_or_not(make_world: MakeWorld) -> None:
    world = make_world(max_body_bytes=1000, max_model_bytes=5000)
    headers = {"content-type": "application/json"}
    for path, size, status in (("/v1/jobs", 2000, 413), ("/v1/predict", 2000, 422), ("/v1/graphs", 6000, 413)):
        for content in (b"{" * size, iter([b"{" * 500] * (size // 500))):
            response = world.http.post(path, content=content, headers=headers)
            assert response.status_code == status, path
            assert response.headers["content-type"] == MEDIA_TYPE
            if status == 413:
                assert "1,000 bytes" in response.json()["detail"] or "5,000 bytes" in response.json()["detail"]


async def status_of_unread_body(app: ASGIApp, path: str, headers: Sequence[tuple[bytes, bytes]]) -> int:
    """The status of a POST whose body raises when somebody reads it."""
    statuses: list[int] = []

    async def receive() -> Message:
        raise AssertionError("the body was read")

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"",
             "headers": [(b"content-type", b"application/json"), *headers], "client": ("127.0.0.1", 1),
             "server": ("testserver", 80), "scheme": "http", "http_version": "1.1", "root_path": ""}  # fmt: skip
    await app(scope, receive, send)
    return statuses[0]


def test_a_body_is_not_read_before_its_key(keyed: tuple[World, dict[str, str]]) -> None:
    world, keys = keyed
    for path in ("/v1/predict", "/v1/graphs", "/v1/jobs", "/predict", "/nothing"):
        for headers in ((), ((b"authorization", b"Bearer latcast_guessed"),)):
            assert asyncio.run(status_of_unread_body(world.app, path, headers)) == 401, path
    wrong_scope = world.http.post("/v1/jobs", json={}, headers={"authorization": f"Bearer {keys['agent']}"})
    assert wrong_scope.status_code == 403


def test_registering_needs_no_key_but_its_token(keyed: tuple[World, dict[str, str]]) -> None:
    world, _ = keyed
    response = world.http.post("/v1/devices/register", json={})
    assert response.status_code == 422


def test_json_of_too_many_values_is_refused_before_it_is_parsed(make_world: MakeWorld) -> None:
    world = make_world(max_json_values=1000)
    headers = {"content-type": "application/json"}
    for body in (b'{"items":[' + b"1," * 2000, b"[" * 2000, b'{"a":{' * 600):
        response = world.http.post("/v1/predict", content=body, headers=headers)
        assert response.status_code == 413
        assert "more than 1,000 values" in response.json()["detail"]
    assert world.http.post("/v1/predict", content=b"[" * 900, headers=headers).status_code in {400, 422}


def test_items_are_not_looked_at_one_by_one_when_there_are_too_many(make_world: MakeWorld) -> None:
    world = make_world(max_json_values=1_000_000)
    response = world.http.post("/v1/predict", json={"target": TARGET.id, "items": [1] * 10_001})
    assert response.status_code == 422
    assert "at most 10,000 items" in response.json()["detail"]


def test_made_up_methods_are_counted_as_one(world: World) -> None:
    for place in range(5):
        world.http.request(f"MADEUP{place}", "/healthz")
    text = world.http.get("/metrics").text
    assert "MADEUP" not in text
    assert 'method="other"' in text


def test_a_body_that_breaks_off_reaches_no_route() -> None:
    messages: list[Message] = [
        {"type": "http.request", "body": b"[1", "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def route(*_: object) -> None:
        raise AssertionError("half a body was taken for a whole one")

    async def receive() -> Message:
        return messages.pop(0)

    async def send(_: Message) -> None:
        raise AssertionError("nobody is there to be answered")

    scope = {"type": "http", "method": "POST", "path": "/v1/jobs"}
    asyncio.run(JsonLimit(route, limit_of=lambda _: 1000)(scope, receive, send))
    assert not messages

"""Around every call: security headers, a request id, CORS, and the key before the body."""

import asyncio
import logging
from collections.abc import Callable, Sequence

import structlog
from starlette.types import ASGIApp, Message
from structlog.testing import capture_logs

from tests.service.helpers import World

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


def test_a_call_is_logged_with_its_request_and_its_key(keyed: tuple[World, dict[str, str]]) -> None:
    world, keys = keyed
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        world.http.get("/v1/targets", headers={"authorization": f"Bearer {keys['client']}", "x-request-id": "mine-2"})
        world.http.get("/v1/targets")
        world.http.post("/v1/jobs/lease", json={"wait_s": 0}, headers={"authorization": f"Bearer {keys['agent']}"})
    calls = [line for line in lines if line["event"] == "call"]
    assert [(line["path"], line["status"], bool(line["caller"])) for line in calls] == [
        ("/v1/targets", 200, True), ("/v1/targets", 401, False),
    ], "a wait that ends without a job has no line"  # fmt: skip
    assert calls[0]["request_id"] == "mine-2"
    assert keys["client"] not in str(lines)


def test_only_named_origins_may_call_from_pages(make_world: MakeWorld) -> None:
    asking = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    assert "access-control-allow-origin" not in make_world().http.options("/v1/predict", headers=asking).headers
    world = make_world(cors_origins="https://good.example, https://also.example")
    assert "access-control-allow-origin" not in world.http.options("/v1/predict", headers=asking).headers
    good = {**asking, "origin": "https://good.example"}
    assert world.http.options("/v1/predict", headers=good).headers["access-control-allow-origin"] == good["origin"]


async def status_of_unread_body(
    app: ASGIApp, path: str, headers: Sequence[tuple[bytes, bytes]], *, client: str = "127.0.0.1"
) -> int:
    """The status of a POST whose body raises when somebody reads it."""
    statuses: list[int] = []

    async def receive() -> Message:
        raise AssertionError("the body was read")

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"",
             "headers": [(b"content-type", b"application/json"), *headers], "client": (client, 1),
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


def test_made_up_methods_are_counted_as_one(world: World) -> None:
    for place in range(5):
        world.http.request(f"MADEUP{place}", "/healthz")
    text = world.http.get("/metrics").text
    assert "MADEUP" not in text
    assert 'method="other"' in text

"""Calls from an event loop: the same errors and repeats as `latcast.transport` has."""

import asyncio
import json
from collections.abc import Callable

import httpx2
import pytest

from latcast.asynchronous import transport
from latcast.asynchronous.transport import AsyncServiceTransport
from latcast.errors import ConflictError, RateLimitedError, UnavailableError

Handler = Callable[[httpx2.Request], httpx2.Response]


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that calls made; none of them is waited for."""
    made: list[float] = []

    async def sleep(seconds: float) -> None:
        made.append(seconds)

    monkeypatch.setattr(transport.asyncio, "sleep", sleep)
    return made


def problem(status: int, slug: str = "x", **headers: str) -> httpx2.Response:
    body = {"type": f"urn:latcast:problem:{slug}", "title": "t", "status": status, "detail": "What to do."}
    return httpx2.Response(
        status, content=json.dumps(body).encode(), headers={**headers, "Content-Type": "application/problem+json"}
    )


def asked(handler: Handler, method: str = "GET", **options: object) -> dict[str, object]:
    async def ask() -> dict[str, object]:
        service = AsyncServiceTransport(
            "http://service", "key-1", timeout_s=5.0, transport=httpx2.MockTransport(handler)
        )
        try:
            return await service.json(method, "/x", **options)  # type: ignore[arg-type]
        finally:
            await service.close()

    return asyncio.run(ask())


def test_a_busy_service_is_waited_for_as_long_as_it_says(pauses: list[float]) -> None:
    answers = iter([problem(429, "rate-limited", **{"Retry-After": "7"})] * 8 + [httpx2.Response(200, json={"n": 1})])
    assert asked(lambda _request: next(answers), "POST", repeat=True, patience_s=60.0) == {"n": 1}
    assert pauses == [7.0] * 8


def test_patience_ends(pauses: list[float]) -> None:
    with pytest.raises(RateLimitedError):
        asked(lambda _request: problem(429, "rate-limited", **{"Retry-After": "50"}), patience_s=120.0)
    assert pauses[:2] == [50.0, 50.0]
    assert len(pauses) == 5


def test_what_may_do_harm_is_sent_once(pauses: list[float]) -> None:
    def away(_request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused")

    with pytest.raises(UnavailableError, match="latcast serve"):
        asked(away, "POST")
    assert pauses == []


def test_refusals_are_the_errors_they_are_and_the_key_goes_along() -> None:
    seen: list[str | None] = []

    def refuse(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.headers.get("Authorization"))
        return problem(409, "conflict")

    with pytest.raises(ConflictError, match=r"What to do\."):
        asked(refuse)
    assert seen == ["Bearer key-1"]


def test_pages_follow_each_other() -> None:
    pages = {None: {"items": [{"n": 1}], "next_cursor": "c"}, "c": {"items": [{"n": 2}], "next_cursor": None}}

    async def every() -> list[dict[str, object]]:
        handler = lambda request: httpx2.Response(200, json=pages[request.url.params.get("cursor")])  # noqa: E731
        service = AsyncServiceTransport("http://s", None, timeout_s=5.0, transport=httpx2.MockTransport(handler))
        return [item async for item in service.pages("/x", space=None)]

    assert asyncio.run(every()) == [{"n": 1}, {"n": 2}]

"""The SDK: errors with the service's sentence, repeats only where they do no harm."""

import json
from collections.abc import Callable

import httpx2
import pytest

from latcast import Client, item, transport
from latcast.errors import (
    AuthenticationError,
    BodyTooLargeError,
    ConflictError,
    ForbiddenError,
    LeaseLostError,
    NotFoundError,
    RateLimitedError,
    ServiceError,
    UnavailableError,
)
from latcast.schema import InputError, InvalidModelError, LatcastError, NotFittedError

Handler = Callable[[httpx2.Request], httpx2.Response]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport.time, "sleep", lambda _s: None)


def client(handler: Handler) -> Client:
    return Client("http://service", "key-1", transport=httpx2.MockTransport(handler))


def problem(status: int, slug: str = "x", **headers: str) -> httpx2.Response:
    body = {"type": f"urn:latcast:problem:{slug}", "title": "t", "status": status, "detail": "What to do."}
    return httpx2.Response(status, json=body, headers=headers)


@pytest.mark.parametrize(
    ("status", "slug", "error"),
    [
        (400, "bad-request", InputError),
        (401, "authentication", AuthenticationError),
        (403, "forbidden", ForbiddenError),
        (404, "not-found", NotFoundError),
        (409, "conflict", ConflictError),
        (409, "lease-lost", LeaseLostError),
        (413, "body-too-large", BodyTooLargeError),
        (422, "invalid-model", InvalidModelError),
        (422, "of-a-newer-service", InputError),
        (409, "not-fitted", NotFittedError),
        (429, "rate-limited", RateLimitedError),
        (500, "internal", ServiceError),
        (503, "unavailable", UnavailableError),
    ],
)
def test_problems_are_raised_as_the_errors_they_are(status: int, slug: str, error: type[LatcastError]) -> None:
    with pytest.raises(error, match="What to do") as caught:
        client(lambda _request: problem(status, slug)).adapt("t")
    assert type(caught.value) is error


def test_answers_without_a_problem_still_make_a_sentence() -> None:
    with pytest.raises(UnavailableError, match="502 without saying why"):
        client(lambda _request: httpx2.Response(502, text="<html>")).adapt("t")
    with pytest.raises(ServiceError, match="418"):
        client(lambda _request: httpx2.Response(418, json=["tea"])).adapt("t")


def test_only_harmless_calls_are_repeated() -> None:
    calls: list[str] = []

    def away(request: httpx2.Request) -> httpx2.Response:
        calls.append(request.url.path)
        raise httpx2.ConnectError("refused")

    service = client(away)
    attempts: dict[str, Callable[[], object]] = {
        "/v1/targets": service.targets,
        "/v1/graphs": lambda: service.upload_graph(b""),
        "/v1/predict": lambda: service.predict("t", [item(graph="g")]),
        "/v1/jobs/j/heartbeat": lambda: service.heartbeat("j", "t"),
        "/v1/jobs": lambda: service.profile("t", graphs=["g"]),
        "/v1/targets/t/adapt": lambda: service.adapt("t"),
        "/v1/jobs/lease": service.lease,
    }
    for call in attempts.values():
        with pytest.raises(UnavailableError, match="latcast serve"):
            call()
    once = {"/v1/jobs", "/v1/targets/t/adapt", "/v1/jobs/lease"}
    assert {path: calls.count(path) for path in attempts} == {path: 1 if path in once else 4 for path in attempts}


def test_service_that_comes_back_is_not_noticed() -> None:
    answers = iter([problem(503), problem(429, **{"Retry-After": "1"}), httpx2.Response(200, json={"pairs": [1]})])
    assert client(lambda _request: next(answers)).quality("t") == [1]


def test_lists_go_through_every_page() -> None:
    def pages(request: httpx2.Request) -> httpx2.Response:
        cursor = request.url.params.get("cursor")
        following = {None: "a", "a": "b", "b": None}[cursor]
        return httpx2.Response(200, json={"items": [cursor], "next_cursor": following})

    assert client(pages).targets() == [None, "a", "b"]


def test_lease_is_a_job_or_nothing_and_a_lost_one_ends_heartbeats() -> None:
    assert client(lambda _request: httpx2.Response(204)).lease(wait_s=1) is None
    assert client(lambda _request: httpx2.Response(200, json={"id": "j"})).lease() == {"id": "j"}
    assert client(lambda _request: problem(409, "lease-lost")).heartbeat("j", "t") is False
    assert client(lambda _request: httpx2.Response(200, json={})).heartbeat("j", "t") is True


def test_waiting_for_a_job_reports_changes_and_gives_up() -> None:
    states = iter(["queued", "leased", "leased", "done"])
    seen: list[str] = []
    service = client(lambda _request: httpx2.Response(200, json={"state": next(states)}))
    assert service.wait("j", on_change=lambda job: seen.append(job["state"]))["state"] == "done"
    assert seen == ["queued", "leased", "done"]
    with pytest.raises(UnavailableError, match="still queued"):
        client(lambda _request: httpx2.Response(200, json={"state": "queued"})).wait("j", timeout_s=-1)


def test_key_goes_with_every_call_and_can_change() -> None:
    sent: list[str | None] = []

    def remember(request: httpx2.Request) -> httpx2.Response:
        sent.append(request.headers.get("authorization"))
        return httpx2.Response(200, json={"items": [], "next_cursor": None})

    service = client(remember)
    service.targets()
    service.key = "key-2"
    service.targets()
    service.key = None
    service.targets()
    assert sent == ["Bearer key-1", "Bearer key-2", None]


def test_items_hold_only_what_was_given() -> None:
    assert item(space="s", text="t") == {"space": "s", "text": "t"}
    assert json.dumps(item(onnx=b"abc", shapes={"x": (1, 2)})) == '{"onnx": "YWJj", "shapes": {"x": [1, 2]}}'


def test_unreachable_service_is_not_ready() -> None:
    def away(_request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused")

    assert not client(away).is_ready()

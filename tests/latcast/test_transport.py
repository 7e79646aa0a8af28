"""Calls over HTTP: refusals as errors with the service's sentence, repeats with pauses, pages and files."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from latcast import transport
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
    UnexpectedAnswerError,
)
from latcast.schema import InputError, InvalidModelError, LatcastError, NotFittedError
from latcast.transport import ServiceTransport

Handler = Callable[[httpx2.Request], httpx2.Response]


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited, in seconds."""
    waited: list[float] = []
    monkeypatch.setattr(transport.time, "sleep", waited.append)
    return waited


def service(handler: Handler) -> ServiceTransport:
    return ServiceTransport("http://service/", None, timeout_s=1.0, transport=httpx2.MockTransport(handler))


def problem(status: int, slug: str = "x", **headers: str) -> httpx2.Response:
    body = {"type": f"urn:latcast:problem:{slug}", "title": "t", "status": status, "detail": "What to do."}
    headers["Content-Type"] = "application/problem+json"
    return httpx2.Response(status, content=json.dumps(body).encode(), headers=headers)


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
        service(lambda _request: problem(status, slug)).send("POST", "/x")
    assert type(caught.value) is error


def test_answers_without_a_problem_still_make_a_sentence() -> None:
    with pytest.raises(UnavailableError, match="502 without saying why"):
        service(lambda _request: httpx2.Response(502, text="<html>")).send("POST", "/x")
    with pytest.raises(UnexpectedAnswerError, match="418 with application/json"):
        service(lambda _request: httpx2.Response(418, json=["tea"])).send("POST", "/x")


OURS = {"type": "urn:latcast:problem:authentication", "status": 401, "detail": "The key was revoked."}
ANSWERS = {
    "a page": httpx2.Response(200, html="<html>log in</html>"),
    "another JSON": httpx2.Response(200, json=[1]),
    "cut JSON": httpx2.Response(200, content=b'{"a":'),
    "a proxy's refusal": httpx2.Response(401, html="<html>"),
    "another's problem": httpx2.Response(403, json={"type": "about:blank", "status": 403, "detail": "No."}),
    "an error of the server": httpx2.Response(500, text="Internal Server Error"),
    "a problem that is no problem": httpx2.Response(401, json=OURS),
    "a problem of another status": httpx2.Response(
        500, content=json.dumps(OURS).encode(), headers={"Content-Type": "application/problem+json"}
    ),
    "a redirect": httpx2.Response(307, headers={"Location": "https://login.example/?to=secret"}),
    "nothing new": httpx2.Response(304),
}


@pytest.mark.parametrize("what", ANSWERS)
def test_what_others_answer_is_no_word_of_the_service(what: str) -> None:
    with pytest.raises(UnexpectedAnswerError, match="no latcast service") as caught:
        service(lambda _request: ANSWERS[what]).json("POST", "/x")
    assert type(caught.value) is UnexpectedAnswerError
    assert "secret" not in str(caught.value)
    if what == "a redirect":
        assert "a redirect to login.example" in str(caught.value)


def test_service_that_comes_back_is_not_noticed(pauses: list[float]) -> None:
    answers = iter([problem(503), problem(429, **{"Retry-After": "7"}), httpx2.Response(200, json={"n": 1})])
    assert service(lambda _request: next(answers)).json("GET", "/x") == {"n": 1}
    assert 0 < pauses[0] < 1
    assert pauses[1] == 7.0


def test_pauses_grow_and_end(pauses: list[float]) -> None:
    with pytest.raises(UnavailableError):
        service(lambda _request: problem(503)).send("GET", "/x")
    assert len(pauses) == 3
    assert pauses == sorted(pauses)
    with pytest.raises(RateLimitedError):
        service(lambda _request: problem(429, **{"Retry-After": "900"})).send("GET", "/x")
    assert pauses[3:] == [transport.LONGEST_PAUSE_S] * 3


def test_what_is_refused_for_good_is_not_asked_again(pauses: list[float]) -> None:
    for answer in (problem(404), problem(503, "artifact")):
        with pytest.raises(LatcastError):
            service(lambda _request, answer=answer: answer).send("GET", "/x", repeat=True)
    assert pauses == []


def test_lists_go_through_every_page() -> None:
    def pages(request: httpx2.Request) -> httpx2.Response:
        assert request.url.path == "/v1/things"
        assert "empty" not in request.url.params
        cursor = request.url.params.get("cursor")
        following = {None: "a", "a": "b", "b": None}[cursor]
        return httpx2.Response(200, json={"items": [cursor], "next_cursor": following})

    assert list(service(pages).pages("/things", empty=None)) == [None, "a", "b"]


def test_a_connection_that_breaks_is_an_unavailable_service(tmp_path: Path, pauses: list[float]) -> None:
    def away(_request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused")

    def broken() -> Iterator[bytes]:
        yield b"begin"
        raise httpx2.ReadError("reset")

    calls: list[Callable[[], object]] = [
        lambda: service(away).send("POST", "/x"),
        lambda: service(away).readiness(),
        lambda: service(away).download("/x", tmp_path / "out"),
        lambda: service(lambda _request: httpx2.Response(200, content=broken())).download("/x", tmp_path / "out"),
    ]
    for call in calls:
        with pytest.raises(UnavailableError, match=r"http://service cannot be reached: (refused|reset)"):
            call()


def test_readiness_is_asked_without_the_version_and_told_whatever_the_status() -> None:
    def unready(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(503, json={"ready": False, "path": request.url.path})

    assert service(unready).readiness() == {"ready": False, "path": "/readyz"}

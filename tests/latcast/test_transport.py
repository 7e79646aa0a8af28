"""Calls over HTTP: refusals as errors with the service's sentence, repeats with pauses, pages and files."""

import gzip
import http.server
import json
import os
import socket
import threading
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
from latcast.transport import ServiceTransport, prepared, secret_of

Handler = Callable[[httpx2.Request], httpx2.Response]


def test_large_json_is_packed_and_small_is_not() -> None:
    small, large = {"packed_json": {"samples": [1.5]}}, {"packed_json": {"samples": [1.5] * 5000}}
    plain = prepared(small)
    assert (plain["headers"], json.loads(plain["content"])) == (
        {"Content-Type": "application/json"},
        {"samples": [1.5]},
    )
    packed = prepared(large)
    assert packed["headers"] == {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert json.loads(gzip.decompress(packed["content"])) == {"samples": [1.5] * 5000}
    assert len(packed["content"]) < 500
    with pytest.raises(ValueError, match="not JSON compliant"):
        prepared({"packed_json": [float("nan")]})


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
    with pytest.raises(UnavailableError, match=r"503 with text/html, which is not the service's own word: a proxy"):
        service(lambda _request: httpx2.Response(503, html="<html>")).send("POST", "/x")
    with pytest.raises(UnavailableError, match=r"The job may exist\. Try again later"):
        service(lambda _request: httpx2.Response(504)).send("POST", "/x", left="The job may exist.")
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


@pytest.fixture
def impatient() -> Iterator[str]:
    """The address of a service behind a proxy that closes each connection as its second call comes."""

    class OneCall(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        answered = False

        def do_POST(self) -> None:
            if self.answered:
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            self.answered = True
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        do_GET = do_POST  # noqa: N815 - named by the base class

        def log_message(self, *_words: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), OneCall) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(("method", "repeat"), [("POST", False), ("POST", True), ("GET", False)])
def test_connections_that_are_closed_while_idle_cost_no_call(
    method: str, repeat: bool, impatient: str, pauses: list[float], tmp_path: Path
) -> None:
    asked = ServiceTransport(impatient, None, timeout_s=60.0, transport=None)
    for _ in range(4):
        assert asked.json(method, "/x", repeat=repeat) == {}
    asked.download("/x", tmp_path / "body")
    assert asked.readiness() == {}
    assert not any(pauses), "the second try is made at once"
    asked.close()


def test_readiness_is_asked_without_the_version_and_told_whatever_the_status() -> None:
    def unready(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(503, json={"ready": False, "path": request.url.path})

    assert service(unready).readiness() == {"ready": False, "path": "/readyz"}


def test_a_lost_answer_says_what_may_have_been_done(pauses: list[float]) -> None:
    def lost(_request: httpx2.Request) -> httpx2.Response:
        raise httpx2.RemoteProtocolError("Server disconnected without sending a response.")

    with pytest.raises(
        UnavailableError, match=r"No answer came from http://service: .*response\. The job may exist\.$"
    ):
        service(lost).send("POST", "/x", left="The job may exist.")
    with pytest.raises(UnavailableError, match=r"may have been done\.$"):
        service(lost).send("POST", "/x")
    assert pauses == []
    for call in (lambda: service(lost).send("GET", "/x"), lambda: service(lost).send("POST", "/x", repeat=True)):
        with pytest.raises(UnavailableError, match="cannot be reached"):
            call()


@pytest.mark.parametrize(
    "error", [httpx2.LocalProtocolError("Illegal b'Bearer secret'"), httpx2.UnsupportedProtocol("x")]
)
def test_what_cannot_be_sent_is_not_sent_again(error: httpx2.RequestError, pauses: list[float]) -> None:
    def refuse(_request: httpx2.Request) -> httpx2.Response:
        raise error

    with pytest.raises(InputError, match="cannot be sent to http://service") as caught:
        service(refuse).send("GET", "/x")
    assert "secret" not in str(caught.value)
    assert pauses == []


@pytest.mark.parametrize("key", ["secret", " secret", "secret\n", "secret\r\n", "\tsecret ", '"secret"', "'secret'\n"])
def test_blanks_and_line_ends_around_a_key_are_none_of_it(key: str) -> None:
    sent: list[str] = []

    def remember(request: httpx2.Request) -> httpx2.Response:
        sent.append(request.headers["authorization"])
        return httpx2.Response(200, json={})

    with_key = ServiceTransport("http://service", key, timeout_s=1.0, transport=httpx2.MockTransport(remember))
    with_key.send("GET", "/x")
    with_key.key = key
    with_key.send("GET", "/x")
    assert sent == ["Bearer secret"] * 2


@pytest.mark.parametrize("key", ["se cret", "se\ncret", "schlüssel", "se\x00cret", "se\x7fcret"])
def test_what_cannot_be_a_key_is_refused_and_never_shown(key: str) -> None:
    with pytest.raises(InputError, match="The enrolment token holds a blank") as caught:
        secret_of("enrolment token", key)
    assert key not in str(caught.value)
    assert "cret" not in str(caught.value)
    with_none = service(lambda _request: httpx2.Response(200))
    with pytest.raises(InputError, match="The key holds"):
        with_none.key = key


def test_no_key_is_no_header() -> None:
    for nothing in (None, "", " \n"):
        assert secret_of("key", nothing) is None


@pytest.fixture
def dead_proxy(monkeypatch: pytest.MonkeyPatch) -> str:
    """A port of this machine at which nobody listens, named as the proxy of everything."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    for variable in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("HTTP_PROXY", f"http://user:secret@{address}")
    return address


def test_errors_name_the_proxy_without_its_password(dead_proxy: str, pauses: list[float]) -> None:
    named = f"through the proxy http://{dead_proxy} of HTTP_PROXY"
    with pytest.raises(UnavailableError, match=f"cannot be reached {named}: .*Set NO_PROXY=far.example") as caught:
        ServiceTransport("http://far.example", None, timeout_s=1.0, transport=None).send("POST", "/x")
    assert "secret" not in str(caught.value)


def test_answers_of_a_proxy_are_said_to_be_its_own(
    dead_proxy: str, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    answers = iter([httpx2.Response(503, html="<html>"), httpx2.Response(403, html="<html>")])
    monkeypatch.setattr(
        transport.httpx2, "HTTPTransport", lambda proxy, **_limits: httpx2.MockTransport(lambda _request: next(answers))
    )
    far = ServiceTransport("http://far.example", None, timeout_s=1.0, transport=None)
    with pytest.raises(
        UnavailableError, match=f"own word: the proxy http://{dead_proxy} of HTTP_PROXY may have given it"
    ):
        far.send("POST", "/x")
    with pytest.raises(UnexpectedAnswerError, match=r"through the proxy .* Set NO_PROXY=far.example"):
        far.send("POST", "/x")


def test_what_runs_on_this_machine_is_asked_directly(dead_proxy: str) -> None:
    asked = []

    class Answering(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    try:
        direct = ServiceTransport(f"http://localhost:{server.server_port}", None, timeout_s=10.0, transport=None)
        assert direct.json("GET", "/x") == {}
    finally:
        thread.join(10)
        server.server_close()
    assert asked == ["/v1/x"]


def test_a_service_without_tls_is_told_from_one_that_is_away() -> None:
    def refuse(_request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)")

    asked = ServiceTransport("https://service", None, timeout_s=1.0, transport=httpx2.MockTransport(refuse))
    with pytest.raises(UnavailableError, match="https://service speaks no TLS: write http:// in place of https://"):
        asked.send("POST", "/x")


def test_an_address_that_is_none_is_refused() -> None:
    for address in ("http://[::1", "http://x:port"):
        with pytest.raises(InputError, match="cannot be used"):
            ServiceTransport(address, None, timeout_s=1.0, transport=None)

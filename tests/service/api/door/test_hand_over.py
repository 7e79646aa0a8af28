"""Connections of agents go to another process between two calls, and their callers notice nothing."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn

from service.api.door import hand_over as hand_over_module
from service.api.door.connections import GuardedListener, protocol_for
from service.api.door.hand_over import MOST_BYTES, READY, WORTH_PER_SECOND, HandBack, HandedListener, HandOver
from service.settings import Settings

PATIENCE_S = 60.0
KEY = "latcast_agents"


def call(path: str = "/v1/jobs/lease", *, method: str = "POST", key: str | None = KEY, body: bytes = b"{}") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
    if key is not None:
        lines.append(f"Authorization: Bearer {key}")
    return "\r\n".join([*lines, "", ""]).encode() + body


@pytest.fixture
def pair() -> Iterator[tuple[HandOver, socket.socket]]:
    mine, theirs = socket.socketpair()
    hands = HandOver(mine)
    hands.is_agents = lambda key: key == KEY
    yield hands, theirs
    hands.close()
    theirs.close()


@pytest.mark.parametrize("path", ["/v1/jobs/lease", "/jobs/lease", "/prefix/v1/jobs/0a/result", "/v1/jobs/0a/failure",
                                  "/v1/jobs/0a/heartbeat"])  # fmt: skip
def test_agents_calls_are_recognised(pair: tuple[HandOver, socket.socket], path: str) -> None:
    hands, theirs = pair
    theirs.sendall(READY)
    with socket.socket() as connection:
        assert hands.takes(connection.fileno(), call(path))
    data, numbers, _, _ = socket.recv_fds(theirs, MOST_BYTES, 1)
    socket.close(numbers[0])
    assert data == call(path)


@pytest.mark.parametrize(
    "data",
    [
        call(key=None),
        call(key="latcast_admins"),
        call("/v1/predict"),
        call("/v1/jobs"),
        call("/v1/jobs/0a/cancel"),
        call("/v1/targets?x=/jobs/lease"),
        call(method="GET"),
        call().replace(b"\r\n\r\n{}", b"\r\n"),
        call(body=b" " * MOST_BYTES),
        b"\x16\x03\x01 no HTTP",
    ],
)
def test_all_others_stay(pair: tuple[HandOver, socket.socket], data: bytes) -> None:
    hands, theirs = pair
    theirs.sendall(READY)
    assert not hands.takes(theirs.fileno(), data)


def test_connections_stay_while_nobody_is_there_for_them(pair: tuple[HandOver, socket.socket]) -> None:
    hands, theirs = pair
    with socket.socket() as connection:
        assert not hands.takes(connection.fileno(), call()), "not ready"
        theirs.sendall(READY)
        assert hands.takes(connection.fileno(), call())
        hands.lost()
        assert not hands.takes(connection.fileno(), call()), "gone"
        theirs.sendall(READY)
        handed = 0
        while hands.takes(connection.fileno(), call(body=b" " * (MOST_BYTES - 200))):
            handed += 1
            assert handed < 10_000
        assert handed > 0, "the other one is behind"
        hands.close()
        assert not hands.takes(connection.fileno(), call()), "the service ends"


def test_few_calls_are_worth_no_process(pair: tuple[HandOver, socket.socket], monkeypatch: pytest.MonkeyPatch) -> None:
    hands, theirs = pair
    now = time.monotonic()
    monkeypatch.setattr(hand_over_module, "time", SimpleNamespace(monotonic=lambda: now))
    hands.is_worth_it()
    for calls, worth in ((0, False), (2 * WORTH_PER_SECOND - 1, False), (2 * WORTH_PER_SECOND, True)):
        for _ in range(int(calls)):
            hands.takes(theirs.fileno(), call())
        now += 2
        assert hands.is_worth_it() is worth
    for _ in range(100):
        hands.takes(theirs.fileno(), call())
    hands.close()
    assert not hands.is_worth_it()


@pytest.fixture
def back() -> Iterator[tuple[HandBack, HandedListener]]:
    mine, theirs = socket.socketpair()
    hands = HandBack(theirs)
    hands.is_agents = lambda key: key == KEY
    listener = HandedListener(mine.detach(), ends=False)
    yield hands, listener
    hands.close()
    listener.close()


@pytest.mark.parametrize(
    "data",
    [
        call("/metrics", method="GET", key=None),
        call("/v1/predict", key="latcast_admins"),
        call("/v1/jobs", key=None),
        call("/v1/jobs/0a/cancel", key="latcast_admins"),
        call("/v1/targets?x=/jobs/lease", key=None),
    ],
)
def test_what_is_no_agents_call_goes_back(back: tuple[HandBack, HandedListener], data: bytes) -> None:
    hands, listener = back
    with socket.create_server(("127.0.0.1", 0)) as somebody, socket.create_connection(somebody.getsockname()) as other:
        assert hands.takes(other.fileno(), data)
        connection, peer = listener.accept()
        assert (peer, listener.firsts) == (somebody.getsockname(), {connection.fileno(): data})
        connection.close()


@pytest.mark.parametrize(
    "data",
    [
        call(),
        call(key="latcast_admins"),
        call("/v1/jobs/0a/result", key=None),
        call("/v1/graphs/0a/model", method="GET"),
        call("/metrics", method="GET", key=None)[:-4],
        call("/v1/predict", key=None, body=b" " * MOST_BYTES),
        call("/metrics", method="GET", key=None).replace(b"HTTP/1.1", b"HTTP/1.0"),
        b"\x16\x03\x01 no HTTP",
    ],
)
def test_what_may_be_an_agents_call_stays_with_agents(back: tuple[HandBack, HandedListener], data: bytes) -> None:
    """A call that the first process would hand over again, above all, or it would go to and fro."""
    hands, listener = back
    assert not hands.takes(listener.fileno(), data)


def test_nothing_goes_back_once_the_process_ends(back: tuple[HandBack, HandedListener]) -> None:
    hands, listener = back
    hands.close()
    assert not hands.takes(listener.fileno(), call("/metrics", method="GET", key=None))


class Named:
    """An application that says who it is, and what it was sent."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while (await receive())["type"] != "lifespan.shutdown":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        said = f"{self.name} {scope['path']} {scope['client'][0]} ".encode() + body
        head = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(said))]}
        await send(head)
        await send({"type": "http.response.body", "body": said})


@contextmanager
def serving(name: str, *listeners: GuardedListener, hands: HandOver | HandBack | None = None) -> Iterator[None]:
    protocol = protocol_for(Settings(), 4096, listeners=listeners, hand_over=hands)
    config = uvicorn.Config(Named(name), http=protocol, loop="asyncio", ws="none", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: server.run(sockets=[*listeners]), daemon=True)
    thread.start()
    deadline = time.monotonic() + PATIENCE_S
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(PATIENCE_S)


def said(connection: socket.socket, data: bytes) -> str:
    """The answer's body."""
    connection.sendall(data)
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += connection.recv(65_536)
    head, _, body = answer.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split()[0])
    while len(body) < length:
        body += connection.recv(65_536)
    return body.decode()


def test_a_connection_goes_on_in_the_other_process(
    pair: tuple[HandOver, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    hands, theirs = pair
    monkeypatch.setattr(hand_over_module.os, "kill", lambda *_: None)  # what the other process does at the end
    (listener,) = GuardedListener.all_at("127.0.0.1", 0)
    port = listener.getsockname()[1]
    with ExitStack() as stack:
        stack.enter_context(serving("first", listener, hands=hands))
        agent, other, large = (
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)) for _ in range(3)
        )
        assert said(agent, call()) == "first /v1/jobs/lease 127.0.0.1 {}", "nobody else is there yet"
        stack.enter_context(serving("second", HandedListener(theirs.detach())))
        assert said(agent, call("/v1/targets")) == "first /v1/targets 127.0.0.1 {}"
        assert said(agent, call()) == "second /v1/jobs/lease 127.0.0.1 {}"
        assert said(agent, call("/v1/targets")) == "second /v1/targets 127.0.0.1 {}", "it stays there"
        assert said(other, call("/v1/predict")) == "first /v1/predict 127.0.0.1 {}"
        assert said(other, call("/v1/jobs/0a/result")) == "second /v1/jobs/0a/result 127.0.0.1 {}"
        half = call("/v1/jobs/0b/result", body=b"12345")
        large.sendall(half[:-2])
        assert said(large, half[-2:]) == "second /v1/jobs/0b/result 127.0.0.1 12345", "the rest comes over there"
        pipelined = call("/v1/targets") + call()
        new = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S))
        assert said(new, pipelined).startswith("first /v1/targets"), "what was begun here is ended here"


def test_a_connection_comes_back_for_whoever_else_calls_on_it(
    pair: tuple[HandOver, socket.socket], back: tuple[HandBack, HandedListener], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a proxy agents and others share connections: each call is answered where it belongs."""
    monkeypatch.setattr(hand_over_module.os, "kill", lambda *_: None)
    (hands, theirs), (hand_back, handed_back) = pair, back
    (listener,) = GuardedListener.all_at("127.0.0.1", 0)
    with ExitStack() as stack:
        stack.enter_context(serving("first", listener, handed_back, hands=hands))
        stack.enter_context(serving("second", HandedListener(theirs.detach()), hands=hand_back))
        shared = stack.enter_context(socket.create_connection(listener.getsockname(), timeout=PATIENCE_S))
        for number in range(5):
            result = call(f"/v1/jobs/{number}/result", body=b"%d" % number)
            assert said(shared, result) == f"second /v1/jobs/{number}/result 127.0.0.1 {number}"
            assert said(shared, call("/v1/graphs/0a/model", method="GET")).startswith("second /v1/graphs/0a/model")
            assert said(shared, call("/metrics", method="GET", key=None)).startswith("first /metrics 127.0.0.1")
            assert said(shared, call("/v1/predict", key="latcast_admins", body=b"[7]")).startswith("first /v1/predict")
        large = call("/v1/predict", key=None, body=b"7" * (MOST_BYTES - 300) + b"end")
        assert said(shared, call()).startswith("second")
        shared.sendall(large[:2000])
        answer = said(shared, large[2000:])
        assert answer.startswith("first /v1/predict")
        assert answer.endswith("7end"), "the rest of a body comes to where its beginning is"


def test_an_end_ends_the_other_process(pair: tuple[HandOver, socket.socket], monkeypatch: pytest.MonkeyPatch) -> None:
    hands, theirs = pair
    ended = threading.Event()
    monkeypatch.setattr(hand_over_module.os, "kill", lambda *_: ended.set())
    with serving("second", HandedListener(theirs.detach())):
        hands.close()
        assert ended.wait(PATIENCE_S)


def test_a_caller_that_has_gone_meanwhile_is_no_connection(pair: tuple[HandOver, socket.socket]) -> None:
    hands, theirs = pair
    listener = HandedListener(theirs.detach())
    listener.listen()
    (somebody,) = GuardedListener.all_at("127.0.0.1", 0)
    somebody.listen()
    with somebody, socket.socket() as never_connected, socket.socket() as other:
        assert hands.takes(never_connected.fileno(), call())
        with pytest.raises(BlockingIOError):
            listener.accept()
        assert listener.firsts == {}
        other.connect(somebody.getsockname())
        assert hands.takes(other.fileno(), call("/v1/jobs/0a/result"))
        accepted, peer = listener.accept()
        assert peer == other.getpeername()
        assert listener.firsts == {accepted.fileno(): call("/v1/jobs/0a/result")}
        accepted.close()
    listener.close()

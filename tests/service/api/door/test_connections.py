"""Connections to a real `latcast serve`: too many, idle, half, and there when it is asked to end."""

import asyncio
import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pytest
import uvicorn
from fastapi import FastAPI
from onnx import TensorProto, helper

from latcast.client import Client
from latcast.errors import UnavailableError
from latcast.schema import InputError
from service.api.door import connections
from service.api.door.connections import GuardedListener, serve_http
from service.settings import Settings
from tests.hostile.served import MIB, Served, free_port
from tests.service.helpers import TARGET, model

LOOPBACK = "127.0.0.1"
PROMPTLY_S = 10.0
"""Container engines kill after that."""
SETTINGS = {"LATCAST_HEADER_TIMEOUT_S": "1", "LATCAST_BODY_TIMEOUT_S": "1", "LATCAST_MAX_CONNECTIONS": "20"}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service that takes 20 connections and waits for a second."""
    with Served(tmp_path_factory.mktemp("small"), environment=SETTINGS) as served:
        yield served


def connect(served: Served, stack: ExitStack, sent: bytes = b"") -> socket.socket:
    connection = stack.enter_context(socket.create_connection((LOOPBACK, served.port), timeout=30))
    with suppress(ConnectionError):
        connection.sendall(sent)
    return connection


def answer(connection: socket.socket) -> bytes:
    """What comes until the connection is closed."""
    parts = []
    with suppress(ConnectionError):
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


@pytest.mark.slow
def test_connections_that_say_nothing_or_half_are_closed(small: Served) -> None:
    half_head = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
    whole = half_head + b"\r\n"
    with ExitStack() as stack:
        open_ones = [connect(small, stack, sent) for sent in (b"", half_head, whole + half_head)]
        answers = [answer(connection) for connection in open_ones]
    assert answers[:2] == [b"", b""]
    assert answers[2].startswith(b"HTTP/1.1 200")


@pytest.mark.slow
def test_bodies_that_do_not_come_are_given_up(small: Served) -> None:
    head = (
        b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
    )
    with ExitStack() as stack:
        assert answer(connect(small, stack, head + b'{"a":')).startswith(b"HTTP/1.1 408")
    with ExitStack() as stack:  # to a path that reads no body
        unread = head.replace(b"/v1/predict", b"/nothing")
        assert answer(connect(small, stack, unread)).startswith(b"HTTP/1.1 404")


@pytest.mark.slow
def test_more_connections_than_are_taken_are_told_so_and_the_log_stays_short(small: Served) -> None:
    size = len(small.log)
    with ExitStack() as stack:
        many = [connect(small, stack) for _ in range(60)]
        refused = [said for said in map(answer, many) if said]
    assert len(refused) >= 35
    assert all(b"503" in said and b"`max_connections`" in said for said in refused)
    small.require_alive()
    assert len(small.log) - size < 4000


@pytest.mark.slow
def test_health_is_answered_when_every_connection_is_taken(small: Served) -> None:
    probe = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    other = b"GET /v1/targets HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with ExitStack() as stack:
        for _ in range(20):
            connect(small, stack, b"GET /v1/targets HTTP/1.1\r\n")
        time.sleep(0.2)
        alive, asked, silent = (answer(connect(small, stack, sent)) for sent in (probe, other, b""))
    assert alive.startswith(b"HTTP/1.1 200")
    assert alive.endswith(b'{"status":"ok"}')
    assert b"`max_connections`" in asked
    assert b"503" in silent


@pytest.mark.slow
@pytest.mark.parametrize(("proxy", "taken"), [("", 5), ("127.0.0.0/8", 10)])
def test_one_address_gets_its_share_of_connections_unless_it_is_the_proxy(
    tmp_path: Path, proxy: str, taken: int
) -> None:
    environment = {"LATCAST_MAX_CONNECTIONS_EACH": "5", "LATCAST_FORWARDED_ALLOW_IPS": proxy}
    with Served(tmp_path, environment=environment) as served, ExitStack() as stack:
        served.http.close()
        served.client.close()
        time.sleep(0.2)
        many = [connect(served, stack, b"GET /v1/targets HTTP/1.1\r\nHost: localhost\r\n\r\n") for _ in range(10)]
        heads = [connection.recv(65536) for connection in many]
    assert sum(b"200 OK" in said for said in heads) == taken
    assert sum(b"`max_connections_each`" in said and b"Retry-After: 2" in said for said in heads) == 10 - taken


LONG_NAME = "n" * 900
UNREAD_MIB, ANSWER_MIB = 4, 1.7


def long_names(served: Served, nodes_in_all: int = 1000) -> str:
    """A stored graph whose model, without weights, takes 1.7 MiB."""
    nodes = [
        helper.make_node(
            "Relu", [f"{LONG_NAME}{at}" if at else "x"], [f"{LONG_NAME}{at + 1}"], name=f"{LONG_NAME}-{at}"
        )
        for at in range(nodes_in_all)
    ]
    last = f"{LONG_NAME}{nodes_in_all}"
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [4, 8]) for name in ("x", last)]
    proto = helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:]), ir_version=9)
    proto.opset_import[0].version = 17
    return str(served.client.upload_graph(proto.SerializeToString())["hash"])


@pytest.mark.slow
@pytest.mark.parametrize(("bytes_per_second", "whole"), [(3_000_000, True), (8_000, False)])
def test_who_reads_slowly_gets_its_answer_and_who_hardly_reads_does_not(
    small: Served, bytes_per_second: int, whole: bool
) -> None:
    graph = long_names(small, nodes_in_all=6000)
    size = len(small.client.model(graph))
    got, piece = 0, 65536 if whole else 1024
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        connection.settimeout(30)
        connection.connect((LOOPBACK, small.port))
        connection.sendall(
            f"GET /v1/graphs/{graph}/model HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        )
        with suppress(ConnectionError):
            began = time.monotonic()
            while part := connection.recv(piece):
                got += len(part)
                if not whole and time.monotonic() - began > 5:
                    piece = 2**20  # what was on its way already
                else:
                    time.sleep(max(0.0, got / bytes_per_second - (time.monotonic() - began)))
    assert (got > size) == whole


@pytest.mark.slow
def test_answers_that_nobody_reads_take_bounded_memory_and_others_are_answered(tmp_path: Path) -> None:
    with Served(tmp_path, environment={"LATCAST_MAX_UNREAD_BYTES": str(UNREAD_MIB * MIB)}) as served:
        graph = long_names(served)
        size = len(served.client.model(graph))
        assert size > ANSWER_MIB * MIB
        call = f"GET /v1/graphs/{graph}/model HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        before = served.memory.begin()
        with ExitStack() as stack:
            for _ in range(40):
                connection = stack.enter_context(socket.socket())
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                connection.connect((LOOPBACK, served.port))
                connection.sendall(call)
            served.require_alive()
            assert len(served.client.model(graph)) == size, "who reads gets its answer, and those who do not make room"
            served.memory.look()
        assert served.memory.server_mib - before < 40 * ANSWER_MIB / 2


@pytest.mark.slow
def test_a_process_without_files_closes_who_comes_and_recovers(tmp_path: Path) -> None:
    """The limit of files is far below that of connections, and connections are far more than either."""
    with Served(tmp_path, environment={"LATCAST_HEADER_TIMEOUT_S": "2"}) as served:
        now = len(os.listdir(f"/proc/{served.process.pid}/fd"))
        limit_files(served.process.pid, now + 20)
        before = served._log_file.stat().st_size
        with ExitStack() as stack:
            many = [connect(served, stack) for _ in range(200)]
            assert len([said for said in map(answer, many) if said == b"" or b"503" in said]) == 200
        served.require_alive()
        assert served._log_file.stat().st_size - before < 20_000


def limit_files(pid: int, files: int) -> None:
    """Lower the limit of a running process."""
    import resource

    resource.prlimit(pid, resource.RLIMIT_NOFILE, (files, files))


def streaming(served: Served, stack: ExitStack, key: str = "") -> socket.socket:
    """An open stream of the events of a job that nobody does."""
    graph = served.client.upload_graph(model())["hash"]
    (job,) = served.client.profile(TARGET.id, graphs=[graph])
    authorised = f"Authorization: Bearer {key}\r\n" if key else ""
    head = f"GET /v1/jobs/{job['id']}/events HTTP/1.1\r\nHost: localhost\r\n{authorised}\r\n"
    connection = connect(served, stack, head.encode())
    assert b"200 OK" in connection.recv(65536)
    return connection


@pytest.mark.slow
def test_the_service_ends_when_it_is_asked_to_whoever_waits(tmp_path: Path) -> None:
    with Served(tmp_path) as served, ExitStack() as stack:
        agent = Client(served.client.base_url, served.agent_key)
        streaming(served, stack)
        served.client.cancel(next(iter(served.client.jobs()))["id"])
        stream = streaming(served, stack)
        assert agent.lease(wait_s=0) is not None  # the stream's job, which is never finished
        leases: list[object] = []
        waiting = Thread(target=lambda: leases.append(lease_or_error(agent)))
        waiting.start()
        time.sleep(1.0)
        served.process.send_signal(signal.SIGTERM)
        served.process.wait(timeout=PROMPTLY_S)
        assert answer(stream).endswith(b"0\r\n\r\n")  # whole
        waiting.join(timeout=PROMPTLY_S)
        assert len(leases) == 1
        assert leases[0] is None or isinstance(leases[0], UnavailableError)


def lease_or_error(agent: Client) -> object:
    try:
        return agent.lease(wait_s=25)
    except UnavailableError as error:
        return error


@pytest.mark.slow
def test_streams_of_one_caller_are_bounded_and_the_others_go_on(tmp_path: Path) -> None:
    environment = {"LATCAST_MAX_EVENT_STREAMS_EACH": "3"}
    with Served(tmp_path, environment=environment) as served, ExitStack() as stack:
        opened = [streaming(served, stack) for _ in range(3)]
        job = next(iter(served.client.jobs()))["id"]
        refused = served.call("GET", f"/v1/jobs/{job}/events")
        assert refused.status == 503
        assert "`max_event_streams_each`" in refused.sentence
        assert refused.headers is not None
        assert refused.headers["retry-after"]
        unknown = served.call("GET", "/v1/jobs/nowhere/events")
        assert unknown.status == 503, "no job is looked up for a stream that is refused"
        opened[0].close()
        deadline = time.monotonic() + 30
        while (status := status_of_stream(served, job)) != 200:
            assert time.monotonic() < deadline, status
            time.sleep(0.2)


def status_of_stream(served: Served, job: str) -> int:
    with served.http.stream("GET", f"/v1/jobs/{job}/events") as response:
        return int(response.status_code)


def statuses_by_forwarded_address(served: Served, count: int) -> list[int]:
    return [
        served.call("GET", "/v1/targets", headers={"X-Forwarded-For": f"10.0.0.{place}"}).status
        for place in range(count)
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("trusted", "refused"), [("", 20), (LOOPBACK, 0)])
def test_forwarded_addresses_count_where_a_proxy_is_named(tmp_path: Path, trusted: str, refused: int) -> None:
    environment = {
        "LATCAST_FORWARDED_ALLOW_IPS": trusted, "LATCAST_RATE_PER_SECOND": "0.001", "LATCAST_RATE_BURST": "12",
    }  # fmt: skip
    with Served(tmp_path, environment=environment) as served:  # two calls made it ready
        statuses = statuses_by_forwarded_address(served, 30)
    assert statuses.count(429) == refused
    assert statuses.count(200) == 30 - refused


@pytest.mark.parametrize("host", [LOOPBACK, "nowhere.invalid"])
def test_an_address_that_is_not_to_be_had_is_a_sentence(host: str) -> None:
    port = free_port()
    (listener,) = GuardedListener.all_at(LOOPBACK, port)
    listener.listen()
    with listener, pytest.raises(InputError, match=re.escape(f"cannot listen on {host}, port {port}")):
        GuardedListener.all_at(host, port)


def test_every_address_of_a_name_is_listened_on() -> None:
    listeners = GuardedListener.all_at("localhost", 0)
    addresses = {listener.getsockname()[0] for listener in listeners}
    for listener in listeners:
        listener.close()
    assert addresses <= {LOOPBACK, "::1"}
    assert LOOPBACK in addresses


CRUMBS = b"1\r\nx\r\n" * 20_000
CHUNKED = b"Host: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("path", [b"/v1/predict", b"/v1/devices/register", b"/nothing"])
def test_bodies_in_crumbs_are_not_read_on(small: Served, path: bytes) -> None:
    with ExitStack() as stack:
        said = answer(connect(small, stack, b"POST %s HTTP/1.1\r\n" % path + CHUNKED + CRUMBS))
    assert said[:12] in {b"", b"HTTP/1.1 400", b"HTTP/1.1 404"}  # the answer may be lost when the rest is not read
    small.require_alive()
    assert "Traceback" not in small.log


def test_chunks_of_usual_sizes_are_a_body(small: Served) -> None:
    chunks = b"64\r\n%s\r\n" % (b" " * 100) * 1000
    with ExitStack() as stack:
        sent = b"POST /v1/predict HTTP/1.1\r\nConnection: close\r\n" + CHUNKED + chunks + b"2\r\n{}\r\n0\r\n\r\n"
        assert answer(connect(small, stack, sent)).startswith(b"HTTP/1.1 422")


def test_answers_do_not_wait_for_acknowledgements() -> None:
    (listener,) = GuardedListener.all_at(LOOPBACK, 0)
    with listener:
        assert listener.proto == socket.IPPROTO_TCP, "asyncio sets TCP_NODELAY on accepted connections of this protocol"


@pytest.mark.parametrize("is_waited_for", [True, False])
def test_who_is_waited_for_asks_for_short_turns_and_what_is_there_at_the_start_is_no_garbage(
    monkeypatch: pytest.MonkeyPatch, is_waited_for: bool
) -> None:
    said: list[object] = []

    async def start(_server: object, sockets: object = None) -> None:
        said.append(("started", sockets))

    def run(server: uvicorn.Server, sockets: list[socket.socket]) -> None:
        said.append("runs")
        asyncio.run(server.startup(sockets))

    monkeypatch.setattr(connections, "take_short_turns", lambda: said.append("short turns"))
    monkeypatch.setattr(connections, "_raise_file_limit", lambda: 1000)
    monkeypatch.setattr(connections, "use_threads", lambda _threads: None)
    monkeypatch.setattr(connections.sys, "setswitchinterval", lambda _seconds: None)
    monkeypatch.setattr(connections.gc, "freeze", lambda: said.append("frozen"))
    monkeypatch.setattr(uvicorn.Server, "startup", start)
    monkeypatch.setattr(uvicorn.Server, "run", run)
    (listener,), (come_back,) = (GuardedListener.all_at(LOOPBACK, 0) for _ in range(2))
    hands = SimpleNamespace(listeners=[come_back])
    serve_http(FastAPI(), Settings(), [listener], hand_over=hands, is_waited_for=is_waited_for)  # type: ignore[arg-type]
    listener.close()
    come_back.close()
    first = ["short turns"] if is_waited_for else []
    assert said == [*first, "runs", ("started", [listener, come_back]), "frozen"]

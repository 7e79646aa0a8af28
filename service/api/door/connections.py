"""Connections: as many as the process has files for, none that only waits, and an end when the service is to end."""

import asyncio
import errno
import gc
import os
import re
import resource
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol

import h11
import structlog
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from latcast.schema import InputError
from predictors.execution.side_by_side import use_threads
from service.api.deps import ENDING
from service.api.door.bodies import SLOWEST_BYTES_S
from service.api.door.callers import caller_at, proxies_of
from service.api.door.joined_writes import JoinedWrites
from service.api.door.unread import RoomForAnswers, Unread
from service.operations.core_turns import take_short_turns
from service.settings import Settings

__all__ = ["GuardedListener", "HandsOver", "protocol_for", "serve_http"]

log = structlog.get_logger(__name__)
SHUTDOWN_S = 8
"""How long calls that are under way may take once the service is asked to end; containers are killed after ten."""
WANTED_FILES = 4096
RESERVED_FILES = 64
"""Files that connections leave to databases, uploads and the processes that read models."""
FIRST_CHUNKS, LEAST_CHUNK_BYTES = 256, 64
"""After so many pieces of one chunked body they have to be so large on average: each costs as much as a small call,
whether a key is valid or not."""
SWITCH_S = 0.0001
"""How long a thread may compute before another one gets its turn: the event loop waits so long behind each busy one."""
BACKLOG = 32
"""Connections that are taken at a time: fewer than files are reserved."""
QUIET_S = 60.0
"""What is said of refused connections is said once in this time."""
BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nRetry-After: 2\r\n"
    b"Connection: close\r\nContent-Length: %d\r\n\r\n%s"
)
BUSY_PROBLEM = (
    b'{"type":"urn:latcast:problem:unavailable","title":"Service Unavailable","status":503,"detail":"%s Close some, '
    b'or try again in a moment."}'
)
ALL_OPEN = b"The service has as many connections open as it takes (setting `max_connections`)."
ALL_OF_ONE = b"You have as many connections open as one address may (setting `max_connections_each`)."
ALIVE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: 15\r\n\r\n"
    b'{"status":"ok"}'
)
PROBE = re.compile(rb"GET (?P<path>[^ ?]*/healthz)(\?[^ ]*)? HTTP/1\.")
PROBE_BYTES, PROBE_S, MOST_PROBES = 2048, 2.0, 32
"""Whoever comes when no place is left may say in so many bytes and seconds that it asks for `/healthz` alone; so many
at a time."""


class HandsOver(Protocol):
    """Hands connections to another process (`service.api.door.hand_over`).

    Attributes:
        listeners: where they come back.
    """

    @property
    def listeners(self) -> "Sequence[GuardedListener]":
        """See above."""
        ...

    def takes(self, number: int, data: bytes) -> bool:
        """Whether a connection, of which `data` was read, was handed over; `number` is its file's."""
        ...

    def close(self) -> None:
        """Hand over nothing more."""
        ...


def serve_http(
    app: ASGIApp,
    settings: Settings,
    listeners: "Sequence[GuardedListener] | None" = None,
    *,
    hand_over: HandsOver | None = None,
    is_waited_for: bool = True,
) -> None:
    """Serve an application until the process is asked to end, then let what is under way end.

    Args:
        app: the application.
        settings: of the service.
        listeners: where connections are taken; by default where the settings say.
        hand_over: takes connections that another process is to serve.
        is_waited_for: whether callers wait for single answers; then the process asks for short turns at the cores.
    """
    listening = [*(listeners or GuardedListener.all_at(settings.host, settings.port))]
    if hand_over is not None:
        listening += hand_over.listeners
    if is_waited_for:
        take_short_turns()  # before any thread is started, which has them then, too
    files = _raise_file_limit()
    sys.setswitchinterval(SWITCH_S)
    use_threads(settings.forecast_threads)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="asyncio",
        http=protocol_for(settings, files, listeners=listening, hand_over=hand_over),
        ws="none",
        log_config=None,
        access_log=False,
        backlog=BACKLOG,
        proxy_headers=bool(settings.forwarded_allow_ips),
        forwarded_allow_ips=settings.forwarded_allow_ips or None,
        timeout_graceful_shutdown=SHUTDOWN_S,
    )
    with suppress(KeyboardInterrupt):
        _Server(config, hand_over).run(sockets=[*listening])


class _Server(uvicorn.Server):
    """uvicorn's, which lets the other process end while it ends itself, and collects no garbage of its beginning."""

    def __init__(self, config: uvicorn.Config, hand_over: HandsOver | None) -> None:
        super().__init__(config)
        self._hand_over = hand_over

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve; what is there by now stays, and is looked through for garbage no more.

        There are half a million objects, and the loop stands still while they are looked through.
        """
        await super().startup(sockets)
        gc.freeze()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections, and let what is under way end."""
        if self._hand_over is not None:
            self._hand_over.close()
        await super().shutdown(sockets)


def _raise_file_limit() -> int:
    """Let the process have as many files as it may, up to a number; how many it may have then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED_FILES if hard == resource.RLIM_INFINITY else min(WANTED_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            return wanted
    return WANTED_FILES if soft == resource.RLIM_INFINITY else soft


class GuardedListener(socket.socket):
    """A listening socket that closes who comes while the process has no file left, instead of failing again and again.

    asyncio logs a failure to accept, and tries again, many times a second; one file is kept so that the connection
    can be taken and closed.
    """

    firsts: dict[int, bytes] = {}  # noqa: RUF012 - nobody has read anything of these connections
    _spare: int | None = None

    @classmethod
    def all_at(cls, host: str, port: int) -> list["GuardedListener"]:
        """Those that are bound to every address of a host.

        Raises:
            InputError: it has none here, or the port is taken.
        """
        try:
            addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            return [cls._bound(family, address) for family, *_, address in dict.fromkeys(addresses)]
        except OSError as error:
            raise InputError(f"The service cannot listen on {host}, port {port}: {error.strerror}.") from error

    @classmethod
    def adopting(cls, bound: socket.socket) -> "GuardedListener":
        """One in place of a socket that another process has bound."""
        listener = cls(bound.family, bound.type, bound.proto, bound.detach())
        listener._spare = os.open(os.devnull, os.O_RDONLY)
        return listener

    @classmethod
    def _bound(cls, family: int, address: Any) -> "GuardedListener":
        # asyncio turns Nagle's algorithm off where the protocol is said; else answers wait 40 ms for acknowledgements.
        listener = cls(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
        listener._spare = os.open(os.devnull, os.O_RDONLY)
        return listener

    def listen(self, _backlog: int = 0) -> None:
        """Let as many wait as the system keeps; they are taken some at a time all the same."""
        super().listen(socket.SOMAXCONN)

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection.

        Raises:
            BlockingIOError: there is none, or no file for it.
        """
        try:
            return super().accept()
        except OSError as error:
            if error.errno not in {errno.EMFILE, errno.ENFILE}:
                raise
        self._turn_away()
        raise BlockingIOError

    def _turn_away(self) -> None:
        if self._spare is None:
            return
        os.close(self._spare)
        with suppress(OSError):
            super().accept()[0].close()
        self._spare = os.open(os.devnull, os.O_RDONLY)
        _say_refused("no file is left")

    def close(self) -> None:
        """Listen no more."""
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None
        super().close()


class _Refusals:
    """What was refused since it was last said."""

    count = 0
    said_s = -QUIET_S


def _say_refused(reason: str) -> None:
    _Refusals.count += 1
    if (now := time.monotonic()) - _Refusals.said_s >= QUIET_S:
        log.warning("connections refused", count=_Refusals.count, reason=reason)
        _Refusals.count, _Refusals.said_s = 0, now


def protocol_for(
    settings: Settings,
    files: int,
    *,
    listeners: Sequence[GuardedListener] = (),
    hand_over: HandsOver | None = None,
) -> type[asyncio.Protocol]:
    """The protocol of connections within the limits of the settings.

    Args:
        settings: of the service.
        files: that the process may have open.
        listeners: where connections come from.
        hand_over: takes connections that another process is to serve.
    """
    offered_to, firsts_of = hand_over, [each.firsts for each in listeners]

    class LimitedProtocol(GuardedProtocol):
        most_connections, most_of_one = settings.max_connections, settings.max_connections_each
        is_proxy = staticmethod(proxies_of(settings.forwarded_allow_ips))
        health_paths = frozenset({b"/healthz", f"{settings.root_path.rstrip('/')}/healthz".encode()})
        open_by_caller, probes, unread = Counter(), set(), Unread(settings.max_unread_bytes)
        last_file = max(files - RESERVED_FILES, 16)
        head_s = settings.header_timeout_s
        pause_s = settings.body_timeout_s
        hand_over, firsts = offered_to, firsts_of

    return LimitedProtocol


class CountedChunks(h11.Connection):
    """h11's, which takes no body in crumbs, and none whose end two headers tell: a proxy may believe the other one."""

    _chunks = _bytes = 0

    def next_event(self) -> Any:
        """The next event.

        Raises:
            h11.RemoteProtocolError: the caller does not keep to HTTP, sends its body in crumbs, or both its length and
                chunks.
        """
        event = super().next_event()
        if isinstance(event, h11.Data):
            self._chunks += event.chunk_start
            self._bytes += len(event.data)
            if self._chunks > FIRST_CHUNKS and self._bytes < LEAST_CHUNK_BYTES * self._chunks:
                raise h11.RemoteProtocolError("chunks are too small")
        elif isinstance(event, h11.Request):
            self._chunks = self._bytes = 0
            if {b"content-length", b"transfer-encoding"} <= {name for name, _ in event.headers}:
                raise h11.RemoteProtocolError("a length and chunks")
        return event


class GuardedProtocol(H11Protocol):
    """uvicorn's, with an end for connections that come too many, that send no whole head, or read no answer."""

    most_connections: int
    most_of_one: int
    is_proxy: Callable[[str], bool]
    health_paths: frozenset[bytes]
    open_by_caller: Counter[str]
    probes: set["GuardedProtocol"]
    unread: Unread
    last_file: int
    head_s: float
    pause_s: float
    hand_over: HandsOver | None = None
    firsts: Sequence[dict[int, bytes]] = ()
    _caller = ""
    _refusal: bytes | None = None
    _asked = b""
    _taken_before = _taken_before_head = 0
    _waiting_for_head: asyncio.TimerHandle | None = None
    _waiting_for_reader: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Take a connection, or turn it away."""
        self.conn = CountedChunks(h11.SERVER)
        super().connection_made(JoinedWrites(transport, self.loop))  # type: ignore[arg-type]  # one in all it does
        self.app = RoomForAnswers(self.app, self.unread, self)
        host = self.client[0] if self.client else ""
        self._caller = "" if self.is_proxy(host) else caller_at(host)
        self.open_by_caller[self._caller] += 1
        number = transport.get_extra_info("socket").fileno()
        self._refusal = self._why_not(number)
        if self._refusal is None:
            self._expect_head()
        elif number > self.last_file or len(self.probes) >= MOST_PROBES:
            self._turn_away()
        else:
            self.probes.add(self)
            self._waiting_for_head = self.loop.call_later(PROBE_S, self._turn_away)
        for first in self.firsts:
            if read_before := first.pop(number, b""):
                self.data_received(read_before)

    def _why_not(self, number: int) -> bytes | None:
        """Why the connection is not taken; None where it is.

        Args:
            number: of its file.
        """
        if len(self.connections) > self.most_connections or number > self.last_file:
            return ALL_OPEN
        if self._caller and self.open_by_caller[self._caller] > self.most_of_one:
            return ALL_OF_ONE
        return None

    def _turn_away(self, answer: bytes | None = None) -> None:
        if answer is None:
            _say_refused("as many are open as may be")
            problem = BUSY_PROBLEM % (self._refusal or ALL_OPEN)
            answer = BUSY % (len(problem), problem)
        self.probes.discard(self)
        self.transport.write(answer)
        self.transport.close()

    def _look_at_probe(self, data: bytes) -> None:
        """Answer whoever asks whether the service is alive, although no place is left."""
        self._asked += data[:PROBE_BYTES]
        if b"\r\n\r\n" in self._asked or len(self._asked) >= PROBE_BYTES:
            asked = PROBE.match(self._asked)
            self._turn_away(ALIVE if asked and asked["path"] in self.health_paths else None)

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        if self.transport.is_closing():
            return
        if self._refusal is not None:
            self._look_at_probe(data)
            return
        if self._is_handed_over(data):
            self.transport.abort()  # here alone: the connection goes on over there
            return
        super().data_received(data)
        self._watch()

    def _is_handed_over(self, data: bytes) -> bool:
        if self.hand_over is None or not self._is_between_calls():
            return False
        return self.hand_over.takes(self.transport.get_extra_info("socket").fileno(), data)

    def _is_between_calls(self) -> bool:
        """Whether what comes is the beginning of a call, and nothing of the last one is left."""
        is_idle = self.conn.our_state is h11.IDLE and self.conn.their_state is h11.IDLE
        return is_idle and not self.conn.trailing_data[0] and not self.transport.has_unsent()  # type: ignore[attr-defined]  # of JoinedWrites

    def send_400_response(self, msg: str) -> None:
        """Say that this is no HTTP, unless an answer has begun already."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            super().send_400_response(msg)
        else:
            self.transport.close()

    def on_response_complete(self) -> None:
        """Go on with the next call."""
        super().on_response_complete()
        self._watch()

    def _watch(self) -> None:
        """While no call is under way, what comes has to become a head in time."""
        if self.cycle is not None and not self.cycle.response_complete:
            _cancel(self._waiting_for_head)
            self._waiting_for_head = None
        elif self._waiting_for_head is None:
            self._expect_head()

    def _expect_head(self) -> None:
        self._taken_before_head = self._taken_bytes()
        self._waiting_for_head = self.loop.call_later(self.head_s, self._look_at_head)

    def _look_at_head(self) -> None:
        """End the connection of a caller that sends no head, unless it is still busy with its last answer."""
        if self.unread_bytes() and self._taken_bytes() > self._taken_before_head:
            self._expect_head()
        else:
            self._end("head")

    def pause_writing(self) -> None:
        """The caller reads more slowly than it is answered."""
        super().pause_writing()
        self.unread.add(self)
        if self._waiting_for_reader is None:
            self._expect_reader()

    def resume_writing(self) -> None:
        """The caller has read on; whether quickly enough is looked at in its time."""
        super().resume_writing()
        self.unread.remove(self)

    def _expect_reader(self) -> None:
        self._taken_before = self._taken_bytes()
        self._waiting_for_reader = self.loop.call_later(self.pause_s, self._look_at_reader)

    def _look_at_reader(self) -> None:
        """End the connection of a caller that still keeps its answer waiting and reads more slowly than a body may
        come.
        """
        self._waiting_for_reader = None
        if not self.flow.write_paused:
            return
        if self._taken_bytes() - self._taken_before < SLOWEST_BYTES_S * self.pause_s:
            self._end("reader")
        else:
            self._expect_reader()

    def _taken_bytes(self) -> int:
        """What the caller has taken of all that it was sent."""
        return int(self.transport.written_bytes) - self.unread_bytes()  # type: ignore[attr-defined]  # of JoinedWrites

    def unread_bytes(self) -> int:
        """What was written and the caller has not taken."""
        return self.transport.get_write_buffer_size()

    def abort(self) -> None:
        """End the connection, and forget what its caller has not taken."""
        self._end("reader")

    def _end(self, reason: str) -> None:
        log.debug("connection ended", waited_for=reason)
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        _cancel(self._waiting_for_head)
        _cancel(self._waiting_for_reader)
        self.unread.remove(self)
        self.probes.discard(self)
        self.open_by_caller[self._caller] -= 1
        if not self.open_by_caller[self._caller]:
            del self.open_by_caller[self._caller]
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Tell whoever waits that the service is to end."""
        if (ending := self.app_state.get(ENDING)) is not None:
            ending.set()
        if self.conn.our_state is h11.ERROR:
            self.transport.close()
            return
        super().shutdown()


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()

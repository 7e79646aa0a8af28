"""Connections of agents, handed by the process that forecasts to one that takes what agents report, and back.

Whoever asks for one forecast waits for it a fraction of a millisecond, and as long again for each call of an agent that
comes between: in one process one thing is done at a time. An agent keeps its connection, so that one of its calls says
whose it is. The connection's file goes to the other process with what was read of it, between two calls; its caller
notices nothing. Both processes answer every call, but behind a proxy agents and others share connections: a call that
is no agent's goes back, with its connection, to where nothing keeps it waiting.
"""

import os
import re
import signal
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from service.api.door.connections import GuardedListener

__all__ = ["HandBack", "HandOver", "HandedListener"]

AGENTS_CALL = re.compile(rb"POST [^ ?]*/jobs/(?:lease|[^/ ?]+/(?:result|failure|heartbeat)) HTTP/1\.1\r\n")
ANY_CALL = re.compile(rb"[A-Z]+ [^ ]+ HTTP/1\.1\r\n")
KEY = re.compile(rb"\r\nauthorization: *bearer +([!-~]+) *\r\n", re.IGNORECASE)
MOST_BYTES = 2**14
"""What was read of a connection goes in one message; more than a head and a small report stays where it is."""
WORTH_PER_SECOND = 5.0
"""So many calls of agents a second are worth a process of their own."""
READY = b"."


class _Hands:
    """One way between the two processes. Used from one event loop.

    Args:
        channel: one end of a pair of sockets, whose other end is a `HandedListener`'s.
        listeners: where connections come back.
    """

    def __init__(self, channel: socket.socket, listeners: Sequence[GuardedListener] = ()) -> None:
        channel.setblocking(False)
        self._channel, self.listeners = channel, listeners
        self._closed = False
        self.is_agents: Callable[[str], bool] = lambda _key: False
        """Whether a key is an agent's."""

    def close(self) -> None:
        """Hand over nothing more."""
        self._closed = True
        self._channel.close()

    def _give(self, number: int, data: bytes) -> bool:
        """Hand a connection over with what was read of it; whether it was."""
        if self._closed:
            return False
        try:
            socket.send_fds(self._channel, [data], [number])
        except OSError:  # the other process is behind, or gone
            return False
        return True

    def _is_of_agent(self, data: bytes) -> bool | None:
        """Whether a call comes with an agent's key; None where its head is not there yet."""
        head, end, _ = data.partition(b"\r\n\r\n")
        if not end:
            return None
        key = KEY.search(head + b"\r\n")
        return key is not None and self.is_agents(key[1].decode("ascii"))


class HandOver(_Hands):
    """Hands connections on which agents call to the process of agents; `is_worth_it` and `lost` are for any thread."""

    def __init__(self, channel: socket.socket, listeners: Sequence[GuardedListener] = ()) -> None:
        super().__init__(channel, listeners)
        self._ready = False
        self._calls, self._since = 0, time.monotonic()

    def takes(self, number: int, data: bytes) -> bool:
        """Hand a connection over if an agent calls on it; whether it was: then it is the other process's.

        Args:
            number: of the connection's file.
            data: what was read of its next call.
        """
        if len(data) > MOST_BYTES or AGENTS_CALL.match(data) is None or not self._is_of_agent(data):
            return False
        self._calls += 1
        return self._is_ready() and self._give(number, data)

    def _is_ready(self) -> bool:
        if not self._ready and not self._closed:
            with suppress(OSError):
                self._ready = self._channel.recv(1) == READY
        return self._ready

    def is_worth_it(self) -> bool:
        """Whether agents have called often since this was asked last."""
        now, calls = time.monotonic(), self._calls
        rate = calls / max(now - self._since, 1e-3)
        self._calls, self._since = 0, now
        return rate >= WORTH_PER_SECOND and not self._closed

    def lost(self) -> None:
        """The other process has ended: connections stay until another one is ready."""
        self._ready = False

    def close(self) -> None:
        """Hand over nothing more; the other process ends once what it does is done."""
        self._ready = False
        super().close()


class HandBack(_Hands):
    """Hands connections back on which somebody else calls than an agent."""

    def takes(self, number: int, data: bytes) -> bool:
        """Hand a connection back if what comes on it is no agent's call; whether it was.

        A call that may be an agent's, because its path is one of theirs, its key is, or its head is not whole yet,
        stays: the first process would hand it over again.

        Args:
            number: of the connection's file.
            data: what was read of its next call.
        """
        if len(data) > MOST_BYTES or ANY_CALL.match(data) is None or AGENTS_CALL.match(data) is not None:
            return False
        return self._is_of_agent(data) is False and self._give(number, data)


class HandedListener(GuardedListener):
    """Where connections come in that are handed over, as others come in where somebody listens.

    Args:
        number: of the file of the channel's other end.
        ends: whether this process ends with the other one, which has nobody else to hand anything over.

    Attributes:
        firsts: what was read of connections that are about to be made, by the numbers of their files.
    """

    def __init__(self, number: int, *, ends: bool = True) -> None:
        super().__init__(fileno=number)
        self.firsts: dict[int, bytes] = {}
        self._ends, self._ended = ends, False

    def listen(self, _backlog: int = 0) -> None:
        """Say that connections may come."""
        self.sendall(READY)

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection; what was read of it is in `firsts`, by the number of its file.

        Raises:
            BlockingIOError: there is none.
        """
        data, numbers, _, _ = socket.recv_fds(self, MOST_BYTES, 1)
        if not data:
            self._end()
            raise BlockingIOError
        if not numbers:  # this process has no file left for it
            raise BlockingIOError
        connection = socket.socket(fileno=numbers[0])
        try:
            peer = connection.getpeername()
        except OSError:  # its caller has gone
            connection.close()
            raise BlockingIOError from None
        self.firsts[connection.fileno()] = data
        return connection, peer

    def _end(self) -> None:
        """The service ends: let what is under way end."""
        if self._ends and not self._ended:
            self._ended = True
            os.kill(os.getpid(), signal.SIGTERM)

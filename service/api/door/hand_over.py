"""Connections of agents, handed by the process that forecasts to one that takes what agents report.

Whoever asks for one forecast waits for it a fraction of a millisecond, and as long again for each call of an agent that
comes between: in one process one thing is done at a time. An agent keeps its connection, so that one of its calls says
whose it is. The connection's file goes to the other process with what was read of it, between two calls; its caller
notices nothing. Both processes answer every call.
"""

import os
import re
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from service.api.door.connections import GuardedListener

__all__ = ["HandOver", "HandedListener"]

AGENTS_CALL = re.compile(rb"POST [^ ?]*/jobs/(?:lease|[^/ ?]+/(?:result|failure|heartbeat)) HTTP/1\.1\r\n")
KEY = re.compile(rb"\r\nauthorization: *bearer +([!-~]+) *\r\n", re.IGNORECASE)
MOST_BYTES = 2**14
"""What was read of a connection goes in one message; more than a head and a small report stays where it is."""
WORTH_PER_SECOND = 5.0
"""So many calls of agents a second are worth a process of their own."""
READY = b"."


class HandOver:
    """Hands connections to another process. Used from one event loop, but for `is_worth_it` and `lost`.

    Args:
        channel: one end of a pair of sockets, whose other end is a `HandedListener`'s.
    """

    def __init__(self, channel: socket.socket) -> None:
        channel.setblocking(False)
        self._channel = channel
        self._ready = self._closed = False
        self._calls, self._since = 0, time.monotonic()
        self.is_agents: Callable[[str], bool] = lambda _key: False
        """Whether a key is an agent's."""

    def takes(self, number: int, data: bytes) -> bool:
        """Hand a connection over if an agent calls on it; whether it was: then it is the other process's.

        Args:
            number: of the connection's file.
            data: what was read of its next call.
        """
        if not self._is_agents_call(data):
            return False
        self._calls += 1
        if not self._is_ready():
            return False
        try:
            socket.send_fds(self._channel, [data], [number])
        except OSError:  # the other process is behind, or gone
            return False
        return True

    def _is_agents_call(self, data: bytes) -> bool:
        if len(data) > MOST_BYTES or AGENTS_CALL.match(data) is None:
            return False
        head, end, _ = data.partition(b"\r\n\r\n")
        key = KEY.search(head + b"\r\n") if end else None
        return key is not None and self.is_agents(key[1].decode("ascii"))

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
        self._ready, self._closed = False, True
        self._channel.close()


class HandedListener(GuardedListener):
    """Where connections come in that are handed over, as others come in where somebody listens.

    Args:
        number: of the file of the channel's other end.

    Attributes:
        firsts: what was read of connections that are about to be made, by the numbers of their files.
    """

    def __init__(self, number: int) -> None:
        super().__init__(fileno=number)
        self.firsts: dict[int, bytes] = {}
        self._ended = False

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
        if not self._ended:
            self._ended = True
            os.kill(os.getpid(), signal.SIGTERM)

"""Load on an HTTP server: callers that send one prepared call after the other over a connection of their own."""

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle

from latcast.schema import LatcastError, quantile
from service.operations.core_turns import short_turns

__all__ = ["Call", "Line", "Load", "drive", "prepared"]

_LONGEST_HEAD = 65_536
NO_CONTENT = 204
WAITS = "/proc/thread-self/schedstat"
"""Where Linux says how long a thread has computed and how long it has waited for a core, in ns."""


@dataclass(frozen=True, slots=True)
class Call:
    """Bytes of an HTTP/1.1 call as they are sent."""

    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What callers saw.

    Args:
        calls: number of answered calls.
        seconds: from the first call's start to the last one's end.
        p50_ms, p99_ms: quantiles of the time between a call and its whole answer.
        answer_bytes: size of the last answer's body.
        p99_served_ms: quantile of that time less what the callers themselves waited for a core meanwhile, as callers on
            other machines would not; with several of them, who share a thread, it is the least that is left.
    """

    calls: int
    seconds: float
    p50_ms: float
    p99_ms: float
    answer_bytes: int
    p99_served_ms: float

    @property
    def per_second(self) -> float:
        """Answered calls a second, of all callers together."""
        return self.calls / self.seconds


def prepared(
    path: str,
    body: bytes,
    *,
    host: str,
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> Call:
    """A POST as it goes over the wire, with further headers."""
    lines = {"Host": host, "Content-Type": content_type, "Content-Length": str(len(body)), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return Call(f"POST {path} HTTP/1.1\r\n{head}\r\n".encode("ascii") + body)


class Line:
    """A connection to a server on loopback, with one open call at a time.

    Args:
        reader: of the connection.
        writer: of the connection.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def to(cls, port: int) -> "Line":
        """One that is open."""
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=_LONGEST_HEAD))

    async def send(self, call: Call) -> tuple[int, bytes]:
        """Send a call and read its whole answer; its status and its body.

        Raises:
            LatcastError: the answer does not say how long it is.
            asyncio.IncompleteReadError, OSError: the connection ended.
        """
        self._writer.write(call.content)
        await self._writer.drain()
        head = await self._reader.readuntil(b"\r\n\r\n")
        status = int(head[9:12])
        return status, await self._reader.readexactly(0 if status == NO_CONTENT else _content_length(head))

    def close(self) -> None:
        """End the connection."""
        self._writer.close()


def drive(port: int, calls: Sequence[Call], *, callers: int, seconds: float, warmup: int = 3) -> Load:
    """Let callers call a server on loopback for some time.

    They ask for short turns at the cores (`service.operations.core_turns`): they stand for callers elsewhere, who wait
    for none of this machine's.

    Args:
        port: of the server.
        calls: each caller sends them in turn, beginning at another one than the others.
        callers: number of connections, each with one open call at a time.
        seconds: no call begins later; each caller sends at least one.
        warmup: calls of each caller that are not counted.

    Raises:
        LatcastError: an answer is no 200; quotes it.
    """
    with short_turns(), _Waits() as waits:
        return asyncio.run(_drive(port, calls, callers, seconds, warmup, waits))


class _Waits:
    """How long this thread waited for a core while it could have computed; nothing where the system does not say."""

    def __init__(self) -> None:
        try:
            self._file: int | None = os.open(WAITS, os.O_RDONLY)
        except OSError:
            self._file = None

    def ms(self) -> float:
        """So long, in ms, since the thread began."""
        return 0.0 if self._file is None else int(os.pread(self._file, 64, 0).split()[1]) / 1e6

    def __enter__(self) -> "_Waits":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            os.close(self._file)


async def _drive(port: int, calls: Sequence[Call], callers: int, seconds: float, warmup: int, waits: _Waits) -> Load:
    started = asyncio.Barrier(callers)
    turned = [[*calls[index % len(calls) :], *calls[: index % len(calls)]] for index in range(callers)]
    tasks = [_caller(port, each, started, seconds, warmup, waits) for each in turned]
    seen = await asyncio.gather(*tasks)
    taken_ms = sorted(ms for times, _, _, _ in seen for ms, _ in times)
    served_ms = sorted(max(ms - waited_ms, 0.0) for times, _, _, _ in seen for ms, waited_ms in times)
    first, last = min(start for _, start, _, _ in seen), max(end for _, _, end, _ in seen)
    return Load(
        calls=len(taken_ms),
        seconds=last - first,
        p50_ms=quantile(taken_ms, 0.5),
        p99_ms=quantile(taken_ms, 0.99),
        answer_bytes=seen[-1][3],
        p99_served_ms=quantile(served_ms, 0.99),
    )


async def _caller(
    port: int, calls: Sequence[Call], started: asyncio.Barrier, seconds: float, warmup: int, waits: _Waits
) -> tuple[list[tuple[float, float]], float, float, int]:
    """((time, wait for a core meanwhile) in ms of each call, start, end, bytes of the last answer) of one caller."""
    line = await Line.to(port)
    turn = cycle(calls)
    times: list[tuple[float, float]] = []
    try:
        for _ in range(warmup):
            size = await _call(line, next(turn))
        await started.wait()
        start = end = time.perf_counter()
        while not times or end - start < seconds:
            before, waited_ms = time.perf_counter(), waits.ms()
            size = await _call(line, next(turn))
            end = time.perf_counter()
            times.append(((end - before) * 1000, waits.ms() - waited_ms))
        return times, start, end, size
    finally:
        line.close()


async def _call(line: Line, call: Call) -> int:
    """Send a call and read its whole answer; the size of its body."""
    status, body = await line.send(call)
    if status != 200:
        raise LatcastError(f"The server answered {status}: {body[:300].decode(errors='replace')}")
    return len(body)


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    raise LatcastError("The server's answer has no Content-Length.")

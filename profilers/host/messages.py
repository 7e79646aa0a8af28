"""Messages between a process and its children: a JSON header and a payload, with the length of each before them."""

import json
import os
import select
import struct
from collections.abc import Iterator
from itertools import chain
from time import monotonic
from typing import IO, Any, Protocol

from profilers.host.cancellation import check_wanted

__all__ = ["Message", "Pieces", "read_message", "receive_message", "send_message", "write_message"]

Message = tuple[dict[str, Any], bytes]


class Pieces(Protocol):
    """Bytes that come a piece at a time."""

    def __len__(self) -> int:
        """How many bytes."""
        ...

    def __iter__(self) -> Iterator[bytes]:
        """The pieces."""
        ...


_LENGTHS = struct.Struct("<QQ")
_CHUNK = 1 << 20
_LOOK_S = 0.1
"""How often a wait looks whether it is still wanted."""


def write_message(stream: IO[bytes], header: dict[str, Any], *payload: bytes) -> None:
    """Send a header and a payload, however long it takes."""
    stream.write(_head(header, payload))
    for part in payload:
        stream.write(part)
    stream.flush()


def read_message(stream: IO[bytes], *, largest: int) -> Message | None:
    """The next message; None at the end of the stream.

    Raises:
        ValueError: it is larger than `largest` bytes, or is none.
    """
    lengths = stream.read(_LENGTHS.size)
    if len(lengths) < _LENGTHS.size:
        return None
    head, payload = _sizes(lengths, largest)
    header, body = stream.read(head), stream.read(payload)
    if len(header) < head or len(body) < payload:
        return None
    return dict(json.loads(header)), body


def send_message(descriptor: int, header: dict[str, Any], payload: bytes | Pieces, deadline: float) -> None:
    """Send a message into a pipe that does not block.

    Args:
        descriptor: pipe to write to.
        header: JSON values.
        payload: bytes that go with them.
        deadline: time of the monotonic clock, in s.

    Raises:
        TimeoutError: the deadline is over.
        WorkCancelledError: nobody waits for it any more.
        OSError: the other end is closed.
    """
    for part in chain((_head(header, (payload,)),), (payload,) if isinstance(payload, bytes) else payload):
        left = memoryview(part)
        while left:
            try:
                left = left[os.write(descriptor, left) :]
            except BlockingIOError:
                _wait(descriptor, select.POLLOUT, deadline)


def receive_message(descriptor: int, *, largest: int, deadline: float) -> Message | None:
    """The next message in a pipe that does not block; None at its end.

    Args:
        descriptor: pipe to read from.
        largest: bytes of a message.
        deadline: time of the monotonic clock, in s.

    Raises:
        TimeoutError: the deadline is over.
        WorkCancelledError: nobody waits for it any more.
        ValueError: it is larger than `largest` bytes, or is none.
    """
    lengths = _receive(descriptor, _LENGTHS.size, deadline)
    if len(lengths) < _LENGTHS.size:
        return None
    head, payload = _sizes(lengths, largest)
    body = _receive(descriptor, head + payload, deadline)
    if len(body) < head + payload:
        return None
    return dict(json.loads(body[:head])), bytes(memoryview(body)[head:])


def _receive(descriptor: int, size: int, deadline: float) -> bytearray:
    """So many bytes, or fewer where the pipe ends before; what comes after them stays in the pipe."""
    received = bytearray()
    while len(received) < size:
        try:
            chunk = os.read(descriptor, min(size - len(received), _CHUNK))
        except BlockingIOError:
            _wait(descriptor, select.POLLIN, deadline)
            continue
        if not chunk:
            break
        received += chunk
    return received


def _wait(descriptor: int, event: int, deadline: float) -> None:
    """Wait until the pipe is ready, and look now and then whether anybody still waits for what comes of it."""
    poll = select.poll()
    poll.register(descriptor, event)
    while True:
        check_wanted()
        left = deadline - monotonic()
        if poll.poll(min(max(left, 0.0), _LOOK_S) * 1e3):
            return
        if left <= _LOOK_S:
            raise TimeoutError


def _head(header: dict[str, Any], payload: tuple[bytes | Pieces, ...]) -> bytes:
    head = json.dumps(header, separators=(",", ":")).encode()
    return _LENGTHS.pack(len(head), sum(map(len, payload))) + head


def _sizes(lengths: bytes | bytearray, largest: int) -> tuple[int, int]:
    head, payload = _LENGTHS.unpack(lengths)
    if head + payload > largest:
        raise ValueError("message too large")
    return int(head), int(payload)

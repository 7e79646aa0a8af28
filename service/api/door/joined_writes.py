"""An answer's head and its body in one piece: two would be two packets, and wake the caller twice."""

import asyncio
from typing import Any

__all__ = ["JoinedWrites"]

MOST_JOINED_BYTES = 2**16
"""Larger pieces are not copied to be joined."""


class JoinedWrites:
    """A transport that holds a small piece back until the next one, or until the event loop's next turn.

    Args:
        transport: what is written to.
        loop: that it belongs to.

    Attributes:
        written_bytes: how much was written so far, what is held back included.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._held = b""
        self.written_bytes = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def has_unsent(self) -> bool:
        """Whether anything that was written has not gone out yet."""
        return bool(self._held) or self._transport.get_write_buffer_size() > 0

    def write(self, data: bytes) -> None:
        """Write after all that was written before."""
        self.written_bytes += len(data)
        held, self._held = self._held, b""
        if held and len(data) <= MOST_JOINED_BYTES:
            self._transport.write(held + data)
        elif held or len(data) > MOST_JOINED_BYTES:
            self._transport.writelines([held, data])
        elif data:
            self._held = data
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        held, self._held = self._held, b""
        if held:
            self._transport.write(held)

    def close(self) -> None:
        """Close once everything is written."""
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._held = b""
        self._transport.abort()

"""Answers that nobody reads: what all connections together may leave in memory, and who makes room for the others."""

import asyncio
import time
from typing import Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["SMALL_ANSWER_BYTES", "RoomForAnswers", "Unread"]

SMALL_ANSWER_BYTES = 2**16
"""Up to here an answer needs no room: it is no more than a connection holds in any case."""
PATIENCE_S = 10.0
"""So long a large answer waits for room; then its connection ends."""
SLOW_S = 3.0
"""After so long without a byte read, a connection makes room for others."""
LOOK_S = 0.05


class Reader(Protocol):
    """A connection whose caller reads more slowly than it is answered."""

    def unread_bytes(self) -> int:
        """What it was sent and has not taken."""
        ...

    def abort(self) -> None:
        """End it, and forget what it was sent."""
        ...


class Unread:
    """The answers that wait for their readers. Used from one event loop.

    Args:
        most_bytes: of all of them together.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._since: dict[Reader, float] = {}

    def add(self, reader: Reader) -> None:
        """A connection takes no more for now."""
        self._since.setdefault(reader, time.monotonic())

    def remove(self, reader: Reader) -> None:
        """It has taken what it was sent, or is gone."""
        self._since.pop(reader, None)

    @property
    def bytes(self) -> int:
        """What all of them have not taken."""
        return sum(reader.unread_bytes() for reader in self._since)

    async def has_room(self, size: int) -> bool:
        """Whether so many more bytes may be written, as soon as they may; False where that takes too long.

        One answer always has room, whatever its size.
        """
        until = time.monotonic() + PATIENCE_S
        while (unread := self.bytes) and unread + size > self._most_bytes:
            if not self._make_room():
                if time.monotonic() >= until:
                    return False
                await asyncio.sleep(LOOK_S)
        return True

    def _make_room(self) -> bool:
        """End the largest of those that have read nothing for a while; False where there is none."""
        now = time.monotonic()
        slow = [reader for reader, since in self._since.items() if now - since >= SLOW_S]
        if not slow:
            return False
        largest = max(slow, key=lambda reader: reader.unread_bytes())
        self.remove(largest)
        largest.abort()
        return True


class RoomForAnswers:
    """The application, whose large answers wait until there is room for them.

    Args:
        app: what answers.
        unread: the room.
        reader: the connection that is answered.
    """

    def __init__(self, app: ASGIApp, unread: Unread, reader: Reader) -> None:
        self._app, self._unread, self._reader = app, unread, reader

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one call (ASGI)."""

        async def when_there_is_room(message: Message) -> None:
            size = len(message.get("body", b""))
            if size > SMALL_ANSWER_BYTES and not await self._unread.has_room(size):
                self._reader.abort()
            await send(message)

        await self._app(scope, receive, when_there_is_room)

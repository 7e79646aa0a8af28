"""A call whose caller hangs up is cancelled: what is done for it ends at its next look."""

import asyncio
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from profilers.host.cancellation import Cancellation, cancelled_by

__all__ = ["CancelledCalls"]


class CancelledCalls:
    """Innermost: watches whether the caller is still there once it has sent its body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one call (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        watched = _Watched(receive)
        try:
            with cancelled_by(watched.cancellation):
                await self._app(scope, watched.receive, send)
        finally:
            await watched.stop()


class _Watched:
    """Messages of the caller; after the last piece of its body, the next one is waited for at once."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._next: asyncio.Task[Message] | None = None
        self.cancellation = Cancellation()

    async def receive(self) -> Message:
        """The next message."""
        if self._next is not None:
            return await asyncio.shield(self._next)
        message = await self._receive()
        if message["type"] == "http.request" and not message.get("more_body", False):
            self._next = asyncio.create_task(self._wait())
        elif message["type"] == "http.disconnect":
            self.cancellation.cancel()
        return message

    async def stop(self) -> None:
        """Watch no more."""
        if self._next is not None:
            self._next.cancel()
            with suppress(asyncio.CancelledError):
                await self._next

    async def _wait(self) -> Message:
        """What comes after the body: that the caller is gone, or has its answer."""
        message = await self._receive()
        self.cancellation.cancel()
        return message

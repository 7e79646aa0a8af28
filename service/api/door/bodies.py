"""Bodies as they come in: within limits of size and time, unpacked, in memory while small and else in a file."""

import asyncio
import tempfile
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from io import BytesIO
from typing import IO, Protocol, cast

import anyio
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope

from latcast.errors import BodyTooLargeError, UnavailableError
from latcast.schema import InputError
from latcast.schema.counting import counted
from profilers.onnx_graph.isolated.model_file import ModelFile
from service.api.door.heads import header
from service.api.door.pools import Pool

__all__ = ["SLOWEST_BYTES_S", "SMALL_BYTES", "Body", "BodyReader", "room_on_disk"]

SMALL_BYTES = 2**18
"""Up to here a body is held in memory, and needs no place."""
SLOWEST_BYTES_S = 16 * 2**10
"""A body may take its longest pause, and besides as long as it takes at this rate."""
INFLATED_BYTES = 2**18
MOST_MEMBERS = 10_000
"""Parts that a gzip body may consist of: an empty one has twenty bytes, and takes as long as a large one."""


@dataclass(slots=True)
class Body:
    """A whole body.

    Args:
        file: its bytes; closed when the call ends.
        size: how many.
        models: models that were taken out of JSON, by what stands in their place.
    """

    file: IO[bytes]
    size: int
    models: dict[str, ModelFile] = field(default_factory=dict)

    def read(self) -> bytes:
        """All bytes."""
        self.file.seek(0)
        return self.file.read()

    def replayed(self, receive: Receive) -> Receive:
        """What the application receives: the body in one piece, read when asked for; then the connection's end."""
        sent = False

        async def replay() -> Message:
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": self.read(), "more_body": False}

        return replay


class BodyReader:
    """Reads bodies; one that is not small needs a place before it is read on.

    Args:
        places: for large bodies.
        pause_s: longest silence.
    """

    def __init__(self, places: Pool, *, pause_s: float) -> None:
        self._places, self._pause_s = places, pause_s

    @asynccontextmanager
    async def body(self, scope: Scope, receive: Receive, *, limit: int) -> AsyncIterator[Body]:
        """The body of a call, for as long as the block runs.

        Args:
            scope: of the call.
            receive: of the call.
            limit: most bytes, unpacked.

        Raises:
            BodyTooLargeError: more came, or was announced.
            ClientDisconnect: the caller went away.
            HTTPException: packed in a way that is not read (415), or too slow (408).
            InputError: no valid gzip.
            UnavailableError: there are as many large bodies already as may be, or the disk is full.
        """
        announced = header(scope, b"content-length") or ""
        if announced.isdigit() and int(announced) > limit:
            raise _too_large(limit)
        unpacker = _unpacker(header(scope, b"content-encoding") or "")
        first = await _next(receive, self._pause_s)
        content = first.get("body", b"")
        if (
            not first.get("more_body", False)
            and len(content) <= min(SMALL_BYTES, limit)
            and isinstance(unpacker, _Plain)
        ):
            yield Body(BytesIO(content), len(content))
            return
        receive = _again(first, receive)
        async with AsyncExitStack() as stack:
            file = stack.enter_context(tempfile.SpooledTemporaryFile(max_size=SMALL_BYTES))  # noqa: SIM115 - the stack closes it
            body = Body(cast(IO[bytes], file), 0)
            async for part in self._unpacked(receive, unpacker):
                was_small, body.size = body.size <= SMALL_BYTES, body.size + len(part)
                if body.size > limit:
                    raise _too_large(limit)
                if was_small and body.size > SMALL_BYTES:
                    await stack.enter_async_context(self._places.place())
                with room_on_disk():
                    body.file.write(part)
            yield body

    async def _unpacked(self, receive: Receive, unpacker: "_Unpacker") -> AsyncIterator[bytes]:
        began, size, more = anyio.current_time(), 0, True
        while more:
            late_s = began + self._pause_s + size / SLOWEST_BYTES_S - anyio.current_time()
            message = await _next(receive, min(self._pause_s, late_s))
            size += len(message.get("body", b""))
            more = message.get("more_body", False)
            for part in unpacker.unpacked(message.get("body", b"")):
                yield part
                await anyio.sleep(0)  # a small piece may become large
        unpacker.require_end()


def _again(first: Message, receive: Receive) -> Receive:
    """Receive a message again, and then whatever follows it."""
    left = [first]

    async def message() -> Message:
        return left.pop() if left else await receive()

    return message


async def _next(receive: Receive, pause_s: float) -> Message:
    with suppress(TimeoutError):
        async with asyncio.timeout(pause_s):
            message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        return message
    raise HTTPException(408, "The body came too slowly; send it again.", {"Connection": "close"})


@contextmanager
def room_on_disk() -> Iterator[None]:
    """Say that the disk is full, where what is written in the block finds no room.

    Raises:
        UnavailableError: it does not.
    """
    try:
        yield
    except OSError as error:
        raise UnavailableError("The service has no room for the body on its disk; try again later.") from error


def _too_large(limit: int) -> BodyTooLargeError:
    return BodyTooLargeError(f"The body is larger than the limit of {counted(limit, 'byte')}.")


class _Unpacker(Protocol):
    def unpacked(self, piece: bytes) -> Iterator[bytes]:
        """What a piece of the body holds."""
        ...

    def require_end(self) -> None:
        """Fail unless the body ends here."""
        ...


def _unpacker(encoding: str) -> _Unpacker:
    match encoding.strip().lower():
        case "identity" | "":
            return _Plain()
        case "gzip" | "x-gzip":
            return _Gzip()
    detail = f"Bodies packed with Content-Encoding {encoding[:50]!r} are not read: send gzip, or the bytes as they are."
    raise HTTPException(415, detail, {"Accept-Encoding": "gzip, identity"})


class _Plain:
    """A body that is not packed."""

    def unpacked(self, piece: bytes) -> Iterator[bytes]:
        yield piece

    def require_end(self) -> None:
        """It ends anywhere."""


class _Gzip:
    """A body that is packed with gzip."""

    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(wbits=31)
        self._members = 1

    def unpacked(self, piece: bytes) -> Iterator[bytes]:
        while piece:
            if self._inflater.eof:  # gzip may consist of several members
                self._inflater = zlib.decompressobj(wbits=31)
                self._members += 1
                if self._members > MOST_MEMBERS:
                    raise InputError(f"The gzip body consists of more than {MOST_MEMBERS:,} members; pack it as one.")
            try:
                part = self._inflater.decompress(piece, INFLATED_BYTES)
            except zlib.error:
                raise _no_gzip() from None
            piece = self._inflater.unconsumed_tail or self._inflater.unused_data
            yield part

    def require_end(self) -> None:
        if not self._inflater.eof:
            raise _no_gzip()


def _no_gzip() -> InputError:
    return InputError("Content-Encoding says gzip, but the body is no gzip, or was cut off.")

"""Bodies as they come in: limits, time, gzip, and what is kept of them."""

import asyncio
import gzip
import io
import os
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Message

from latcast.errors import BodyTooLargeError, UnavailableError
from latcast.schema import InputError
from service.api.door import bodies
from service.api.door.bodies import SMALL_BYTES, BodyReader
from service.api.door.pools import Pool

ZIPPED = {"content-encoding": "gzip"}


def pool(places: int = 1) -> Pool:
    return Pool("large bodies", setting="max_uploads", places=places, patience_s=0.02)


def received(
    parts: Iterable[bytes | float | None], *, headers: dict[str, str] | None = None, limit: int = 2**30,
    reader: BodyReader | None = None,
) -> bytes:  # fmt: skip
    """What a reader makes of parts, where a number is a pause in s and None the caller's end."""

    async def read() -> bytes:
        async with opened(parts, headers=headers, limit=limit, reader=reader) as body:
            assert body.size == len(body.read())
            return bytes(body.read())

    return asyncio.run(read())


@asynccontextmanager
async def opened(
    parts: Iterable[bytes | float | None], *, headers: dict[str, str] | None = None, limit: int = 2**30,
    reader: BodyReader | None = None,
) -> AsyncIterator[Any]:  # fmt: skip
    left = list(parts)

    async def receive() -> Message:
        while left and isinstance(left[0], float):
            await asyncio.sleep(left.pop(0))  # type: ignore[arg-type]
        part = left.pop(0) if left else b""
        if part is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": part, "more_body": bool(left)}

    scope = {"type": "http", "headers": [(k.encode(), v.encode()) for k, v in (headers or {}).items()]}
    reader = reader or BodyReader(pool(), pause_s=5.0)
    async with reader.body(scope, receive, limit=limit) as body:
        yield body


@pytest.mark.parametrize("size", [0, 10, SMALL_BYTES, SMALL_BYTES + 1, 10 * SMALL_BYTES])
@pytest.mark.parametrize("headers", [{}, ZIPPED], ids=["plain", "gzip"])
def test_what_was_sent_comes_out(size: int, headers: dict[str, str]) -> None:
    content = os.urandom(size)
    sent = gzip.compress(content) if headers else content
    parts = [sent[place : place + 10_000] for place in range(0, len(sent), 10_000)]
    assert received(parts, headers=headers) == content


def test_gzip_may_have_several_members() -> None:
    assert received([gzip.compress(b"one") + gzip.compress(b"two")], headers=ZIPPED) == b"onetwo"


def test_gzip_of_too_many_members_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four megabytes of empty members kept the event loop busy for seconds."""
    monkeypatch.setattr(bodies, "MOST_MEMBERS", 100)
    empty = gzip.compress(b"")
    assert received([empty * 99 + gzip.compress(b"end")], headers=ZIPPED) == b"end"
    with pytest.raises(InputError, match="more than 100 members; pack it as one"):
        received([empty * 100 + gzip.compress(b"end")], headers=ZIPPED)


def test_the_limit_is_that_of_what_is_unpacked() -> None:
    bomb = gzip.compress(bytes(2**24))
    assert len(bomb) < 2**15
    with pytest.raises(BodyTooLargeError, match="larger than the limit of 100,000 bytes"):
        received([bomb], headers=ZIPPED, limit=100_000)
    with pytest.raises(BodyTooLargeError):
        received([b"x" * 60] * 2, limit=100)
    with pytest.raises(BodyTooLargeError):  # and nothing is read where the length is announced
        received([60.0], headers={"content-length": "101"}, limit=100)


@pytest.mark.parametrize("sent", [b"no gzip at all", gzip.compress(b"x" * 1000, mtime=0)[:-5], b""])
def test_what_is_no_gzip_is_named(sent: bytes) -> None:
    with pytest.raises(InputError, match="is no gzip, or was cut off"):
        received([sent], headers=ZIPPED)


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "gzip, br"])
def test_other_ways_of_packing_are_refused_before_anything_is_read(encoding: str) -> None:
    with pytest.raises(HTTPException, match="send gzip") as caught:
        received([60.0], headers={"content-encoding": encoding})
    assert caught.value.status_code == 415


def test_slow_bodies_are_given_up() -> None:
    reader = BodyReader(pool(), pause_s=0.05)
    for parts in ([b"a", 10.0, b"b"], [part for _ in range(1000) for part in (b"a", 0.01)]):
        with pytest.raises(HTTPException, match="too slowly") as caught:
            received(parts, reader=reader)
        assert caught.value.status_code == 408
        assert caught.value.headers == {"Connection": "close"}


def test_a_caller_who_goes_away_sends_no_body() -> None:
    with pytest.raises(ClientDisconnect):
        received([b"half", None])


def test_large_bodies_wait_for_their_places_and_small_ones_do_not() -> None:
    reader = BodyReader(pool(places=1), pause_s=5.0)
    large, small = b"x" * (SMALL_BYTES + 1), b"x" * SMALL_BYTES

    async def main() -> None:
        async with opened([large], reader=reader):
            async with opened([small], reader=reader):
                pass
            with pytest.raises(UnavailableError, match="1 large bodies at a time"):
                async with opened([large], reader=reader):
                    pass
        async with opened([large], reader=reader):  # the place is free again
            pass

    asyncio.run(main())


def test_a_body_that_was_refused_leaves_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = BodyReader(pool(places=1), pause_s=0.05)
    large = b"x" * (SMALL_BYTES + 1)
    attempts: list[Callable[[], object]] = [
        lambda: received([large, large], limit=SMALL_BYTES + 10, reader=reader),
        lambda: received([large, None], reader=reader),
        lambda: received([large, 1.0, b"x"], reader=reader),
    ]
    for attempt in attempts:
        with pytest.raises((BodyTooLargeError, ClientDisconnect, HTTPException)):
            attempt()
    assert received([large], reader=reader) == large


def test_a_full_disk_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        def write(self, _: object) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(bodies.tempfile, "SpooledTemporaryFile", lambda max_size: Full())
    with pytest.raises(UnavailableError, match="no room for the body"):
        received([b"x", b"y"])

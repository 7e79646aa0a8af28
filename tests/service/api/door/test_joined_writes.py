"""Small pieces are joined with the next one, nothing is held for longer than a turn, and all comes in order."""

import asyncio
from typing import Any, cast

import pytest

from service.api.door.joined_writes import MOST_JOINED_BYTES, JoinedWrites


class Wire:
    """A transport that notes what reaches it."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.seen.append(data)

    def writelines(self, parts: list[bytes]) -> None:
        self.seen.append(b"".join(parts))

    def close(self) -> None:
        self.seen.append(b"closed")

    def abort(self) -> None:
        self.seen.append(b"aborted")

    def is_closing(self) -> bool:
        return b"closed" in self.seen


def seen_after(*pieces: bytes, end: str = "", turns: int = 2) -> list[bytes]:
    async def write() -> list[bytes]:
        wire = Wire()
        joined = JoinedWrites(cast(Any, wire), asyncio.get_running_loop())
        for piece in pieces:
            joined.write(piece)
        if end:
            getattr(joined, end)()
            assert joined.is_closing() == (end == "close")
        for _ in range(turns):
            await asyncio.sleep(0)
        return list(wire.seen)

    return asyncio.run(write())


LARGE = b"x" * (MOST_JOINED_BYTES + 1)


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([b"head", b"body", b""], [b"headbody"]),
        ([b"head"], [b"head"]),
        ([b"head", b"body", b"more"], [b"headbody", b"more"]),
        ([b"head", LARGE, b"end"], [b"head" + LARGE, b"end"]),
        ([LARGE], [LARGE]),
        ([b""], []),
    ],
)
def test_pieces_are_joined_in_order(pieces: list[bytes], expected: list[bytes]) -> None:
    assert seen_after(*pieces) == expected


def test_what_is_held_goes_out_at_the_next_turn() -> None:
    assert seen_after(b"head", turns=0) == []
    assert seen_after(b"head", turns=1) == [b"head"]


def test_closing_writes_what_is_held_and_aborting_does_not() -> None:
    assert seen_after(b"head", end="close") == [b"head", b"closed"]
    assert seen_after(b"head", end="abort") == [b"aborted"]

"""Whoever waits shares one look, and nobody looks while nothing changed."""

import asyncio
from collections.abc import Sequence

import pytest

from service.api import shared_looks
from service.api.door.pools import Pool
from service.api.shared_looks import SharedLooks


class Looking:
    """Looks that are counted; `mark` is what tells whether there is something new."""

    def __init__(self) -> None:
        self.mark = 0
        self.looks: list[list[str]] = []
        self.error: Exception | None = None
        pool = Pool("look-ups", setting="max_read_calls", places=1, patience_s=60.0)
        self.shared = SharedLooks(self._look, pool=pool, pause_s=0.001, mark=lambda: self.mark)

    def _look(self, asked: Sequence[str]) -> int:
        self.looks.append(sorted(asked))
        if self.error:
            raise self.error
        return len(self.looks)


async def turns(count: int = 50) -> None:
    """Give others this many turns, with what they sleep."""
    for _ in range(count):
        await asyncio.sleep(0.001)


@pytest.fixture
def looking(monkeypatch: pytest.MonkeyPatch) -> Looking:
    monkeypatch.setattr(shared_looks, "LONGEST_S", 1e9)
    return Looking()


def test_everybody_gets_the_same_look(looking: Looking) -> None:
    async def wait() -> list[int]:
        return await asyncio.gather(*(looking.shared.next(name) for name in "cabba"))

    assert asyncio.run(wait()) == [1] * 5
    assert looking.looks == [["a", "a", "b", "b", "c"]]


def test_nobody_looks_until_something_changed(looking: Looking) -> None:
    async def wait() -> int:
        await looking.shared.next("a")
        second = asyncio.create_task(looking.shared.next("b"))
        await turns()
        assert (len(looking.looks), second.done()) == (1, False)
        looking.mark += 1
        return await second

    assert asyncio.run(wait()) == 2


def test_somebody_looks_after_a_while_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_looks, "LONGEST_S", 0.0)
    looking = Looking()

    async def wait() -> list[int]:
        return [await looking.shared.next("a") for _ in range(3)]

    assert asyncio.run(wait()) == [1, 2, 3]


def test_those_who_have_gone_are_not_asked_about_and_errors_reach_the_others(looking: Looking) -> None:
    looking.error = OSError("away")

    async def wait() -> None:
        gone = asyncio.create_task(looking.shared.next("gone"))
        await asyncio.sleep(0)
        gone.cancel()
        with pytest.raises(OSError, match="away"):
            await looking.shared.next("here")
        looking.error, looking.mark = None, 1
        assert await looking.shared.next("here") == 2

    asyncio.run(wait())
    assert looking.looks == [["here"], ["here"]]

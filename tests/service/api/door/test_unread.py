"""Answers that nobody reads: together they take bounded memory, and the slowest make room."""

import asyncio

import pytest

from service.api.door import unread as module
from service.api.door.unread import RoomForAnswers, Unread


class Connection:
    def __init__(self, size: int) -> None:
        self.size, self.aborted = size, False

    def unread_bytes(self) -> int:
        return self.size

    def abort(self) -> None:
        self.aborted = True


def test_one_answer_has_room_whatever_its_size() -> None:
    assert asyncio.run(Unread(10).has_room(1000))


def test_the_largest_of_those_that_read_nothing_for_long_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    unread = Unread(100)
    small, large, young = Connection(20), Connection(60), Connection(15)
    unread.add(small)
    unread.add(large)
    now = module.SLOW_S
    unread.add(young)
    assert unread.bytes == 95
    assert asyncio.run(unread.has_room(50))
    assert [one.aborted for one in (small, large, young)] == [False, True, False]
    assert unread.bytes == 35


def test_who_finds_no_room_in_time_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.1)
    unread = Unread(100)
    reader = Connection(90)
    unread.add(reader)
    assert not asyncio.run(unread.has_room(50))
    unread.remove(reader)
    assert asyncio.run(unread.has_room(50))


@pytest.mark.parametrize(
    ("size", "aborted"), [(module.SMALL_ANSWER_BYTES, False), (module.SMALL_ANSWER_BYTES + 1, True)]
)
def test_small_answers_need_no_room(size: int, aborted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.0)
    unread, own, sent = Unread(1), Connection(0), []
    unread.add(Connection(1))

    async def answer(_scope: object, _receive: object, send: object) -> None:
        await send({"type": "http.response.body", "body": bytes(size)})  # type: ignore[operator]

    async def send(message: object) -> None:
        sent.append(message)

    async def receive() -> dict[str, str]:
        return {"type": "http.disconnect"}

    asyncio.run(RoomForAnswers(answer, unread, own)({"type": "http"}, receive, send))
    assert own.aborted == aborted
    assert len(sent) == 1

"""Work in the background goes on whatever happens in it."""

import threading
from collections.abc import Callable

import pytest
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError

from service.worker import loop
from service.worker.loop import LONGEST_PAUSE_S, Ticker, pause_after

HOUR = 3600.0


def test_calls_follow_each_other_at_once_while_there_is_work() -> None:
    done, over = [], threading.Event()

    def work() -> bool:
        done.append(threading.current_thread().name)
        if len(done) == 3:
            over.set()
        return len(done) < 3

    ticker = Ticker("testing", HOUR, work)
    ticker.start()
    assert over.wait(10)
    ticker.stop()
    assert done == ["testing"] * 3


def test_an_error_is_logged_and_the_next_call_comes() -> None:
    called, over = [], threading.Event()

    def work() -> bool:
        called.append(1)
        if len(called) > 1:
            over.set()
            return False
        raise ValueError("once")

    ticker = Ticker("testing", 0.001, work)
    ticker.start()
    assert over.wait(10)
    ticker.stop()


class Log:
    """Notes the events that it is told, with their levels."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, bool]] = []

    def __getattr__(self, level: str) -> Callable[..., None]:
        return lambda event, **more: self.lines.append((level, event, "exc_info" in more))


def logged_of(monkeypatch: pytest.MonkeyPatch, *errors: Exception) -> list[tuple[str, str, bool]]:
    """What a ticker logs whose work raises these, one after the other, and then succeeds."""
    log, left, over = Log(), list(errors), threading.Event()

    def work() -> bool:
        if left:
            raise left.pop(0)
        over.set()
        return False

    monkeypatch.setattr(loop, "log", log)
    ticker = Ticker("testing", 0.0001, work)
    ticker.start()
    assert over.wait(10)
    ticker.stop()
    return log.lines


def test_a_database_that_is_away_is_one_line_until_it_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    away = OperationalError("SELECT 1", {}, Exception("connection refused"))
    damaged = DatabaseError("SELECT 1", {}, Exception("database disk image is malformed"))
    waits = ("warning", "background work waits for the database", False)
    assert logged_of(monkeypatch, away, away, away, damaged, damaged) == [
        waits, waits, ("info", "background work goes on", False),
    ]  # fmt: skip


def test_a_mistake_is_traced_once_however_often_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    conflict = IntegrityError("INSERT", {}, Exception("UNIQUE constraint failed"))
    lines = logged_of(monkeypatch, ValueError("a"), ValueError("a"), ValueError("b"), conflict)
    traced = ("error", "background work failed", True)
    assert lines == [traced, traced, traced, ("info", "background work goes on", False)]


def test_pauses_grow_while_calls_fail() -> None:
    assert [pause_after(failures, 0.5) for failures in (0, 1, 2, 3)] == [0.5, 1.0, 2.0, 4.0]
    assert pause_after(1000, 0.5) == LONGEST_PAUSE_S
    assert pause_after(3, 30.0) == 30.0  # a heartbeat stays within its lease


def test_stopping_waits_for_the_call_that_is_under_way() -> None:
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> bool:
        begun.set()
        go_on.wait(10)
        ended.set()
        return True

    ticker = Ticker("testing", HOUR, work)
    ticker.start()
    assert begun.wait(10)
    threading.Timer(0.05, go_on.set).start()
    ticker.stop()
    assert ended.is_set()

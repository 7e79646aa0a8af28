"""Threads of a process wait for their turn to write, and each turn ends with its transaction, however that ends."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from service.db import write_turns
from service.db.session import Database, create_engine_for
from service.db.write_turns import QueuedConnection, WriteTurns
from service.settings import Settings


def connected(path: Path) -> QueuedConnection:
    return sqlite3.connect(path, factory=QueuedConnection, isolation_level=None, check_same_thread=False)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with sqlite3.connect(tmp_path / "file.db") as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE numbers (number INTEGER)")
    return tmp_path / "file.db"


@pytest.fixture
def engine(path: Path) -> Engine:
    return create_engine_for(Settings(database_url=f"sqlite:///{path}"))


def test_threads_never_find_the_file_busy(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They would sleep, and look again, while nobody writes."""
    slept: list[float] = []
    monkeypatch.setattr(write_turns.time, "sleep", slept.append)
    database = Database(create_engine_for(Settings(database_url=f"sqlite:///{path}")))

    def write(number: int) -> None:
        with database.write.begin() as session:
            session.execute(text("INSERT INTO numbers VALUES (:number)"), {"number": number})

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(write, range(200)))
    with database.read() as session:
        assert sorted(session.scalars(text("SELECT number FROM numbers"))) == list(range(200))
    assert slept == []


@pytest.mark.parametrize("end", ["commit", "rollback", "close"])
def test_a_turn_ends_with_its_transaction(path: Path, end: str) -> None:
    turns, one, another = WriteTurns(10.0), connected(path), connected(path)
    turns.begin(one)
    got = threading.Event()

    def wait() -> None:
        turns.begin(another)
        got.set()
        another.rollback()

    thread = threading.Thread(target=wait)
    thread.start()
    assert not got.wait(0.05)
    getattr(one, end)()
    assert got.wait(60.0)
    thread.join()
    assert one.turns is another.turns is None


def test_a_second_transaction_of_a_connection_is_another_turn(engine: Engine) -> None:
    with engine.connect() as one, engine.connect() as another:
        for connection in (one, another, one):
            with connection.begin():
                connection.execute(text("INSERT INTO numbers VALUES (1)"))


def test_whoever_waits_too_long_is_told(path: Path) -> None:
    turns = WriteTurns(0.05)
    held = connected(path)
    turns.begin(held)
    with pytest.raises(sqlite3.OperationalError, match="database is locked"):
        turns.begin(connected(path))


def test_another_process_may_write_and_is_waited_for(path: Path) -> None:
    other, mine, turns = connected(path), connected(path), WriteTurns(60.0)
    other.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.05, other.rollback)
    timer.start()
    turns.begin(mine)
    assert mine.in_transaction
    mine.rollback()
    timer.join()


def test_another_process_that_writes_for_too_long_ends_the_turn(path: Path) -> None:
    other, mine, turns = connected(path), connected(path), WriteTurns(0.05)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError, match="database is locked"):
        turns.begin(mine)
    other.rollback()
    turns.begin(mine)
    assert mine.execute("PRAGMA busy_timeout").fetchone() == (50,)


def test_a_file_that_cannot_be_written_ends_the_turn(path: Path) -> None:
    turns = WriteTurns(10.0)
    reading = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, factory=QueuedConnection, isolation_level=None)
    reading.execute("PRAGMA query_only=ON")
    with pytest.raises(sqlite3.OperationalError):
        turns.begin(reading)
    turns.begin(connected(path))


def test_a_transaction_that_fails_in_the_middle_ends_its_turn(engine: Engine) -> None:
    for _ in range(2):
        with pytest.raises(OperationalError, match="no such table"), engine.begin() as connection:
            connection.execute(text("INSERT INTO letters VALUES ('a')"))

"""Whose turn it is to write into a SQLite file.

SQLite lets one writer in at a time. Whoever finds it busy sleeps and looks again, up to 100 ms later, while nobody may
be writing: with sixteen writers most of the time. Threads of one process wait for each other here instead, and are
woken; only the one whose turn it is looks whether another process writes, every few milliseconds.
"""

import sqlite3
import threading
import time

__all__ = ["QueuedConnection", "WriteTurns"]

LOOK_S = 0.001
LONGEST_LOOK_S = 0.004
"""A process that writes all the time leaves the file free for some tenths of a millisecond in between."""


class WriteTurns:
    """The turns of one process at one file. Thread-safe.

    Args:
        patience_s: longest wait for a turn, and again for other processes.
    """

    def __init__(self, patience_s: float) -> None:
        self.patience_s = patience_s
        self._lock = threading.Lock()

    def begin(self, connection: "QueuedConnection") -> None:
        """Begin a transaction that writes; the turn ends with it.

        Raises:
            sqlite3.OperationalError: others write for too long, or the file cannot be written.
        """
        if connection.turns is None:
            if not self._lock.acquire(timeout=self.patience_s):
                raise sqlite3.OperationalError("database is locked")
            connection.turns = self
        try:
            self._begin(connection)
        except BaseException:
            connection.end_turn()
            raise

    def end(self) -> None:
        """Let the next one have its turn."""
        self._lock.release()

    def _begin(self, connection: sqlite3.Connection) -> None:
        until, pause_s = time.monotonic() + self.patience_s, LOOK_S
        connection.execute("PRAGMA busy_timeout=0")
        try:
            while not _try_begin(connection, last=time.monotonic() >= until):
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_LOOK_S)
        finally:
            connection.execute(f"PRAGMA busy_timeout={1000 * self.patience_s:.0f}")


def _try_begin(connection: sqlite3.Connection, *, last: bool) -> bool:
    """Begin if no other process writes; the `last` try says why it cannot."""
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if last or error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise
        return False
    return True


class QueuedConnection(sqlite3.Connection):
    """A connection that ends its turn to write with its transaction.

    Attributes:
        turns: of which it has one; None where it has none.
    """

    turns: WriteTurns | None = None

    def end_turn(self) -> None:
        """Let others write; nothing where it is not this one's turn."""
        turns, self.turns = self.turns, None
        if turns is not None:
            turns.end()

    def commit(self) -> None:
        """See the base class; one that fails and leaves the transaction open keeps its turn."""
        try:
            super().commit()
        finally:
            if not self.in_transaction:
                self.end_turn()

    def rollback(self) -> None:
        """See the base class."""
        try:
            super().rollback()
        finally:
            if not self.in_transaction:
                self.end_turn()

    def close(self) -> None:
        """See the base class; what was begun is rolled back."""
        try:
            super().close()
        finally:
            self.end_turn()

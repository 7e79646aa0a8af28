"""Whether anything was committed to the database, by any process: one number, asked for ten times a second."""

import threading
import time

import structlog
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from service.db.session import READ_ONLY, Database

__all__ = ["LOOK_SECONDS", "Changes"]

LOOK_SECONDS = 0.1
"""Pause between two looks."""

_SIGNS = {
    "sqlite": "PRAGMA data_version",
    "postgresql": "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()"
    " ELSE pg_current_wal_insert_lsn() END",
}
"""What differs once another connection has committed: SQLite's own counter, PostgreSQL's place in its log."""

log = structlog.get_logger(__name__)


class Changes:
    """Counts commits by whoever; what was read before one may be out of date. Thread-safe.

    Attributes:
        generation: a number that grows when something was committed, or when the database cannot be asked.
        noticed_at: `time.monotonic()` at which it grew last.
        reachable: whether the database answered the last look.
    """

    def __init__(self, database: Database) -> None:
        self._engine = database.engine.execution_options(**{READ_ONLY: True})
        self._connection: Connection | None = None
        self._sign: object = None
        self._lock = threading.Lock()
        self.generation, self.noticed_at, self.reachable = 0, time.monotonic(), False

    def look(self) -> bool:
        """Ask the database once; False, as the thread that calls it again has nothing to catch up with."""
        with self._lock:
            self._look()
        return False

    def _look(self) -> None:
        try:
            sign = self._ask()
        except SQLAlchemyError as error:
            self._give_back()
            if self.reachable:
                log.warning("the database cannot be asked for changes", reason=type(error).__name__)
            self._grow(None, reachable=False)
            return
        if sign != self._sign or not self.reachable:
            self._grow(sign, reachable=True)

    def close(self) -> None:
        """Give the connection back; the next look takes a new one."""
        with self._lock:
            self._give_back()

    def _give_back(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()

    def _ask(self) -> object:
        if self._connection is None:
            # SQLite's counter tells a connection of the others' commits only: it has to stay the same.
            self._connection = self._engine.connect()
        with self._connection.begin():  # a transaction that stays open sees no commit of others
            return self._connection.execute(text(_SIGNS[self._connection.dialect.name])).scalar()

    def _grow(self, sign: object, *, reachable: bool) -> None:
        self._sign, self.reachable = sign, reachable
        self.noticed_at = time.monotonic()
        self.generation += 1

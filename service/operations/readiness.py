"""Whether this process can serve, part by part: database, migrations, artifacts."""

import threading
import time
from collections.abc import Callable, Mapping

from sqlalchemy import literal, select
from sqlalchemy.orm import Session

from service.db.failures import DATABASE_AWAY, cause_of
from service.db.migrate import current_revision, head_revision, is_known, newer_database
from service.db.session import Database
from service.db.tables import Base

__all__ = ["OK", "Readiness", "is_ready"]

OK = "ok"
NEEDED = ("database", "migrations")
"""Parts without which nothing is answered; an artifact that cannot be used concerns its target alone."""
KEPT_S = 1.0
"""How long what was seen counts: whoever asks without a key makes the database work once in that time."""


def is_ready(state: Mapping[str, str]) -> bool:
    """Whether calls can be answered, given the state of each part."""
    return all(state.get(part) == OK for part in NEEDED)


class Readiness:
    """The state of each part, looked at once a second at most, without the database's write lock. Thread-safe.

    Args:
        database: that the process uses.
        artifacts: what is wrong with the artifacts that serve; empty where nothing is.
        clock: seconds that only grow.
    """

    def __init__(
        self, database: Database, artifacts: Callable[[], str], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database, self._artifacts, self._clock = database, artifacts, clock
        self._lock = threading.Lock()
        self._seen: tuple[float, Mapping[str, str]] | None = None

    def state(self) -> Mapping[str, str]:
        """`ok` for each part, or a sentence about what is wrong; parts that cannot be looked at are left out."""
        with self._lock:  # whoever comes meanwhile takes what the first one sees
            if self._seen is None or self._clock() - self._seen[0] >= KEPT_S:
                state = self._look()
                self._seen = self._clock(), state
            return self._seen[1]

    def _look(self) -> Mapping[str, str]:
        try:
            with self._database.read() as session:
                migrations = _migrations(current_revision(session.connection()))
                if migrations != OK:
                    return {"database": OK, "migrations": migrations}
                _touch_tables(session)
        except DATABASE_AWAY as error:
            return {"database": cause_of(error).sentence}
        return {"database": OK, "migrations": OK, "artifacts": self._artifacts() or OK}


def _migrations(revision: str | None) -> str:
    head = head_revision()
    if revision == head:
        return OK
    if revision is not None and not is_known(revision):
        return newer_database(revision)
    return f"The database is at revision {revision or 'none'}, this version needs {head}: restart `latcast serve`."


def _touch_tables(session: Session) -> None:
    """Begin to read every table: one that is missing, or damaged at its root, raises."""
    for table in Base.metadata.sorted_tables:
        session.execute(select(literal(1)).select_from(table).limit(1)).first()

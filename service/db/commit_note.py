"""A note beside a database of SQLite of how many transactions it has had: when some are gone, the next start says so.

SQLite keeps the newest transactions in a file of their own, with `-wal` after its name, until it writes them back. When
that file is removed or exchanged while nobody uses the database, or an earlier copy is put in its place, SQLite opens
what is left without a word.
"""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Engine

__all__ = ["CommitNote", "missing_commits"]


class CommitNote:
    """The note of one database; written by whoever has its write lock. Thread-safe.

    It is not forced to the disk, and says one transaction less than there are: after a crash it may be behind, which
    hides that some are gone, but it is never ahead.

    Args:
        database: path of the file.
    """

    def __init__(self, database: Path) -> None:
        self.path = Path(f"{database}-commits")
        self._name = 0

    def write(self, connection: sqlite3.Connection, count: int) -> None:
        """Note that the database has had so many transactions; what cannot be noted is left out.

        Args:
            connection: in a transaction.
            count: as its head has it.
        """
        if not self._name:
            (self._name,) = connection.execute("PRAGMA application_id").fetchone()
        with suppress(OSError):
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.pwrite(descriptor, f"{self._name:11d} {count:11d}\n".encode(), 0)
            finally:
                os.close(descriptor)

    def read(self) -> tuple[int, int] | None:
        """(the number that the database is known by, transactions); None where nothing is noted."""
        try:
            name, count = map(int, self.path.read_bytes()[:64].split())
        except (OSError, ValueError):
            return None
        return name, count


def missing_commits(engine: Engine) -> int:
    """How many transactions, at least, a database of SQLite has lost since it was used last; 0 where nobody knows.

    Raises:
        DBAPIError: the database cannot be read.
    """
    if engine.dialect.name != "sqlite" or not engine.url.database:
        return 0
    noted = CommitNote(Path(engine.url.database)).read()
    if noted is None:
        return 0
    with engine.connect() as connection:
        name, count = (
            connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() for pragma in ("application_id", "user_version")
        )
    missing = (noted[1] - int(count or 0)) % 2**32
    return missing if name == noted[0] and missing < 2**31 else 0

"""The file of the embedded database: its owner's alone, and the same one as long as an engine uses it."""

import logging
import os
import sqlite3
import stat
import threading
from contextlib import suppress
from pathlib import Path

from sqlalchemy.exc import OperationalError

from profilers.host.private_files import restrict

__all__ = ["SameFile", "keep_private"]

log = logging.getLogger(__name__)

COMPANIONS = ("", "-wal", "-shm", "-journal")
"""What SQLite keeps beside the database; new ones get its rights."""

MAGIC, HEAD_BYTES, COUNTER = b"SQLite format 3\0", 100, slice(24, 28)
"""The head of a database's file (https://www.sqlite.org/fileformat.html). The change counter in it grows with each
transaction that changes the head and never goes back, so a smaller one is that of an earlier copy."""


def keep_private(path: Path) -> None:
    """Make the file and its folder where they are missing, for their owner alone, and take others' rights to the file.

    It holds measurements, lease tokens and digests of keys.
    What cannot be kept from others is told in a warning, and so is a folder in which others could replace the file; a
    folder that was there already is left as it is, for it may hold more than the database.

    Raises:
        OSError: the file or its folder cannot be made.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    for companion in (Path(f"{path}{ending}") for ending in COMPANIONS):
        with suppress(FileNotFoundError):
            if not restrict(companion):
                log.warning(
                    "%s can be read by other users and belongs to one: its owner should chmod 600 it", companion
                )
    mode = path.parent.stat().st_mode
    if mode & (stat.S_IWGRP | stat.S_IWOTH) and not mode & stat.S_ISVTX:
        log.warning("other users can replace files in %s, where the database is: chmod go-w it", path.parent)


class SameFile:
    """Notices that a database's path names another file than at first, or none, or that a copy was written over it.

    SQLite goes on with the file that it opened when somebody deletes or replaces it: what it commits then is gone with
    its last connection, and a new connection makes an empty file under the old name. What it does after somebody wrote
    another database into the file is a mixture of both. Thread-safe.

    Args:
        path: of a database's file, which is there.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._identity = path, _identity(path.stat())
        self._lock = threading.Lock()
        self._state: tuple[int, int] | None = None
        self._counter = -1

    def check(self) -> None:
        """Return if the path still names the file, and the file is what SQLite made of it; this takes microseconds.

        Raises:
            OperationalError: it is not, as any failure of the database is raised.
        """
        state = _state_of(self._path)
        if state is None or _identity(state) != self._identity:
            raise _failure(f"the database file {self._path} was deleted or replaced")
        if (state.st_size, state.st_mtime_ns) != self._state:
            self._check_content()

    def _check_content(self) -> None:
        """Only SQLite writes into the file, and it counts upwards in its head: see `COUNTER`."""
        with self._lock:
            state, counter = self._path.stat(), _counter_of(self._path)
            if counter < self._counter:
                raise _failure(f"the database file {self._path} was overwritten")
            self._state, self._counter = (state.st_size, state.st_mtime_ns), counter


def _failure(reason: str) -> OperationalError:
    return OperationalError(None, None, sqlite3.OperationalError(reason))


def _state_of(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def _identity(state: os.stat_result) -> tuple[int, int]:
    return state.st_dev, state.st_ino


def _counter_of(path: Path) -> int:
    """SQLite's count of changes in a database's head; -1 where there is none."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    return int.from_bytes(head[COUNTER], "big") if head.startswith(MAGIC) and len(head) == HEAD_BYTES else -1

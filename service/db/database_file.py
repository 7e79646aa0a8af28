"""The file of the embedded database: its owner's alone, and the same one as long as an engine uses it."""

import logging
import os
import secrets
import sqlite3
import stat
import struct
import threading
import time
import weakref
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from profilers.host.private_files import restrict

__all__ = ["SameFile", "count_commit", "give_name", "keep_private", "renaming"]

log = logging.getLogger(__name__)

COMPANIONS = ("", "-wal", "-shm", "-journal")
"""What SQLite keeps beside the database; new ones get its rights."""

MAGIC, HEAD_BYTES = b"SQLite format 3\0", 100
HALF_WRITTEN_S = 0.02
"""A head that was read while it was written is whole by then."""

_Identity = tuple[int, int]
"""A file's device and inode."""


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
    """Notices that a database's path names another file than at first, or none, or that its file was overwritten.

    SQLite goes on with the file that it opened when somebody deletes or replaces it: what it commits then is gone with
    its last connection, and a new connection makes an empty file under the old name. What it reads after somebody
    wrote another database, or an earlier copy, into the file is a mixture of both. Thread-safe.

    Args:
        path: of a database's file, which is there.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._file = path, _watched(path)

    def check(self) -> None:
        """Return if the path still names the file, and SQLite made what is in it; this takes microseconds.

        Raises:
            OperationalError: it does not, as any failure of the database is raised.
        """
        if _identity_of(self._path) != self._file.identity:
            raise _failure(f"the database file {self._path} was deleted or replaced")
        if not self._file.is_own():
            raise _failure(f"the database file {self._path} was overwritten")


def _failure(reason: str) -> OperationalError:
    return OperationalError(None, None, sqlite3.OperationalError(reason))


def _identity_of(path: Path) -> _Identity | None:
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_dev, state.st_ino


def give_name(connection: Connection) -> None:
    """Give a database of SQLite a number that it is known by, within the transaction, where it has none yet."""
    if connection.dialect.name == "sqlite" and not connection.exec_driver_sql("PRAGMA application_id").scalar():
        connection.exec_driver_sql(renaming())


def renaming() -> str:
    """The statement that gives a database a number of its own, which its copies must not have."""
    return f"PRAGMA application_id = {1 + secrets.randbelow(2**31 - 1)}"


def count_commit(connection: sqlite3.Connection) -> int:
    """Count a transaction that is about to be committed, in the head of the database; how many there were before."""
    (count,) = connection.execute("PRAGMA user_version").fetchone()
    connection.execute(f"PRAGMA user_version = {(count + 1 + 2**31) % 2**32 - 2**31}")
    return int(count)


@dataclass(frozen=True, slots=True)
class _Head:
    """The first bytes of a database's file (https://www.sqlite.org/fileformat.html).

    Each transaction counts up in the head, and SQLite writes the head back with whatever else it writes back: so a copy
    from before, whose pages differ, has a smaller count.

    Args:
        size_bytes: of the file, as the head has it.
        name: the number that the database is known by; 0 before it has one.
        commits: number of transactions; it begins anew after 2^32.
    """

    size_bytes: int
    name: int
    commits: int

    @classmethod
    def of(cls, content: bytes) -> "_Head | None":
        """None where it is the head of no database."""
        if len(content) < HEAD_BYTES or not content.startswith(MAGIC):
            return None
        (page_bytes,), (pages,) = struct.unpack_from(">H", content, 16), struct.unpack_from(">I", content, 28)
        (commits,), (name,) = struct.unpack_from(">I", content, 60), struct.unpack_from(">I", content, 68)
        return cls(pages * (page_bytes if page_bytes > 1 else 65_536), name, commits)

    def may_follow(self, before: "_Head") -> bool:
        return before.name in {0, self.name} and (self.commits - before.commits) % 2**32 < 2**31


class _WatchedFile:
    """A file whose head is read through one descriptor, kept as long as any engine of the process uses the file.

    To close any descriptor of a file takes all locks of the process on it, SQLite's, too: another process then takes
    itself for the last one that uses the database, and removes its log. SQLite never closes one while it holds locks,
    and neither does this.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._descriptor)
        state = os.fstat(self._descriptor)
        self.identity: _Identity = state.st_dev, state.st_ino
        self._lock = threading.Lock()
        self._content, self._size = self._look()
        self._overwritten = False

    def is_own(self) -> bool:
        """Whether only SQLite wrote into it. Once it was overwritten it stays so: the log beside it is another's."""
        with self._lock:
            seen = self._look()
            if seen != (self._content, self._size) and not self._overwritten:
                if not self._accepts(*seen):
                    time.sleep(HALF_WRITTEN_S)
                    seen = self._look()
                    self._overwritten = not self._accepts(*seen)
                self._content, self._size = seen
            return not self._overwritten

    def _look(self) -> tuple[bytes, int]:
        return os.pread(self._descriptor, HEAD_BYTES, 0), os.fstat(self._descriptor).st_size

    def _accepts(self, content: bytes, size: int) -> bool:
        before, head = _Head.of(self._content), _Head.of(content)
        if before is None or head is None:
            return before is None
        # SQLite shortens a file to what its head says, after it wrote the head.
        return head.may_follow(before) and size >= min(self._size, head.size_bytes)


_watched_files: "weakref.WeakValueDictionary[_Identity, _WatchedFile]" = weakref.WeakValueDictionary()
_opening = threading.Lock()


def _watched(path: Path) -> _WatchedFile:
    """The same one for all engines: see `_WatchedFile`."""
    with _opening:
        known = _watched_files.get(_identity_of(path) or (0, 0))
        if known is None:
            known = _WatchedFile(path)
            _watched_files[known.identity] = known
        return known

"""The file of the embedded database: its owner's alone, and the same one as long as an engine uses it."""

import logging
import os
import sqlite3
import stat
from contextlib import suppress
from pathlib import Path

from sqlalchemy.exc import OperationalError

from profilers.host.private_files import restrict

__all__ = ["SameFile", "keep_private"]

log = logging.getLogger(__name__)

COMPANIONS = ("", "-wal", "-shm", "-journal")
"""What SQLite keeps beside the database; new ones get its rights."""


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
    """Notices that a database's path names another file than at first, or none. Thread-safe.

    SQLite goes on with the file that it opened when somebody deletes or replaces it: what it commits then is gone with
    its last connection, and a new connection makes an empty file under the old name.

    Args:
        path: of a database's file, which is there.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._identity = path, _identity(path)

    def check(self) -> None:
        """Return if the path still names the file; this takes microseconds.

        Raises:
            OperationalError: it does not, as any failure of the database is raised.
        """
        if _identity(self._path) != self._identity:
            reason = sqlite3.OperationalError(f"the database file {self._path} was deleted or replaced")
            raise OperationalError(None, None, reason)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_dev, state.st_ino

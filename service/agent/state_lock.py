"""One agent at a time uses a state folder: two would answer with one key, and send each other's results."""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from latcast.schema import LatcastError

__all__ = ["alone_in"]

log = logging.getLogger(__name__)

LOCK = "lock"


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold an agent's state folder; the system frees it when the process ends, however it ends.

    Args:
        folder: of the agent's key and results; it is there.

    Raises:
        LatcastError: another agent that runs holds it.
    """
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        _lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 20).decode("ascii", errors="replace")
        process = f" (process {holder})" if holder.isdigit() else ""
        raise LatcastError(
            f"Another agent of this device and service runs already{process}: "
            f"stop it first, or make this one a device of its own (--device-id NAME); {folder} is in use."
        ) from None
    except OSError as error:  # some network file systems have no locks
        log.warning("%s cannot be locked (%s): let no second agent use it", folder, error.strerror)
        return
    os.ftruncate(descriptor, 0)
    os.write(descriptor, str(os.getpid()).encode())

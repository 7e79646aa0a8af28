"""One measurement at a time on a host."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["alone_on_this_host"]


@contextmanager
def alone_on_this_host() -> Iterator[None]:
    """Wait until no other measurement of this user runs; the system frees the lock of a process that dies."""
    path = Path(tempfile.gettempdir()) / f"latcast-{os.getuid()}.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)

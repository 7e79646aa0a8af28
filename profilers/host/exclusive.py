"""One measurement at a time on a host."""

import errno
import fcntl
import os
import platform
import pwd
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from latcast.schema import LatcastError

__all__ = ["alone_on_this_host"]


@contextmanager
def alone_on_this_host() -> Iterator[None]:
    """Wait until no other measurement of this user runs; the system frees the lock of a process that dies.

    The lock is a file of the user's own in the temporary folder. Where another user made that file first, it is one in
    the user's home, for all of the user's processes alike: nobody holds up the measurements of others.

    Raises:
        LatcastError: no place has a file of the user's own; says which were tried and what to do.
    """
    descriptor = _open_lock()
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _open_lock() -> int:
    refusals = []
    for path in _places():
        try:
            return _open_own(path)
        except OSError as error:
            refusals.append(f"{path} ({error.strerror})")
    raise LatcastError(
        "Measuring needs a lock file of this user's own, so that no two measurements run at a time, and none of these "
        f"can be: {', '.join(refusals)}. Remove what is in the way, or set TMPDIR to a folder that only this user can "
        "write to, for all of its processes."
    )


def _places() -> list[Path]:
    """Where the lock may be, the first that can be the user's own; the same order in every process of the user."""
    user = os.getuid()
    places = [Path(tempfile.gettempdir()) / f"latcast-{user}.lock"]
    try:
        home = Path(pwd.getpwuid(user).pw_dir)
    except KeyError:  # a container's user without an entry
        home = Path("/run/user") / str(user)
    return [*places, home / ".cache" / "latcast" / f"measuring-{platform.node() or 'host'}.lock"]  # homes may be shared


def _open_own(path: Path) -> int:
    """A descriptor of the regular file of this user at the path, made where there is none.

    Raises:
        OSError: it cannot be opened, is a link, or is somebody else's.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode) and status.st_uid == os.getuid():
        return descriptor
    os.close(descriptor)
    raise PermissionError(errno.EPERM, "it is not this user's own file")

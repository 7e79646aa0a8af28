"""Files that hold secrets: readable for their owner alone, and written whole or not at all."""

import errno
import os
import stat
from pathlib import Path

from latcast.schema.counting import counted

__all__ = ["read_private", "require_own", "restrict", "sync_folder", "write_private"]

OTHERS = stat.S_IRWXG | stat.S_IRWXO
WRITERS = stat.S_IWGRP | stat.S_IWOTH
ROOT = 0


def read_private(path: Path, *, most_bytes: int) -> bytes:
    """The content of a file that `write_private` wrote.

    A link, a pipe or a device in its place is neither followed nor waited for, and what is too large is not read.

    Raises:
        OSError: it is not there, cannot be read, or is none that this user's programs wrote; says which.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            raise OSError(errno.EINVAL, "it is no file of bytes", str(path))
        _require_owner(state, path)
        if state.st_size > most_bytes:
            raise OSError(errno.EFBIG, f"it has more than {counted(most_bytes, 'byte')}", str(path))
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(most_bytes)
    finally:
        os.close(descriptor)


def require_own(folder: Path) -> None:
    """Refuse a folder that another user may change; rights that others have there are taken, where they can be.

    Raises:
        OSError: it is another user's, or others may write there.
    """
    _require_owner(folder.stat(), folder)
    if not restrict(folder) and stat.S_IMODE(folder.stat().st_mode) & WRITERS:
        raise PermissionError(errno.EPERM, "others may write there, and their right cannot be taken", str(folder))


def _require_owner(state: os.stat_result, path: Path) -> None:
    """Root reads what it is given, as in a container with a folder of the host's."""
    if state.st_uid not in {ROOT, os.geteuid()} and os.geteuid() != ROOT:
        raise PermissionError(errno.EPERM, f"it belongs to another user (number {state.st_uid})", str(path))


def write_private(path: Path, text: str) -> None:
    """Write a file anew; when this returns it is on the disk, and whatever happens before, the old one stays whole.

    Raises:
        OSError: it cannot be written.
    """
    draft = path.with_name(f"{path.name}.draft")
    draft.unlink(missing_ok=True)  # one that a crash left behind, or a link
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Put the folder's entries on the disk: a file that was renamed has its name there only then."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def restrict(path: Path) -> bool:
    """Take the rights of everybody but the owner from a file; False where they have some that cannot be taken."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if not mode & OTHERS:
        return True
    try:
        path.chmod(mode & ~OTHERS)
    except OSError:  # another user's file, or one that cannot be changed
        return False
    return True

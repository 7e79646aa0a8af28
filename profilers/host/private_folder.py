"""Folders for temporary files of this process alone; those that killed processes left are swept."""

import fcntl
import os
import re
import shutil
import tempfile
import time
from pathlib import Path
from types import TracebackType

__all__ = ["PrivateFolder", "is_running", "sweep_left_folders"]

NAME = re.compile(r"latcast-(?P<pid>\d{1,10})-(?P<begun>\d{1,20})-[a-z0-9_]{8}")
YOUNG_S = 60.0
"""A folder may be so old before its process has locked it."""
BEGUN_FIELD = 19
"""Of /proc/PID/stat, counted behind the process's name."""


class PrivateFolder:
    """A folder below `TMPDIR` that only this user may enter; a context manager that yields its path.

    Its name tells whose it is (process and when that began), and it is locked as long as that process lives: where the
    process is killed, the next one that makes such a folder removes it.
    """

    def __init__(self) -> None:
        sweep_left_folders()
        prefix = f"latcast-{os.getpid()}-{_begun(os.getpid())}-"
        self._folder = tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True)  # mode 0700
        self.path = Path(self._folder.name)
        self._lock: int | None = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cleanup()

    def cleanup(self) -> None:
        """Remove the folder with all that is in it; what cannot be removed stays. Twice is once."""
        self._folder.cleanup()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def sweep_left_folders() -> int:
    """Remove this user's folders whose processes are gone; how many there were."""
    try:
        with os.scandir(tempfile.gettempdir()) as entries:
            left = [Path(entry.path) for entry in entries if _is_left(entry)]
    except OSError:
        return 0
    return sum(map(_remove_unlocked, left))


def _is_left(entry: "os.DirEntry[str]") -> bool:
    name = NAME.fullmatch(entry.name)
    if name is None:
        return False
    try:
        if not entry.is_dir(follow_symlinks=False):
            return False
        state = entry.stat(follow_symlinks=False)
    except OSError:
        return False
    alive = _begun(int(name["pid"])) == int(name["begun"])
    return state.st_uid == os.getuid() and not alive and time.time() - state.st_mtime > YOUNG_S


def _begun(pid: int) -> int:
    """When a process began, in the kernel's ticks since the machine did; 0 where there is none.

    Systems that do not tell it that way give 1 for every process that is there.
    """
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
        return int(after_name.split()[BEGUN_FIELD])
    except (OSError, ValueError, IndexError):
        return 0 if Path("/proc/self/stat").exists() or not is_running(pid) else 1


def is_running(pid: int) -> bool:
    """Whether a process with this number exists, whoever it belongs to."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _remove_unlocked(folder: Path) -> bool:
    """Remove the folder unless a process holds it, for example one whose ids this one cannot see."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        if os.fstat(descriptor).st_uid != os.getuid():
            return False
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return not folder.exists()

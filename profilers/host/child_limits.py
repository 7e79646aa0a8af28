"""What a child process may take, and how it keeps to that."""

import ctypes
import os
import resource
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ChildLimits"]

PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildLimits:
    """What a child process may take.

    Args:
        timeout_s: wall-clock time of one request; its parent watches over it.
        memory_bytes: address space that the child may add to what it has when the limits begin.
        file_bytes: size of each file that it may write.
        parent_pid: the child ends with this process, however that ends, where the system is Linux; None lets it live
            on. More exactly it ends with the thread that started it, which therefore has to wait for it.
    """

    timeout_s: float
    memory_bytes: int
    file_bytes: int
    parent_pid: int | None = None

    def apply(self) -> None:
        """Limit this process; a narrower limit that it has already stays. There are no core dumps."""
        if self.parent_pid is not None and sys.platform == "linux":
            _end_with(self.parent_pid)
        _cap(resource.RLIMIT_CORE, 0)
        _cap(resource.RLIMIT_FSIZE, self.file_bytes)
        _cap(resource.RLIMIT_AS, _address_space_bytes() + self.memory_bytes)


def _end_with(parent_pid: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # it ended before we asked
        os._exit(1)


def _cap(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    capped = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (capped, capped))


def _address_space_bytes() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 2**30

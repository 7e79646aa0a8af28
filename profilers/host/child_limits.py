"""What a child process may take, and how it keeps to that."""

import ctypes
import os
import resource
import signal
import sys
from dataclasses import dataclass
from math import ceil
from pathlib import Path

__all__ = ["ChildLimits", "resident_bytes"]

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
        cpu_s: processor time of one request, after which the system ends the child; None limits it by its wall-clock
            time alone.
    """

    timeout_s: float
    memory_bytes: int
    file_bytes: int
    parent_pid: int | None = None
    cpu_s: float | None = None

    def apply(self) -> None:
        """Limit this process; a narrower limit that it has already stays. There are no core dumps."""
        if self.parent_pid is not None and sys.platform == "linux":
            _end_with(self.parent_pid)
        _cap(resource.RLIMIT_CORE, 0)
        _cap(resource.RLIMIT_FSIZE, self.file_bytes)
        _cap(resource.RLIMIT_AS, _address_space_bytes() + self.memory_bytes)

    def begin_request(self) -> None:
        """Limit the processor time of what comes next in this process."""
        if self.cpu_s is not None:
            used = resource.getrusage(resource.RUSAGE_SELF)
            seconds = ceil(used.ru_utime + used.ru_stime + self.cpu_s)
            _, hard = resource.getrlimit(resource.RLIMIT_CPU)
            resource.setrlimit(resource.RLIMIT_CPU, (seconds if hard < 0 else min(seconds, hard), hard))


def resident_bytes() -> int:
    """Memory that this process has in use; 0 where the system does not say."""
    return _pages(1) or 0


def _end_with(parent_pid: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # it ended before we asked
        os._exit(1)


def _cap(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    capped = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (capped, capped))


def _address_space_bytes() -> int:
    return _pages(0) or 2**30


def _pages(place: int) -> int | None:
    """A number of pages in Linux's `statm`, in bytes; None where there is no such file."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[place]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return None

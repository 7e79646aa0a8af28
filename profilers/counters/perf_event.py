"""Hardware and software events through `perf_event_open`, by ctypes.

The events are those of MAPLE (Abbasi et al., "MAPLE: Microprocessor A Priori for Latency Estimation", CVPR workshops
2022, section 3.1), and the kernel's own task clock, page faults and migrations. Each is opened alone, because a group
is scheduled together or not at all, and most virtual machines lack some.
"""

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from latcast.schema import Availability, CounterReading
from profilers.counters.base import CounterReader

__all__ = ["EVENTS", "PerfEventReader"]

HARDWARE, SOFTWARE, CACHE = 0, 1, 3
L1D, LAST_LEVEL = 0, 2
LOAD, STORE = 0, 1
MISS = 1


def _cache_event(level: int, operation: int, result: int = 0) -> tuple[int, int]:
    return CACHE, level | operation << 8 | result << 16


EVENTS: Mapping[str, tuple[int, int]] = {
    "cpu-cycles": (HARDWARE, 0),
    "instructions": (HARDWARE, 1),
    "cache-references": (HARDWARE, 2),
    "cache-misses": (HARDWARE, 3),
    "L1-dcache-loads": _cache_event(L1D, LOAD),
    "L1-dcache-load-misses": _cache_event(L1D, LOAD, MISS),
    "LLC-loads": _cache_event(LAST_LEVEL, LOAD),
    "LLC-load-misses": _cache_event(LAST_LEVEL, LOAD, MISS),
    "LLC-stores": _cache_event(LAST_LEVEL, STORE),
    "LLC-store-misses": _cache_event(LAST_LEVEL, STORE, MISS),
    "task-clock": (SOFTWARE, 1),
    "page-faults": (SOFTWARE, 2),
    "cpu-migrations": (SOFTWARE, 4),
}
"""Name → (type, config) as in `linux/perf_event.h`. Context switches are missing on purpose: with `exclude_kernel` they
read zero, so `ProcessReader` counts them."""

SYSCALLS = {"x86_64": 298, "aarch64": 241, "armv7l": 364, "armv6l": 364, "riscv64": 241, "i686": 336, "ppc64le": 319,
            "s390x": 331}  # fmt: skip
ATTRIBUTE_BYTES = 64
DISABLED, INHERIT, EXCLUDE_KERNEL, EXCLUDE_HYPERVISOR = 1 << 0, 1 << 1, 1 << 5, 1 << 6
TIME_ENABLED, TIME_RUNNING = 1 << 0, 1 << 1
CLOSE_ON_EXEC = 1 << 3
ENABLE, DISABLE = 0x2400, 0x2401
PARANOID = Path("/proc/sys/kernel/perf_event_paranoid")


@dataclass(frozen=True, slots=True)
class _Count:
    value: int = 0
    enabled_ns: int = 0
    running_ns: int = 0

    def __sub__(self, other: "_Count") -> "_Count":
        return _Count(self.value - other.value, self.enabled_ns - other.enabled_ns, self.running_ns - other.running_ns)


class PerfEventReader(CounterReader):
    """Counts user-space events of the thread that constructs it and of all threads that are started after that."""

    name: ClassVar[str] = "perf_event"

    def __init__(self) -> None:
        self._files: dict[str, int] = {}
        self._absent: dict[str, str] = {}
        for event, (kind, config) in EVENTS.items():
            try:
                self._files[event] = _open_event(kind, config)
            except OSError as error:
                self._absent[event] = _explain(error)
        self._start: dict[str, _Count] = {}
        self._counted: dict[str, _Count] = {}

    def probe(self) -> Availability:
        """Available where at least one event can be opened."""
        if self._files:
            return Availability(ok=True)
        return Availability(ok=False, reason=next(iter(self._absent.values())))

    @property
    def events(self) -> tuple[str, ...]:
        """Events that could be opened."""
        return tuple(self._files)

    @property
    def absent(self) -> dict[str, str]:
        """Events that could not."""
        return dict(self._absent)

    def __enter__(self) -> Self:
        self._start = {event: _read(file) for event, file in self._files.items()}
        self._control(ENABLE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._control(DISABLE)
        self._counted = {event: _read(file) - self._start[event] for event, file in self._files.items()}

    def _control(self, request: int) -> None:
        for file in self._files.values():
            _libc().ioctl(file, request, 0)

    def read(self, runs: int = 1) -> CounterReading:
        """Counts of the last region for one run, scaled up where the hardware counted for only a part of the time."""
        counted = {event: count for event, count in self._counted.items() if count.running_ns > 0}
        idle = "The hardware had no free counter for it during the measurement: measure fewer events or for longer."
        return CounterReading(
            values={e: c.value * c.enabled_ns / c.running_ns / runs for e, c in counted.items()},
            enabled_ns={e: c.enabled_ns for e, c in counted.items()},
            running_ns={e: c.running_ns for e, c in counted.items()},
            absent={**self._absent, **{event: idle for event in self._counted if event not in counted}},
        )

    def close(self) -> None:
        """Close the events' files."""
        while self._files:
            os.close(self._files.popitem()[1])


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _open_event(kind: int, config: int) -> int:
    """File descriptor of a disabled event that new threads inherit.

    Raises:
        OSError: with the kernel's error number.
    """
    number = SYSCALLS.get(platform.machine())
    if sys.platform != "linux" or number is None:
        raise OSError(errno.ENOSYS, "no perf events")
    flags = DISABLED | INHERIT | EXCLUDE_KERNEL | EXCLUDE_HYPERVISOR
    packed = struct.pack("=IIQQQQQ", kind, ATTRIBUTE_BYTES, config, 0, 0, TIME_ENABLED | TIME_RUNNING, flags)
    attribute = ctypes.create_string_buffer(packed, ATTRIBUTE_BYTES)
    this_thread, any_cpu, no_group = 0, -1, -1
    file = int(_libc().syscall(number, attribute, this_thread, any_cpu, no_group, CLOSE_ON_EXEC))
    if file < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return file


def _read(file: int) -> _Count:
    return _Count(*struct.unpack("=QQQ", os.read(file, 24)))


def _explain(error: OSError) -> str:
    """Why an event cannot be counted, and what would help."""
    if error.errno in (errno.ENOENT, errno.ENODEV, errno.EOPNOTSUPP, errno.EINVAL):
        return ("This machine offers no such hardware event, as most virtual machines: "
                "give it a virtual PMU, or measure on the host.")  # fmt: skip
    if error.errno in (errno.EACCES, errno.EPERM):
        return _explain_refusal(_paranoid())
    if error.errno == errno.ENOSYS:
        if sys.platform != "linux":
            return "This operating system has no perf events: measure on Linux."
        return (f"The call perf_event_open is missing: the container's seccomp profile hides it ({_ALLOW}), or the "
                "kernel was built without CONFIG_PERF_EVENTS.")  # fmt: skip
    return f"The kernel refused it: {error.strerror}."


_ALLOW = "run with `--security-opt seccomp=PROFILE` that allows it, or with `--cap-add PERFMON`"
_OWN_PROCESSES = 2
"""The highest `perf_event_paranoid` with which a process may count its own events in user mode."""


def _explain_refusal(paranoid: str) -> str:
    """Who forbids the events: the kernel's setting if that is strict enough to, else the container."""
    if paranoid.lstrip("-").isdigit() and int(paranoid) <= _OWN_PROCESSES:
        return (f"The container's seccomp profile or a security module forbids perf_event_open ({_ALLOW}); the "
                f"kernel's own setting would allow it (perf_event_paranoid = {paranoid}).")  # fmt: skip
    return (f"The kernel forbids it (perf_event_paranoid = {paranoid}): run `sysctl kernel.perf_event_paranoid=2` on "
            f"the host, or give the process CAP_PERFMON; seccomp has to pass it, too ({_ALLOW}).")  # fmt: skip


def _paranoid() -> str:
    try:
        return PARANOID.read_text().strip()
    except OSError:
        return "unknown"

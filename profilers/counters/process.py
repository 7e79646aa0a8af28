"""What the operating system counts for every process: works on every Unix, without any privilege."""

import resource
import sys
import time
from types import TracebackType
from typing import ClassVar, Self

from latcast.schema import Availability, CounterReading
from profilers.counters.base import CounterReader

__all__ = ["FIELDS", "ProcessReader", "peak_memory_bytes"]

FIELDS = {
    "user-time-ns": "ru_utime",
    "system-time-ns": "ru_stime",
    "minor-faults": "ru_minflt",
    "major-faults": "ru_majflt",
    "voluntary-context-switches": "ru_nvcsw",
    "involuntary-context-switches": "ru_nivcsw",
}
"""Event → field of `getrusage`; times become ns."""


class ProcessReader(CounterReader):
    """`getrusage` of this process, all its threads included."""

    name: ClassVar[str] = "process"

    def __init__(self) -> None:
        self._start, self._counted = _usage(), dict.fromkeys(_usage(), 0.0)
        self._start_ns = self._elapsed_ns = 0

    def probe(self) -> Availability:
        """Always available."""
        return Availability(ok=True)

    @property
    def events(self) -> tuple[str, ...]:
        """The events of `FIELDS`."""
        return tuple(self._counted)

    @property
    def absent(self) -> dict[str, str]:
        """None: every Unix counts them."""
        return {}

    def __enter__(self) -> Self:
        self._start, self._start_ns = _usage(), time.perf_counter_ns()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._elapsed_ns = time.perf_counter_ns() - self._start_ns
        self._counted = {event: value - self._start[event] for event, value in _usage().items()}

    def read(self, runs: int = 1) -> CounterReading:
        """Differences over the last region for one run; the kernel counts without pause, so running is enabled."""
        times = dict.fromkeys(self._counted, self._elapsed_ns)
        values = {event: value / runs for event, value in self._counted.items()}
        return CounterReading(values=values, enabled_ns=times, running_ns=times)


def _usage() -> dict[str, float]:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {event: getattr(usage, field) * (1e9 if event.endswith("-ns") else 1) for event, field in FIELDS.items()}


def peak_memory_bytes() -> int:
    """Highest resident memory of this process so far.

    Linux hands `ru_maxrss` on from the process that started this one, so `VmHWM` is read where it exists.
    """
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

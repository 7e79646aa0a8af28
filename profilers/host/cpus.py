"""The CPUs that a measurement runs on."""

import os
import re
from pathlib import Path

from latcast.schema import Device, InputError
from latcast.schema.counting import counted

__all__ = ["choose_cpus", "cpus_for", "pin", "refuse_more_threads_than_cpus"]

CPUS = "sys/devices/system/cpu"


def choose_cpus(threads: int, *, allowed: frozenset[int], root: Path = Path("/")) -> frozenset[int]:
    """CPUs to pin `threads` threads to: one for each core, the fastest cores first, the highest numbers first.

    CPU 0 comes last because most hosts handle interrupts there.

    Args:
        threads: how many CPUs are wanted.
        allowed: CPUs that the scheduler grants.
        root: folder of `/sys`; tests give captured text.

    Returns:
        `threads` CPUs, or all that are allowed where there are not enough.
    """
    if threads >= len(allowed):
        return allowed
    ranked = sorted(allowed, key=lambda cpu: (-_speed(root, cpu), -cpu))
    cores: dict[str, int] = {}
    for cpu in ranked:
        cores.setdefault(_core(root, cpu), cpu)
    first = list(cores.values())
    others = [cpu for cpu in ranked if cpu not in first]
    return frozenset([*first, *others][:threads])


def refuse_more_threads_than_cpus(threads: int, device: Device) -> None:
    """Refuse what would measure threads that wait for each other.

    Args:
        threads: threads within an operator.
        device: this machine, with the CPUs that the scheduler and the container's quota grant.

    Raises:
        InputError: there are fewer CPUs.
    """
    if threads > device.logical_cores:
        count = device.logical_cores
        granted = counted(count, "CPU")
        raise InputError(
            f"{counted(threads, 'thread')} cannot be measured: this process may use {granted} (its CPU set and "
            "quota counted), so threads would wait for each other. "
            f"Use --threads {count}{' or fewer' if count > 1 else ''}, or grant more CPUs."
        )


def _speed(root: Path, cpu: int) -> int:
    """Relative capacity (Arm) or highest frequency; 0 where the host does not tell."""
    for name in ("cpu_capacity", "cpufreq/cpuinfo_max_freq"):
        text = _read(root / CPUS / f"cpu{cpu}" / name)
        if re.fullmatch(r"\d+", text):
            return int(text)
    return 0


def _core(root: Path, cpu: int) -> str:
    """The same text for all hardware threads of one core."""
    return _read(root / CPUS / f"cpu{cpu}/topology/thread_siblings_list") or str(cpu)


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def pin(cpus: frozenset[int]) -> None:
    """Keep this process on these CPUs, where the host allows it."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cpus)


def cpus_for(threads: int) -> tuple[int, ...]:
    """CPUs to pin so many threads to; empty where the host has no such thing."""
    if not hasattr(os, "sched_getaffinity"):
        return ()
    return tuple(sorted(choose_cpus(threads, allowed=frozenset(os.sched_getaffinity(0)))))

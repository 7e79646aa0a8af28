"""Turns at the machine's cores: who answers asks for short ones, and is let in ahead of those that compute for long.

A task that wakes on a core where another one computes waits until that one's turn is over, however low its priority:
up to four milliseconds, which is ten times what a forecast of a known text takes. Linux (6.12 and later) lets a task
that has asked for shorter turns in at once; it gets no more time of the core for it, and needs no privilege.
"""

import ctypes
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["SHORT_NS", "short_turns", "take_short_turns", "take_usual_turns", "turn_ns"]

SHORT_NS = 100_000
"""The shortest turn that Linux gives."""
_USUAL = 0
_CALLS = {"x86_64": (314, 315), "aarch64": (274, 275), "riscv64": (274, 275)}
"""Numbers of sched_setattr and sched_getattr, which the C library has no functions for."""
_OTHER = (0, 3)
"""SCHED_OTHER and SCHED_BATCH: policies whose tasks have turns of this kind."""


class _Attributes(ctypes.Structure):
    """`struct sched_attr`, as it was at first."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("policy", ctypes.c_uint32),
        ("flags", ctypes.c_uint64),
        ("nice", ctypes.c_int32),
        ("priority", ctypes.c_uint32),
        ("runtime", ctypes.c_uint64),
        ("deadline", ctypes.c_uint64),
        ("period", ctypes.c_uint64),
    )


def take_short_turns() -> bool:
    """Ask for short turns of this thread, and of threads and processes that it starts from now on.

    Returns:
        Whether the system knows the call; one before Linux 6.12 does, and gives the usual turns all the same.
    """
    return _ask_for(SHORT_NS)


def take_usual_turns() -> bool:
    """Take `take_short_turns` back for this thread, and for what it starts from now on; whether that was possible."""
    return _ask_for(_USUAL)


@contextmanager
def short_turns() -> Iterator[None]:
    """Short turns of this thread while the block runs."""
    taken = take_short_turns()
    try:
        yield
    finally:
        if taken:
            take_usual_turns()


def turn_ns() -> int | None:
    """How long this thread's turns are, in ns, as the system says it; None where it does not."""
    attributes = _read()
    return attributes.runtime if attributes is not None and attributes.runtime else None


def _ask_for(ns: int) -> bool:
    attributes = _read()
    if attributes is None or attributes.policy not in _OTHER:
        return False
    attributes.runtime = ns
    return _call(0, ctypes.byref(attributes), 0) == 0


def _read() -> _Attributes | None:
    """What the system has of this thread; None where it has nothing of the kind."""
    attributes = _Attributes(size=ctypes.sizeof(_Attributes))
    done = _call(1, ctypes.byref(attributes), ctypes.sizeof(attributes), 0)
    return attributes if done == 0 else None


def _call(place: int, *arguments: object) -> int:
    """What the system's call answers for this thread; -1 where there is none."""
    numbers = _CALLS.get(platform.machine()) if sys.platform == "linux" else None
    if numbers is None:
        return -1
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    answer: int = syscall(ctypes.c_long(numbers[place]), ctypes.c_int(0), *(_argument(each) for each in arguments))
    return answer


def _argument(value: object) -> object:
    return ctypes.c_uint(value) if isinstance(value, int) else value

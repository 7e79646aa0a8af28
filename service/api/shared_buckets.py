"""Token buckets that several processes of one machine share: a file in memory, under a lock."""

import fcntl
import mmap
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

__all__ = ["SharedBuckets"]

SLOTS, NEIGHBOURS = 16_384, 8
"""Buckets, and how many places each caller's may be at; the one that was longest not used gives way."""
SLOT = struct.Struct("<Qdd")


class SharedBuckets:
    """(tokens, when they were counted) of callers, as `rate_limits.Buckets`. Thread-safe and process-safe.

    Args:
        path: the same for all processes; made by the first.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("a+b")
        self._file.truncate(SLOTS * SLOT.size)  # new bytes are zero, those of others stay
        self._memory = mmap.mmap(self._file.fileno(), SLOTS * SLOT.size)
        self._lock = threading.Lock()

    def change(self, caller: str, change: Callable[[tuple[float, float] | None], tuple[float, float]]) -> None:
        """Put what `change` makes of a caller's bucket in its place; nobody else changes it meanwhile."""
        name = int.from_bytes(blake2b(caller.encode(), digest_size=8).digest(), "little") or 1
        with self._alone():
            place, bucket = self._find(name)
            SLOT.pack_into(self._memory, place, name, *change(bucket))

    def close(self) -> None:
        """Give the file back."""
        self._memory.close()
        self._file.close()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._lock:  # the other one is the process's
            fcntl.lockf(self._file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN)

    def _find(self, name: int) -> tuple[int, tuple[float, float] | None]:
        """(place, bucket) of a caller; of a new one, the place that was longest not used."""
        oldest, oldest_s = 0, float("inf")
        for step in range(NEIGHBOURS):
            place = (name + step) % SLOTS * SLOT.size
            there, tokens, seen = SLOT.unpack_from(self._memory, place)
            if there == name:
                return place, (tokens, seen)
            if seen < oldest_s:
                oldest, oldest_s = place, seen
        return oldest, None

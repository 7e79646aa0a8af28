"""The one kind of cache of this project: the values that were used last, within a bound, for many threads.

What strangers can make large is bounded in bytes: `weigh` says how many a value takes.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

__all__ = ["Cache"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


def _one(_value: object) -> int:
    return 1


class Cache(Generic[K, V]):
    """Values by key; those that nobody used for the longest are dropped. Thread-safe.

    Args:
        size: most that all values weigh together; a single value that weighs more is not kept.
        weigh: what a value weighs, for example `len` for bytes; 1 where left out, so that `size` is a number of values.

    Attributes:
        hits: how often a value was there when it was asked for.
        misses: how often it was not.
    """

    def __init__(self, size: int, *, weigh: Callable[[V], int] = _one) -> None:
        self.hits = self.misses = 0
        self._size, self._weigh = size, weigh
        self._values: OrderedDict[K, V] = OrderedDict()
        self._weight = 0
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: K) -> V | None:
        """The value of a key; None where there is none."""
        with self._lock:
            if key not in self._values:
                self.misses += 1
                return None
            self.hits += 1
            self._values.move_to_end(key)
            return self._values[key]

    def put(self, key: K, value: V) -> V:
        """Keep a value in place of what the key had, and give it back."""
        with self._lock:
            self._store(key, value)
        return value

    def get_or_make(self, key: K, make: Callable[[], V]) -> V:
        """The value of a key, made now if it is not there.

        Two threads may make it at once, for nothing is locked meanwhile; both get the one that was ready first.
        """
        if (value := self.get(key)) is not None:
            return value
        made = make()
        with self._lock:
            if key not in self._values:
                self._store(key, made)
                return made
            return self._values[key]

    def _store(self, key: K, value: V) -> None:
        if key in self._values:
            self._weight -= self._weigh(self._values.pop(key))
        weight = self._weigh(value)
        if weight > self._size:
            return
        self._values[key] = value
        self._weight += weight
        while self._weight > self._size:
            self._weight -= self._weigh(self._values.popitem(last=False)[1])

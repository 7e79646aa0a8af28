"""What was found out about models, by their bytes."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from threading import Lock
from typing import Generic, TypeVar

__all__ = ["KnownModels"]

V = TypeVar("V")

_WHOLE_BYTES = 2**17
"""Models up to this size are their own keys: comparing them is quicker than a digest, and never mistaken."""

_Key = tuple[bytes, tuple[tuple[str, tuple[int, ...]], ...]]


class KnownModels(Generic[V]):
    """The values of the models that were asked for last. Thread-safe.

    Args:
        size: how many models; each may keep 128 KiB of key besides its value.
    """

    def __init__(self, size: int = 256) -> None:
        self._size, self._lock = size, Lock()
        self._values: OrderedDict[_Key, V] = OrderedDict()

    def get(self, model: bytes, shapes: Mapping[str, Sequence[int]] | None = None) -> V | None:
        """The value of a model whose inputs have these shapes; None where there is none."""
        key = _key(model, shapes)
        with self._lock:
            value = self._values.get(key)
            if value is not None:
                self._values.move_to_end(key)
            return value

    def keep(self, model: bytes, shapes: Mapping[str, Sequence[int]] | None, value: V) -> V:
        """Remember a value, and give it back; the one that nobody asked for the longest is forgotten."""
        key = _key(model, shapes)
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            if len(self._values) > self._size:
                self._values.popitem(last=False)
        return value


def _key(model: bytes, shapes: Mapping[str, Sequence[int]] | None) -> _Key:
    bound = tuple(sorted((name, tuple(shape)) for name, shape in shapes.items())) if shapes else ()
    return model if len(model) <= _WHOLE_BYTES else blake2b(model).digest(), bound

"""What was found out about models, by their bytes."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Generic, TypeVar

from profilers.caching import Cache
from profilers.onnx_graph.isolated.model_file import ModelFile

__all__ = ["ENTRY_BYTES", "KnownModels", "model_key"]

V = TypeVar("V")

ENTRY_BYTES = 200
"""What a key and its place take."""


class KnownModels(Generic[V]):
    """The values of the models that were asked for last, by their keys (`model_key`). Thread-safe.

    Args:
        size_bytes: what all values and keys may take.
    """

    def __init__(self, size_bytes: int) -> None:
        self._values: Cache[bytes, tuple[V, int]] = Cache(size_bytes, weigh=lambda item: item[1])

    def get(self, key: bytes) -> V | None:
        """The value of a model; None where there is none."""
        known = self._values.get(key)
        return None if known is None else known[0]

    def keep(self, key: bytes, value: V, size_bytes: int) -> V:
        """Remember a value that takes so many bytes, and give it back; those used longest ago are forgotten."""
        self._values.put(key, (value, size_bytes + ENTRY_BYTES))
        return value


def model_key(
    model: bytes | ModelFile,
    shapes: Mapping[str, Sequence[int]] | None = None,
    dims: Mapping[str, int] | None = None,
) -> bytes:
    """A digest of the model's bytes, of the shapes of its inputs and of the sizes of its symbols."""
    content = model.digest() if isinstance(model, ModelFile) else blake2b(model).digest()
    bound = sorted((name, tuple(shape)) for name, shape in (shapes or {}).items()), sorted((dims or {}).items())
    return blake2b(content + repr(bound).encode()).digest()

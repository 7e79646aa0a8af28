"""What was found out about models, by their bytes."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Generic, TypeVar

from profilers.caching import Cache
from profilers.onnx_graph.isolated.model_file import ModelFile

__all__ = ["KnownModels"]

V = TypeVar("V")

_WHOLE_BYTES = 2**17
"""Models up to this size are their own keys: comparing them is quicker than a digest, and never mistaken."""

_Key = tuple[bytes, tuple[tuple[str, tuple[int, ...]], ...], tuple[tuple[str, int], ...]]
_Shapes = Mapping[str, Sequence[int]] | None
_Dims = Mapping[str, int] | None


class KnownModels(Generic[V]):
    """The values of the models that were asked for last. Thread-safe.

    Args:
        size: how many models; each may keep 128 KiB of key besides its value.
    """

    def __init__(self, size: int = 256) -> None:
        self._values: Cache[_Key, V] = Cache(size)

    def get(self, model: bytes | ModelFile, shapes: _Shapes = None, dims: _Dims = None) -> V | None:
        """The value of a model whose inputs have these shapes and symbols these sizes; None where there is none."""
        return self._values.get(_key(model, shapes, dims))

    def keep(self, model: bytes | ModelFile, shapes: _Shapes, value: V, dims: _Dims = None) -> V:
        """Remember a value, and give it back; the one that nobody asked for the longest is forgotten."""
        return self._values.put(_key(model, shapes, dims), value)


def _key(model: bytes | ModelFile, shapes: _Shapes, dims: _Dims) -> _Key:
    bound = tuple(sorted((name, tuple(shape)) for name, shape in (shapes or {}).items()))
    return _content_key(model), bound, tuple(sorted((dims or {}).items()))


def _content_key(model: bytes | ModelFile) -> bytes:
    if isinstance(model, ModelFile):
        return model.digest()
    return model if len(model) <= _WHOLE_BYTES else blake2b(model).digest()

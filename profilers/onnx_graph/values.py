"""What is known of one tensor while a graph is walked."""

from collections.abc import Hashable, Sequence
from functools import lru_cache
from math import prod
from typing import NamedTuple, Protocol

from onnx import TensorProto, TypeProto, numpy_helper

from latcast.schema import DTYPE_BYTES
from profilers.onnx_graph.constants import Array
from profilers.onnx_graph.dtypes import dtype_code, dtype_name
from profilers.onnx_graph.source import SourceTensor

__all__ = ["Dims", "Elements", "Value"]

_LARGEST_KEY = 256
"""Bytes of a constant that is its own key."""


class Values(Protocol):
    """Who knows the values of a constant."""

    @property
    def data(self) -> Array | None:
        """Values of a small constant."""
        ...


Dims = tuple[int | None, ...]
"""Sizes; None for one that depends on data."""


class Elements(NamedTuple):
    """What a sequence holds.

    Args:
        dims: sizes of its tensors, in order; None for one whose rank is not known.
        start: name of the sequence, of unknown elements, that these were added to; empty where they are all.
    """

    dims: tuple[Dims | None, ...] = ()
    start: str = ""


class Value:
    """A tensor, sequence or optional.

    Args:
        name: in the model.
        dtype: element type; `""` when unknown or not a tensor.
        dims: sizes; None when not even the rank is known.
        constant: it depends on no input of the model.
        data: values of a small constant that was computed.
        source: gives the values of a constant when they are asked for.
        other: the type of what is not a tensor.
        hollow: a constant that stands for weights without values, or is computed from such.

    Besides, the walk sets `overridable` (an initializer that a caller may replace by an input), `index` (among the
    graph's tensors; -1 while nothing that runs reads or writes it), `read` (by some node), `elements` (of a sequence,
    where they are known) and the hash sets `digest` and `readers`.
    """

    __slots__ = (
        "_data", "constant", "digest", "dims", "dtype", "elements", "hollow", "index", "name", "other", "overridable",
        "read", "readers", "source",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        dtype: str,
        dims: Sequence[int | None] | None,
        *,
        constant: bool = False,
        data: Array | None = None,
        source: Values | None = None,
        other: TypeProto | None = None,
        hollow: bool = False,
    ) -> None:
        self.name, self.dtype = name, dtype
        self.dims: Dims | None = None if dims is None else tuple(dims)
        self.constant, self.other, self.hollow = constant, other, hollow
        self._data, self.source = data, source
        self.index, self.overridable, self.read = -1, False, False
        self.elements: Elements | None = None
        self.digest = b""
        self.readers: list[bytes] = []

    @property
    def data(self) -> Array | None:
        """Values of a small constant, where they are known."""
        if self._data is None and self.source is not None:
            self._data = self.source.data
        return self._data

    @property
    def key(self) -> Hashable:
        """What constants of one type and shape differ by; `()` where the values are not known, None if too many."""
        if self._data is None and isinstance(self.source, SourceTensor) and self.source.filled:
            return self.source.key
        data = self.data
        return () if data is None else data.tobytes() if data.nbytes <= _LARGEST_KEY else None

    @property
    def shape(self) -> tuple[int, ...] | None:
        """The static shape; None where a size depends on data."""
        if self.dims is None or None in self.dims:
            return None
        return self.dims  # type: ignore[return-value]

    @property
    def size_bytes(self) -> int:
        """Bytes of the elements; 0 where the shape is unknown."""
        return 0 if self.dims is None else _size_bytes(self.dtype, self.dims)

    @property
    def type_proto(self) -> TypeProto:
        """As onnx wants it; shared between values, so not to be changed."""
        return self.other or _tensor_type(self.dtype, self.dims)

    @property
    def tensor_proto(self) -> TensorProto:
        """The values of a small constant, as onnx wants them; `data` has to be there."""
        assert self.data is not None  # noqa: S101 - the caller looked
        return numpy_helper.from_array(self.data, self.name)

    @classmethod
    def from_type(cls, name: str, type_proto: TypeProto) -> "Value":
        """What a declaration says of a tensor."""
        if type_proto.WhichOneof("value") != "tensor_type":
            return cls(name, "", None, other=type_proto)
        tensor = type_proto.tensor_type
        dims = None
        if tensor.HasField("shape"):
            dims = [
                dim.dim_value if dim.HasField("dim_value") and dim.dim_value >= 0 else None for dim in tensor.shape.dim
            ]
        return cls(name, dtype_name(tensor.elem_type), dims)


@lru_cache(maxsize=16_384)
def _size_bytes(dtype: str, dims: Dims) -> int:
    sizes = [size for size in dims if size is not None]
    return int(prod(sizes) * DTYPE_BYTES.get(dtype, 4)) if len(sizes) == len(dims) else 0


@lru_cache(maxsize=4096)
def _tensor_type(dtype: str, dims: Dims | None) -> TypeProto:
    """Shared: never changed once built."""
    built = TypeProto()
    built.tensor_type.elem_type = dtype_code(dtype) if dtype else 0
    if dims is not None:
        shape = built.tensor_type.shape
        shape.SetInParent()
        for size in dims:
            dim = shape.dim.add()
            if size is not None:
                dim.dim_value = size
    return built

"""What is known of one tensor while a graph is walked."""

from collections.abc import Sequence
from functools import lru_cache
from math import prod

from onnx import TensorProto, TypeProto, numpy_helper

from profilers.onnx_graph.constants import Array
from profilers.onnx_graph.dtypes import dtype_code, dtype_name
from profilers.schema import DTYPE_BYTES

__all__ = ["Dims", "Value"]

Dims = tuple[int | None, ...]
"""Sizes; None for one that depends on data."""


class Value:
    """A tensor, sequence or optional.

    Args:
        name: in the model.
        dtype: element type; `""` when unknown or not a tensor.
        dims: sizes; None when not even the rank is known.
        constant: it depends on no input of the model.
        data: values of a small constant, where they could be computed.
        other: the type of what is not a tensor.

    Besides, the walk sets `index` (among the graph's tensors; -1 while nothing that runs reads or writes it) and the
    hash sets `digest` and `readers`.
    """

    __slots__ = ("constant", "data", "digest", "dims", "dtype", "index", "name", "other", "readers")

    def __init__(
        self,
        name: str,
        dtype: str,
        dims: Sequence[int | None] | None,
        *,
        constant: bool = False,
        data: Array | None = None,
        other: TypeProto | None = None,
    ) -> None:
        self.name, self.dtype = name, dtype
        self.dims: Dims | None = None if dims is None else tuple(dims)
        self.constant, self.data, self.other = constant, data, other
        self.index = -1
        self.digest = b""
        self.readers: list[bytes] = []

    @property
    def shape(self) -> tuple[int, ...] | None:
        """The static shape; None where a size depends on data."""
        if self.dims is None or None in self.dims:
            return None
        return self.dims  # type: ignore[return-value]

    @property
    def size_bytes(self) -> int:
        """Bytes of the elements; 0 where the shape is unknown."""
        shape = self.shape
        return 0 if shape is None else int(prod(shape) * DTYPE_BYTES.get(self.dtype, 4))

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

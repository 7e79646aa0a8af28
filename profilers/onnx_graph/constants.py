"""Reading constant tensors: whether they hold what they claim, and small values as arrays."""

from collections.abc import Hashable, Sequence
from math import ceil

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from latcast.schema import DTYPE_BYTES, InvalidModelError
from latcast.schema.counting import counted

__all__ = [
    "SMALL_ELEMENTS",
    "Array",
    "flush_denormals",
    "has_values",
    "holds_denormals",
    "small_array",
    "stored_values",
    "validate_values",
]

Array = NDArray[np.generic]

SMALL_ELEMENTS = 4096
"""Constants up to this many elements are evaluated; larger ones stay a type and a shape."""

_CHUNK = 1 << 20
# Repeated fields of TensorProto that hold values when raw_data does not, and how many entries one element takes.
_FIELDS = {
    "float32": ("float_data", 1), "complex64": ("float_data", 2), "float64": ("double_data", 1),
    "complex128": ("double_data", 2), "int64": ("int64_data", 1), "uint64": ("uint64_data", 1),
    "uint32": ("uint64_data", 1), "string": ("string_data", 1),
}  # fmt: skip
_DEFAULT_FIELD = ("int32_data", 1)
_PACKED_BYTES = 0.5

_NUMPY_TYPES = {name: np.dtype(layout) for name, layout in (
    ("float32", "<f4"), ("float64", "<f8"), ("int64", "<i8"), ("int32", "<i4"), ("bool", "?"))}  # fmt: skip
"""Raw data of these types is an array as it is."""


def has_values(tensor: TensorProto, dtype: str) -> bool:
    """Whether the tensor holds values (rather than being a placeholder)."""
    return tensor.HasField("raw_data") or len(getattr(tensor, _FIELDS.get(dtype, _DEFAULT_FIELD)[0])) > 0


def validate_values(tensor: TensorProto, dtype: str, elements: int) -> None:
    """Refuse a tensor whose values do not fill its shape.

    Raises:
        InvalidModelError: too few or too many values.
    """
    found, wanted = _stored(tensor, dtype, elements)
    if found != wanted:
        raise InvalidModelError(f"The tensor {tensor.name!r} holds {found} of the "
                                f"{counted(wanted, 'value or byte', 'values or bytes')} that its "
                                f"shape {list(tensor.dims)} needs.")  # fmt: skip


def _stored(tensor: TensorProto, dtype: str, elements: int) -> tuple[int, int]:
    """What a tensor holds and what it should hold: bytes of raw data, else entries of the typed field."""
    size_bytes = ceil(elements * DTYPE_BYTES[dtype])
    if tensor.HasField("raw_data"):
        return len(tensor.raw_data), size_bytes
    field, entries = _FIELDS.get(dtype, _DEFAULT_FIELD)
    # Types of 2 and 4 bits are packed in this field, too; those of 6 have an entry each.
    return len(getattr(tensor, field)), size_bytes if DTYPE_BYTES[dtype] <= _PACKED_BYTES else elements * entries


def stored_values(tensor: TensorProto, dtype: str) -> Hashable:
    """The values as the file stores them: raw bytes, or a tuple of what the typed field holds."""
    if tensor.HasField("raw_data"):
        return tensor.raw_data
    return tuple(getattr(tensor, _FIELDS.get(dtype, _DEFAULT_FIELD)[0])[:])


def small_array(tensor: TensorProto, dtype: str, elements: int) -> Array | None:
    """Values of a small integer, boolean or float constant that holds some; None for any other."""
    if elements > SMALL_ELEMENTS or dtype == "string" or DTYPE_BYTES.get(dtype, 0) < 1:
        return None
    layout = _NUMPY_TYPES.get(dtype)
    if layout is None:
        return numpy_helper.to_array(tensor)
    if tensor.HasField("raw_data"):
        return np.frombuffer(tensor.raw_data, dtype=layout).reshape(tensor.dims[:])
    listed = getattr(tensor, _FIELDS.get(dtype, _DEFAULT_FIELD)[0])[:]
    return np.array(listed, dtype=layout).reshape(tensor.dims[:])


def flush_denormals(tensor: TensorProto) -> None:
    """Replace the denormal values of a float32 or float64 constant by zeros, in place."""
    array = numpy_helper.to_array(tensor).copy()
    array[np.abs(array) < np.finfo(array.dtype).tiny] = 0
    name, comment = tensor.name, tensor.doc_string
    tensor.CopyFrom(numpy_helper.from_array(array, name))
    tensor.doc_string = comment


def holds_denormals(tensor: TensorProto) -> bool:
    """Whether a float32 or float64 constant holds denormal values, which can slow a runtime tenfold."""
    if tensor.data_type == TensorProto.FLOAT:
        return _any_denormal(tensor.raw_data, tensor.float_data, "<u4", 23)
    if tensor.data_type == TensorProto.DOUBLE:
        return _any_denormal(tensor.raw_data, tensor.double_data, "<u8", 52)
    return False


def _any_denormal(raw: bytes, listed: Sequence[float], layout: str, mantissa: int) -> bool:
    """A denormal has no exponent bits and some mantissa bit: without its sign it lies in 1 .. 2^mantissa - 1."""
    bits = np.frombuffer(raw, dtype=layout) if raw else np.asarray(listed, dtype=layout.replace("u", "f")).view(layout)
    sign = bits.dtype.type((1 << (8 * bits.itemsize - 1)) - 1)
    one, largest = bits.dtype.type(1), bits.dtype.type((1 << mantissa) - 1)
    chunks = (bits[at : at + _CHUNK] & sign for at in range(0, bits.size, _CHUNK))
    return any(bool(((chunk - one) < largest).any()) for chunk in chunks)

"""Named arrays beside the header of a message: what a worker computes crosses the pipe as numbers, not as text.

The header describes each array by name, type and shape; the payload is their bytes, one after the other, each padded to
eight. The receiver believes neither: every type is one of a few, every size within limits, and the payload as long as
the descriptions say, before an array is made.
"""

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latcast.schema.counting import counted

__all__ = ["Arrays", "bytes_array", "pack_arrays", "unpack_arrays"]

Arrays = Mapping[str, NDArray[Any]]

MOST_ARRAYS = 256
MOST_AXES = 8
NAME_LENGTH = 64
LARGEST_SIZE = 2**31
"""Along one axis."""

_TYPES = {code: np.dtype(code) for code in ("|b1", "|u1", "|i1", "<i4", "<i8", "<f2", "<f4", "<f8")}
_ALIGNED = 8


def bytes_array(data: bytes) -> NDArray[np.uint8]:
    """Bytes as an array, without a copy; `tobytes()` gives them back."""
    return np.frombuffer(data, dtype=np.uint8)


def pack_arrays(arrays: Arrays) -> tuple[list[list[Any]], list[bytes]]:
    """Descriptions for a header, and the parts of the payload.

    Args:
        arrays: of numbers or truth values, by name.

    Raises:
        ValueError: the receiver would refuse them.
    """
    described, parts = [], []
    for name, array in arrays.items():
        code = array.dtype.newbyteorder("<").str
        described.append([name, code, list(array.shape)])
        content = array.astype(code, copy=False).tobytes()
        parts += [content, bytes(-len(content) % _ALIGNED)]
    _check(described)
    return described, parts


def unpack_arrays(described: Any, payload: bytes, *, largest: int) -> dict[str, NDArray[Any]]:
    """The arrays that `pack_arrays` packed: read-only views of the payload.

    Args:
        described: from the header of a message.
        payload: of the message.
        largest: bytes of all arrays together.

    Raises:
        ValueError: too many or too large, of another type, or not as long as described.
    """
    checked = _check(described)
    if sum(_padded(size) for *_, size in checked) != len(payload) or len(payload) > largest:
        raise ValueError(
            f"arrays of {counted(len(payload), 'byte')}, which are not those described or more than {largest:,}"
        )
    arrays, start = {}, 0
    for name, dtype, shape, size in checked:
        flat = np.frombuffer(payload, dtype=dtype, count=prod(shape), offset=start) if size else np.empty(0, dtype)
        arrays[name] = flat.reshape(shape)
        start += _padded(size)
    return arrays


def _check(described: Any) -> list[tuple[str, np.dtype[Any], tuple[int, ...], int]]:
    """(name, type, shape, bytes) of each array."""
    if not isinstance(described, list) or len(described) > MOST_ARRAYS:
        raise ValueError(f"arrays are described by a list of at most {MOST_ARRAYS}")
    checked = [_checked(item) for item in described]
    if len({name for name, *_ in checked}) != len(checked):
        raise ValueError("two arrays have one name")
    return checked


def _checked(item: Any) -> tuple[str, np.dtype[Any], tuple[int, ...], int]:
    if not isinstance(item, list) or len(item) != 3:
        raise ValueError("an array is described by its name, type and shape")
    name, code, shape = item
    if not isinstance(name, str) or len(name) > NAME_LENGTH:
        raise ValueError("an array needs a short name")
    if not isinstance(code, str) or code not in _TYPES:
        raise ValueError(f"the array {name!r} is of none of the types {', '.join(_TYPES)}")
    if not isinstance(shape, list) or len(shape) > MOST_AXES or not all(map(_is_size, shape)):
        raise ValueError(f"the array {name!r} has no shape of at most {MOST_AXES} sizes below {LARGEST_SIZE:,}")
    return name, _TYPES[code], tuple(shape), prod(shape) * _TYPES[code].itemsize


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 <= value < LARGEST_SIZE


def _padded(size: int) -> int:
    return size + -size % _ALIGNED

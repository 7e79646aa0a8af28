"""Names of ONNX element types as the schema writes them: `float32`, not `FLOAT`."""

from onnx import TensorProto

from latcast.schema import DTYPE_BYTES, InputError

__all__ = ["DTYPE_NAMES", "INTEGERS", "dtype_code", "dtype_name"]

_RENAMED = {"FLOAT": "float32", "DOUBLE": "float64", "UNDEFINED": ""}

_LOWER = {code: _RENAMED.get(name, name.lower()) for name, code in TensorProto.DataType.items()}

DTYPE_NAMES: dict[int, str] = {code: name for code, name in _LOWER.items() if name in DTYPE_BYTES}
"""Name by code of `TensorProto.DataType`, for the types whose size the schema knows."""

_CODES = {name: code for code, name in DTYPE_NAMES.items()}

INTEGERS = frozenset(
    {"int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8", "int4", "uint4", "int2", "uint2"}
)


def dtype_name(code: int) -> str:
    """Name of an element type; `""` for an undefined or unknown one."""
    return DTYPE_NAMES.get(code, "")


def dtype_code(name: str) -> int:
    """Code of an element type.

    Raises:
        InputError: no such type.
    """
    if name not in _CODES:
        raise InputError(f"Unknown data type {name!r}; known are {', '.join(sorted(_CODES))}.")
    return _CODES[name]

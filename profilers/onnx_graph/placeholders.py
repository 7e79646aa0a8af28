"""Tensors without values: what a weight-stripped model holds in place of its weights.

A placeholder is a `TensorProto` with a type and dims, no data, and a mark in its `doc_string` that says with what
kind of values it is refilled. `doc_string` is part of every ONNX version and survives every tool that keeps the
tensor, which makes a stripped model a plain ONNX file.
"""

from collections.abc import Sequence

from onnx import TensorProto

from latcast.onnx_files.usage import MARK, ROLES, Role
from latcast.schema import InputError
from profilers.onnx_graph.dtypes import dtype_code

__all__ = ["Role", "mark", "placeholder", "role_of"]

_BY_MARK: dict[str, Role] = {MARK + role: role for role in ROLES}


def placeholder(name: str, shape: Sequence[int], *, dtype: str = "float32", role: Role = "normal") -> TensorProto:
    """An initializer without values, as `strip_weights` leaves it and `refill_weights` fills it.

    Args:
        name: of the tensor.
        shape: its sizes, all known.
        dtype: element type in lower case, for example `float32`.
        role: with what it is refilled; see `Role`.

    Raises:
        InputError: an unknown type or role, or a negative size.
    """
    if role not in ROLES:
        raise InputError(f"Unknown role {role!r} of a placeholder; known are {', '.join(ROLES)}.")
    if any(size < 0 for size in shape):
        raise InputError(f"The placeholder {name!r} has a negative size in its shape {tuple(shape)}.")
    return TensorProto(name=name, dims=list(shape), data_type=dtype_code(dtype), doc_string=MARK + role)


def mark(tensor: TensorProto, role: Role) -> None:
    """Turn a tensor into a placeholder: name, type and dims stay, its values go."""
    kept = TensorProto(name=tensor.name, dims=tensor.dims, data_type=tensor.data_type, doc_string=MARK + role)
    tensor.CopyFrom(kept)


def role_of(tensor: TensorProto) -> Role | None:
    """What a tensor is refilled with; None for one that was never stripped.

    A refilled tensor keeps its mark: its values still say nothing.
    """
    return _BY_MARK.get(tensor.doc_string)

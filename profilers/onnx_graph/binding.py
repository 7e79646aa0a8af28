"""Dynamic dimensions of the inputs are bound by the caller, by input name and axis position."""

from collections.abc import Mapping, Sequence

from onnx import TypeProto, ValueInfoProto

from latcast.schema import InvalidModelError, UnboundDimensionError

__all__ = ["Shapes", "bind_inputs"]

Shapes = Mapping[str, Sequence[int]]
"""Whole shape of each input that has dynamic dimensions, by input name."""

_LARGEST = 2**31 - 1

_NAMELESS = frozenset({"", "none", "unk", "unknown", "dynamic"})
"""What exporters write for any size, besides signs such as `?` and `-1`: such symbols say nothing of each other."""


def bind_inputs(inputs: Sequence[ValueInfoProto], shapes: Shapes | None) -> None:
    """Set the sizes of the fed inputs in place.

    Raises:
        UnboundDimensionError: dynamic dimensions remain; lists all of them.
        InvalidModelError: a shape for an unknown input, of the wrong rank, at odds with a fixed size, negative,
            or two sizes for one symbol.
    """
    _refuse_unknown(shapes or {}, [info.name for info in inputs])
    symbols: dict[str, tuple[int, str]] = {}
    unbound: list[tuple[str, int, str]] = []
    for info in inputs:
        if info.type.WhichOneof("value") == "tensor_type":
            if shapes and info.name in shapes:
                _bind(info.name, info.type, tuple(shapes[info.name]), symbols)
            unbound += _unbound(info.name, info.type)
    if unbound:
        raise UnboundDimensionError(unbound)


def _refuse_unknown(shapes: Shapes, names: list[str]) -> None:
    for name in shapes:
        if name not in names:
            listed = ", ".join(names[:20]) or "none"
            raise InvalidModelError(
                f"A shape was given for {name!r}, which is no input of the model. Inputs are: {listed}."
            )


def _bind(name: str, type_proto: TypeProto, shape: tuple[int, ...], symbols: dict[str, tuple[int, str]]) -> None:
    tensor = type_proto.tensor_type
    given = "×".join(map(str, shape))
    if any(isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= _LARGEST for size in shape):
        raise InvalidModelError(
            f"The shape {given} for the input {name!r} holds a size that is no integer in 0..2^31-1."
        )
    if not tensor.HasField("shape"):
        for _ in shape:
            tensor.shape.dim.add()
    if len(tensor.shape.dim) != len(shape):
        raise InvalidModelError(f"The input {name!r} has {len(tensor.shape.dim)} dimensions, but the shape given for "
                                f"it, {given}, has {len(shape)}.")  # fmt: skip
    for axis, (dim, size) in enumerate(zip(tensor.shape.dim, shape, strict=True)):
        where = f"{name}[{axis}]"
        if dim.dim_value > 0 and dim.dim_value != size:
            raise InvalidModelError(
                f"The model fixes {where} at {dim.dim_value}, but the shape given for it says {size}."
            )
        if _is_name(dim.dim_param):
            known, first = symbols.setdefault(dim.dim_param, (size, where))
            if known != size:
                raise InvalidModelError(f"The dimension {dim.dim_param!r} is bound to {known} at {first} and to {size} "
                                        f"at {where}: one symbol has one size.")  # fmt: skip
        dim.dim_value = size


def _is_name(symbol: str) -> bool:
    return symbol.casefold() not in _NAMELESS and any(character.isalpha() for character in symbol)


def _unbound(name: str, type_proto: TypeProto) -> list[tuple[str, int, str]]:
    tensor = type_proto.tensor_type
    if not tensor.HasField("shape"):
        return [(name, 0, "of unknown rank")]
    found = []
    for axis, dim in enumerate(tensor.shape.dim):
        if not dim.HasField("dim_value"):
            found.append((name, axis, dim.dim_param))
        elif not 0 <= dim.dim_value <= _LARGEST:
            raise InvalidModelError(
                f"The model fixes {name}[{axis}] at {dim.dim_value}, which is no size in 0..2^31-1."
            )
    return found

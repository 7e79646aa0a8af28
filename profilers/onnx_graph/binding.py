"""Dynamic dimensions of the inputs are bound by the caller: whole shapes by input name, or sizes by symbol."""

import operator
from collections import defaultdict
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from onnx import TensorShapeProto, TypeProto, ValueInfoProto

from latcast.schema import UNKNOWN_RANK, InvalidModelError, UnboundDimensionError
from latcast.schema.counting import counted
from profilers.onnx_graph.source import Source

__all__ = ["Dims", "Shapes", "bind_inputs", "forget_shapes"]

Shapes = Mapping[str, Sequence[int]]
"""Whole shape of each input that has dynamic dimensions, by input name."""

Dims = Mapping[str, int]
"""Size of each symbol of the inputs' shapes, by the symbol's name."""

_LARGEST = 2**31 - 1
_ANY_SIZE = -1
"""The size that exporters write for an open dimension without a symbol, and that runtimes read as one."""

_NAMELESS = frozenset({"", "none", "unk", "unknown", "dynamic"})
"""What exporters write for any size, besides signs such as `?` and `-1`: such symbols say nothing of each other."""


def bind_inputs(inputs: Sequence[ValueInfoProto], shapes: Shapes | None, dims: Dims | None = None) -> dict[str, int]:
    """Set the sizes of the fed inputs in place.

    A whole shape counts first, then what `dims` says of a symbol, then the size that whole shapes give the symbol on
    another input, where they agree. So a symbol that stands for two sizes, as runtimes allow, gets them by whole
    shapes.

    Returns:
        The size of each symbol that has one.

    Raises:
        UnboundDimensionError: dynamic dimensions remain; lists all of them.
        InvalidModelError: a shape for an unknown input, of the wrong rank, at odds with a fixed size or negative, or a
            size for a symbol that no input has.
    """
    shapes, dims = shapes or {}, dims or {}
    tensors = [info for info in inputs if info.type.WhichOneof("value") == "tensor_type"]
    _refuse_unknown(shapes, [info.name for info in inputs])
    _check_dims(dims, tensors)
    implied: dict[str, set[int]] = defaultdict(set)
    for info in tensors:
        if info.name in shapes:
            _bind(info.name, info.type, shapes[info.name], implied)
    agreed = {symbol: next(iter(sizes)) for symbol, sizes in implied.items() if len(sizes) == 1}
    declared = {info.name: _declared(info.type) for info in tensors}
    for info in tensors:
        _fill(info.type, {**agreed, **dims})
    unbound = [dimension for info in tensors for dimension in _unbound(info.name, info.type)]
    if unbound:
        raise UnboundDimensionError(unbound, declared=declared)
    return {symbol: operator.index(size) for symbol, size in {**agreed, **dims}.items()}


def forget_shapes(source: Source) -> None:
    """Drop in place what the model declares of the shapes of tensors that are no inputs: they follow from these."""
    graph = source.proto.graph
    del graph.value_info[:]
    for info in graph.output:
        if info.type.WhichOneof("value") == "tensor_type":
            info.type.tensor_type.ClearField("shape")


def _refuse_unknown(shapes: Shapes, names: list[str]) -> None:
    for name in shapes:
        if name not in names:
            listed = ", ".join(names[:20]) or "none"
            hint = " Give each input a shape of its own (--shape, repeated)." if "=" in name else ""
            raise InvalidModelError(
                f"A shape was given for {name!r}, which is no input of the model.{hint} Inputs are: {listed}."
            )


def _check_dims(dims: Dims, inputs: Sequence[ValueInfoProto]) -> None:
    shapes = [info.type.tensor_type.shape for info in inputs]
    symbols = list(dict.fromkeys(dim.dim_param for shape in shapes for dim in shape.dim if dim.dim_param))
    for symbol, size in dims.items():
        if symbol not in symbols:
            folded = {one.casefold(): one for one in symbols}
            close = get_close_matches(symbol.casefold(), folded, n=1)
            hint = f" Did you mean {folded[close[0]]!r}?" if close else ""
            listed = ", ".join(symbols[:20]) or "none"
            raise InvalidModelError(
                f"A size was given for the symbol {symbol!r}, which no input's shape has.{hint} Symbols are: {listed}."
            )
        if _size_of(size) is None:
            raise InvalidModelError(f"The size {size} of the symbol {symbol!r} is no integer in 0..2^31-1.")


def _bind(name: str, type_proto: TypeProto, shape: Sequence[int], implied: dict[str, set[int]]) -> None:
    tensor = type_proto.tensor_type
    sizes = [size for given in shape if (size := _size_of(given)) is not None]
    written = "×".join(map(str, shape)) or "that of a scalar"
    if len(sizes) != len(shape):
        raise InvalidModelError(
            f"The shape {written} for the input {name!r} holds a size that is no integer in 0..2^31-1."
        )
    if not tensor.HasField("shape"):
        tensor.shape.SetInParent()
        for _ in sizes:
            tensor.shape.dim.add()
    if len(tensor.shape.dim) != len(sizes):
        raise InvalidModelError(f"The input {name!r} has {counted(len(tensor.shape.dim), 'dimension')}, but the "
                                "shape given for "
                                f"it, {written}, has {len(sizes)}.")  # fmt: skip
    for axis, (dim, size) in enumerate(zip(tensor.shape.dim, sizes, strict=True)):
        if dim.dim_value > 0 and dim.dim_value != size:
            raise InvalidModelError(
                f"The model fixes {name}[{axis}] at {dim.dim_value}, but the shape given for it says {size}."
            )
        if _is_name(dim.dim_param):
            implied[dim.dim_param].add(size)
        dim.dim_value = size


def _size_of(value: Any) -> int | None:
    """The size as an int, whether Python's or NumPy's; None where it is none that a dimension can have."""
    try:
        size = operator.index(value)
    except TypeError:
        return None
    return size if not isinstance(value, bool) and 0 <= size <= _LARGEST else None


def _fill(type_proto: TypeProto, sizes: Dims) -> None:
    """Set the dimensions whose symbols have sizes."""
    for dim in type_proto.tensor_type.shape.dim:
        if dim.dim_param in sizes:
            dim.dim_value = operator.index(sizes[dim.dim_param])


def _is_name(symbol: str) -> bool:
    return symbol.casefold() not in _NAMELESS and any(character.isalpha() for character in symbol)


def _is_open(dim: TensorShapeProto.Dimension) -> bool:
    return not dim.HasField("dim_value") or dim.dim_value == _ANY_SIZE


def _declared(type_proto: TypeProto) -> tuple[int | str, ...] | None:
    """The sizes that the model declares of an input, "" or a symbol where it leaves one open; None without a rank."""
    tensor = type_proto.tensor_type
    if not tensor.HasField("shape"):
        return None
    return tuple(
        (dim.dim_param if _is_name(dim.dim_param) else "") if _is_open(dim) else dim.dim_value
        for dim in tensor.shape.dim
    )


def _unbound(name: str, type_proto: TypeProto) -> list[tuple[str, int, str]]:
    tensor = type_proto.tensor_type
    if not tensor.HasField("shape"):
        return [(name, 0, UNKNOWN_RANK)]
    unbound = []
    for axis, dim in enumerate(tensor.shape.dim):
        if _is_open(dim):
            unbound.append((name, axis, dim.dim_param))
        elif not 0 <= dim.dim_value <= _LARGEST:
            raise InvalidModelError(
                f"The model fixes {name}[{axis}] at {dim.dim_value}, which is no size in 0..2^31-1."
            )
    return unbound

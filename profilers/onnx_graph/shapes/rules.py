"""What rules of shapes are made of: reading inputs, broadcasting."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from latcast.schema import InvalidModelError
from latcast.schema.counting import counted
from profilers.onnx_graph.values import Dims, Value

__all__ = ["Inputs", "Output", "Plain", "Rule", "broadcast", "dims_of", "dtype_of", "given", "integers_of", "ranked"]

Inputs = Sequence["Value | None"]
Output = tuple[str, "Dims | None"]
"""Element type and sizes of an output; None sizes are unknown."""
Plain = Mapping[str, Any]
Rule = Callable[[Inputs, Plain], list[Output]]
"""The outputs that follow from a node's inputs and plain attributes."""


def broadcast(*shapes: Dims | None) -> Dims | None:
    """Multidirectional broadcasting of known and unknown sizes.

    Raises:
        InvalidModelError: the sizes do not fit.
    """
    known = [shape for shape in shapes if shape is not None]
    if len(known) < len(shapes):
        return None
    rank = max(map(len, known))
    padded = [(1,) * (rank - len(shape)) + shape for shape in known]
    return tuple(_joint_size(sizes, known) for sizes in zip(*padded, strict=True))


def _joint_size(sizes: tuple[int | None, ...], shapes: Sequence[Dims]) -> int | None:
    fixed = {size for size in sizes if size is not None and size != 1}
    if len(fixed) > 1:
        listed = " and ".join(str(list(shape)) for shape in shapes)
        raise InvalidModelError(f"the shapes {listed} cannot be broadcast together")
    return fixed.pop() if fixed else (None if None in sizes else 1)


def given(inputs: Inputs, at: int) -> Value | None:
    """An input; None for an omitted one."""
    return inputs[at] if at < len(inputs) else None


def dims_of(inputs: Inputs, at: int) -> Dims | None:
    """Sizes of an input; None where the rank is not known."""
    value = given(inputs, at)
    return None if value is None else value.dims


def dtype_of(inputs: Inputs, at: int) -> str:
    """Element type of an input; `""` where there is none."""
    value = given(inputs, at)
    return "" if value is None else value.dtype


def ranked(inputs: Inputs, at: int, rank: int) -> Dims:
    """Sizes of an input of this rank; all None where they are unknown."""
    dims = dims_of(inputs, at)
    if dims is not None and len(dims) != rank:
        raise InvalidModelError(f"its input {at} has {counted(len(dims), 'dimension')} instead of {rank}")
    return (None,) * rank if dims is None else dims


def integers_of(inputs: Inputs, at: int) -> list[int] | None:
    """Values of a small integer constant, flat; None where they are not known."""
    value = given(inputs, at)
    data = None if value is None else value.data
    return None if data is None or data.dtype.kind not in "iub" else [int(item) for item in data.reshape(-1).tolist()]

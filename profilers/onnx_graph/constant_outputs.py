"""Nodes whose outputs follow from small constants and static shapes, without running the model."""

from collections.abc import Sequence

import numpy as np

from latcast.schema import InvalidModelError
from profilers.onnx_graph.constants import Array
from profilers.onnx_graph.evaluation import can_evaluate, evaluate
from profilers.onnx_graph.source import Operation
from profilers.onnx_graph.values import Value

__all__ = ["Folded", "fold"]

Inputs = Sequence[Value | None]


def fold(operation: Operation, inputs: Inputs, *, constant: bool) -> tuple[Array, ...] | None:
    """One array for each output, where they can be told; else None.

    Args:
        operation: of any domain, without bodies.
        inputs: None for an omitted one.
        constant: all inputs are constants.

    Raises:
        InvalidModelError: attributes of Shape that are none.
    """
    if operation.domain:
        return None
    known = _shape_of(operation, inputs)
    if known is not None or not constant or not can_evaluate(operation.operator):
        return known
    arrays = [None if value is None else value.data for value in inputs]
    if any(value is not None and array is None for value, array in zip(inputs, arrays, strict=True)):
        return None
    tensors = {name: tensor.proto for name, tensor in operation.tensors.items()}
    return evaluate(operation.operator, arrays, {**operation.plain, **tensors})


def _shape_of(operation: Operation, inputs: Inputs) -> tuple[Array, ...] | None:
    """Shape and Size of a static tensor are constants, whatever the tensor holds."""
    if operation.operator not in ("Shape", "Size") or len(inputs) != 1 or inputs[0] is None:
        return None
    shape = inputs[0].shape
    if shape is None:
        return None
    if operation.operator == "Size":
        return (np.asarray(np.prod(shape, dtype=np.int64)),)
    start, end = (operation.plain.get(name, default) for name, default in (("start", 0), ("end", len(shape))))
    if not isinstance(start, int) or not isinstance(end, int):
        raise InvalidModelError("The attributes start and end of a Shape node have to be integers.")
    return (np.asarray(shape[start:end], dtype=np.int64),)


class Folded:
    """Values of one output of a node that is known to fold, computed when they are asked for.

    Args:
        operation, inputs: as for `fold`.
        position: which output.
    """

    __slots__ = ("_inputs", "_operation", "_position")

    def __init__(self, operation: Operation, inputs: Inputs, position: int) -> None:
        self._operation, self._inputs, self._position = operation, inputs, position

    @property
    def data(self) -> Array | None:
        """The values."""
        arrays = fold(
            self._operation, self._inputs, constant=all(item is None or item.constant for item in self._inputs)
        )
        return None if arrays is None else arrays[self._position]

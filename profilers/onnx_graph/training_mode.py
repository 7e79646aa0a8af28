"""Whether a node runs as in training, which exporters leave in a model whose `eval()` was not called."""

from collections.abc import Mapping, Sequence

from profilers.onnx_graph.source import Operation
from profilers.onnx_graph.values import Value

__all__ = ["TRAINED", "in_training"]

TRAINED = frozenset({"BatchNormalization", "Dropout"})
"""Operators that do something else in training."""

_SINCE_INPUT, _SINCE_ATTRIBUTE = 12, 14
"""Opsets from which Dropout has an input and BatchNormalization an attribute that says so."""


def in_training(operation: Operation, inputs: Sequence[Value | None], opsets: Mapping[str, int]) -> bool:
    """Whether a node of `TRAINED` runs as in training, as far as the model itself says so.

    Args:
        operation: of any domain.
        inputs: None for an omitted one.
        opsets: versions by domain.
    """
    opset = opsets.get("", 1)
    if operation.domain:
        return False
    if operation.operator == "BatchNormalization":
        return opset >= _SINCE_ATTRIBUTE and bool(operation.plain.get("training_mode", 0))
    mode = inputs[2] if opset >= _SINCE_INPUT and len(inputs) > 2 else None
    return mode is not None and mode.data is not None and bool(mode.data.any())

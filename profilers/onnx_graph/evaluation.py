"""Evaluating small constants: the arithmetic that exporters put around Reshape, Slice, Resize and Range.

Only a fixed table of operators is evaluated, on arrays of at most `SMALL_ELEMENTS`, and an operator that can blow
up its input (Tile, Expand, Range, ConstantOfShape) checks the size before it builds anything.
"""

from collections.abc import Callable, Mapping, Sequence
from math import ceil, prod
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from latcast.schema import Attribute
from profilers.onnx_graph.constants import SMALL_ELEMENTS, Array
from profilers.onnx_graph.long_lists import LongList

__all__ = ["can_evaluate", "evaluate"]

Attributes = Mapping[str, "Attribute | LongList | TensorProto"]
Inputs = Sequence[Any]
_Rule = Callable[[Inputs, Mapping[str, Any]], Any]


class _TooLargeError(ValueError):
    """The result would not be small."""


def can_evaluate(operator: str) -> bool:
    """Whether the operator of ai.onnx is in the table."""
    return operator in _RULES


def evaluate(operator: str, inputs: Sequence[Array | None], attributes: Attributes) -> tuple[Array, ...] | None:
    """Outputs of an ai.onnx operator on small constants.

    Args:
        operator: operator type.
        inputs: arrays; None for an omitted input.
        attributes: as in the node; tensors as `TensorProto`.

    Returns:
        One array for each output, or None when the operator is not in the table or the values do not fit it.
    """
    rule = _RULES.get(operator)
    if rule is None:
        return None
    try:
        with np.errstate(all="ignore"):
            result = rule(inputs, attributes)
    except (ValueError, TypeError, IndexError, KeyError, OverflowError, ZeroDivisionError, AttributeError, MemoryError):
        return None  # ill-formed: shape inference will say what is wrong, or leave the shape open
    outputs = tuple(np.asarray(item) for item in (result if isinstance(result, list) else [result]))
    return outputs if all(output.size <= SMALL_ELEMENTS for output in outputs) else None


def _limited(shape: Sequence[int]) -> tuple[int, ...]:
    sizes = tuple(int(size) for size in shape)
    if min(sizes, default=0) < 0 or prod(sizes) > SMALL_ELEMENTS:
        raise _TooLargeError
    return sizes


def _axes(inputs: Inputs, attributes: Mapping[str, Any], at: int = 1) -> tuple[int, ...] | None:
    """Axes from the attribute (old opsets) or from an input (new ones)."""
    if "axes" in attributes:
        return tuple(attributes["axes"])
    if len(inputs) > at and inputs[at] is not None:
        return tuple(int(axis) for axis in inputs[at].reshape(-1))
    return None


def _divide(inputs: Inputs, _: Mapping[str, Any]) -> Array:
    a, b = inputs
    if np.issubdtype(a.dtype, np.integer):
        quotient = np.abs(a) // np.abs(b) * np.sign(a) * np.sign(b)  # ONNX truncates towards zero
        return np.asarray(quotient, dtype=a.dtype)
    return np.asarray(a / b)


def _slice(inputs: Inputs, attributes: Mapping[str, Any]) -> Array:
    data = inputs[0]
    given = [*inputs[1:], *[None] * 4]
    starts = attributes["starts"] if "starts" in attributes else given[0]
    ends = attributes["ends"] if "ends" in attributes else given[1]
    axes = _axes(inputs, attributes, 3) or range(len(starts))
    steps = given[3] if given[3] is not None else [1] * len(starts)
    index: list[slice] = [slice(None)] * data.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        index[axis] = slice(*_bounds(int(start), int(end), int(step), data.shape[axis]))
    return np.asarray(data[tuple(index)])


def _bounds(start: int, end: int, step: int, size: int) -> tuple[int, int | None, int]:
    """A Python slice's bounds; an end before the first element of a backward slice is None."""
    start = start + size if start < 0 else start
    end = end + size if end < 0 else end
    if step > 0:
        return max(start, 0), max(end, 0), step
    return min(start, size - 1), None if end < 0 else end, step


def _unsqueeze(inputs: Inputs, attributes: Mapping[str, Any]) -> Array:
    return np.expand_dims(inputs[0], _axes(inputs, attributes) or ())


def _squeeze(inputs: Inputs, attributes: Mapping[str, Any]) -> Array:
    return np.asarray(np.squeeze(inputs[0], _axes(inputs, attributes)))


def _reshape(inputs: Inputs, attributes: Mapping[str, Any]) -> Array:
    data, wanted = inputs[0], [int(size) for size in inputs[1]]
    if not attributes.get("allowzero", 0):
        wanted = [data.shape[axis] if size == 0 else size for axis, size in enumerate(wanted)]
    return np.reshape(data, wanted)


def _constant_of_shape(inputs: Inputs, attributes: Mapping[str, Any]) -> Array:
    shape = _limited(inputs[0].reshape(-1))
    value = numpy_helper.to_array(attributes["value"]) if "value" in attributes else np.zeros(1, dtype=np.float32)
    return np.asarray(np.full(shape, value.reshape(-1)[0], dtype=value.dtype))


def _range(inputs: Inputs, _: Mapping[str, Any]) -> Array:
    start, limit, delta = (item.reshape(-1)[0] for item in inputs)
    count = max(ceil((limit.item() - start.item()) / delta.item()), 0)
    _limited([count])
    return np.asarray(start + np.arange(count).astype(start.dtype) * delta, dtype=start.dtype)


def _expand(inputs: Inputs, _: Mapping[str, Any]) -> Array:
    shape = _limited(np.broadcast_shapes(inputs[0].shape, tuple(int(size) for size in inputs[1])))
    return np.array(np.broadcast_to(inputs[0], shape))


def _tile(inputs: Inputs, _: Mapping[str, Any]) -> Array:
    repeats = [int(times) for times in inputs[1]]
    _limited([size * times for size, times in zip(inputs[0].shape, repeats, strict=True)])
    return np.tile(inputs[0], repeats)


def _cast(inputs: Inputs, attributes: Mapping[str, Any]) -> Array:
    return np.asarray(inputs[0].astype(helper.tensor_dtype_to_np_dtype(int(attributes["to"]))))


def _split(inputs: Inputs, attributes: Mapping[str, Any]) -> list[Array]:
    sizes = attributes["split"] if "split" in attributes else inputs[1]
    return list(np.split(inputs[0], np.cumsum(sizes)[:-1], axis=int(attributes.get("axis", 0))))


def _clip(inputs: Inputs, attributes: Mapping[str, Any]) -> Array:
    bounds = [*inputs[1:], None, None][:2]
    low = attributes.get("min", bounds[0])
    high = attributes.get("max", bounds[1])
    return np.asarray(np.clip(inputs[0], low, high), dtype=inputs[0].dtype)


def _reduction(function: Callable[..., Any]) -> _Rule:
    def reduce(inputs: Inputs, attributes: Mapping[str, Any]) -> Array:
        axes = _axes(inputs, attributes)
        if not axes and attributes.get("noop_with_empty_axes", 0):
            return np.asarray(inputs[0])
        keep = bool(attributes.get("keepdims", 1))
        return np.asarray(function(inputs[0], axis=axes or None, keepdims=keep), dtype=inputs[0].dtype)

    return reduce


def _many(function: Callable[..., Any]) -> _Rule:
    def accumulate(inputs: Inputs, _: Mapping[str, Any]) -> Array:
        result = inputs[0]
        for item in inputs[1:]:
            result = function(result, item)
        return np.asarray(result)

    return accumulate


def _plain(function: Callable[..., Any]) -> _Rule:
    """An element-wise function of all inputs; it keeps the type unless it is a comparison."""
    return lambda inputs, _: np.asarray(function(*inputs))


def _rounding(function: Callable[..., Any]) -> _Rule:
    return lambda inputs, _: np.asarray(function(inputs[0]), dtype=inputs[0].dtype)


_RULES: dict[str, _Rule] = {
    "Abs": _plain(np.abs), "Add": _plain(np.add), "And": _plain(np.logical_and), "Cast": _cast,
    "Ceil": _rounding(np.ceil), "Clip": _clip, "Concat": lambda x, a: np.concatenate(list(x), axis=int(a["axis"])),
    "ConstantOfShape": _constant_of_shape, "Div": _divide, "Equal": _plain(np.equal), "Exp": _rounding(np.exp),
    "Expand": _expand, "Floor": _rounding(np.floor),
    "Gather": lambda x, a: np.take(x[0], x[1], axis=int(a.get("axis", 0))),
    "Greater": _plain(np.greater), "GreaterOrEqual": _plain(np.greater_equal), "Identity": lambda x, _: x[0],
    "Less": _plain(np.less), "LessOrEqual": _plain(np.less_equal), "Log": _rounding(np.log),
    "Max": _many(np.maximum), "Min": _many(np.minimum), "Mod": lambda x, a: (np.fmod if a.get("fmod") else np.mod)(*x),
    "Mul": _plain(np.multiply), "Neg": _plain(np.negative), "Not": _plain(np.logical_not),
    "Or": _plain(np.logical_or), "Pow": lambda x, _: np.asarray(np.power(*x), dtype=x[0].dtype), "Range": _range,
    "ReduceMax": _reduction(np.max), "ReduceMin": _reduction(np.min), "ReduceProd": _reduction(np.prod),
    "ReduceSum": _reduction(np.sum), "Reshape": _reshape, "Round": _rounding(np.round), "Slice": _slice,
    "Split": _split, "Sqrt": _rounding(np.sqrt), "Squeeze": _squeeze, "Sub": _plain(np.subtract), "Tile": _tile,
    "Transpose": lambda x, a: np.transpose(x[0], a.get("perm")), "Unsqueeze": _unsqueeze,
    "Where": _plain(np.where), "Xor": _plain(np.logical_xor),
}  # fmt: skip

"""Sizes that contradict each other where onnx's inference does not look, and no runtime could run the node.

Sizes that are not known contradict nothing. Operators whose inputs onnx compares itself are not here.
"""

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

from latcast.schema import InvalidModelError
from profilers.onnx_graph.shapes.einsum import labels_of, terms_of
from profilers.onnx_graph.source import Operation
from profilers.onnx_graph.values import Dims, Value

__all__ = ["refuse_contradictions"]

Inputs = Sequence["Value | None"]
Plain = Mapping[str, Any]
Check = Callable[[Inputs, Sequence[Value], Plain], "str | None"]
"""What contradicts itself in a node's sizes, as the end of a sentence; None where nothing does."""

BROADCAST_SINCE = 7
_DOMAINS = {"FusedConv": "com.microsoft"}
_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def refuse_contradictions(operation: Operation, inputs: Inputs, outputs: Sequence[Value], *, opset: int) -> None:
    """Compare the sizes of a node; of ai.onnx as of the opset from which operators broadcast as today.

    Raises:
        InvalidModelError: no runtime could run it; the message is the end of a sentence about the node.
    """
    check = _CHECKS.get(operation.operator)
    if check is None or operation.domain != _DOMAINS.get(operation.operator, "") or opset < BROADCAST_SINCE:
        return
    problem = check(inputs, outputs, operation.plain)
    if problem is not None:
        raise InvalidModelError(problem)


def _full(values: Inputs, at: int) -> tuple[int, ...] | None:
    """Sizes of an input or output, where all are known."""
    value = values[at] if at < len(values) else None
    return None if value is None else value.shape


def _listed(dims: Dims) -> str:
    return str(list(dims))


def _reshape(inputs: Inputs, outputs: Sequence[Value], _: Plain) -> str | None:
    before, after = _full(inputs, 0), _full(outputs, 0)
    if before is None or after is None or prod(before) == prod(after):
        return None
    return f"the {prod(before):,} elements of {_listed(before)} do not make {_listed(after)}"


def _convolution(x_at: int, w_at: int, bias_at: int) -> Check:
    """Channels are those of the filters times the groups; W is (M, C/groups, k…)."""

    def check(inputs: Inputs, outputs: Sequence[Value], plain: Plain) -> str | None:
        x, w, bias = (_full(inputs, at) for at in (x_at, w_at, bias_at))
        if x is None or w is None or len(x) != len(w) or len(x) < 3:
            return None
        groups, window = int(plain.get("group", 1)), tuple(plain.get("kernel_shape", w[2:]))
        if x[1] != w[1] * groups:
            return f"its input has {x[1]} channels, but its filters {w[1]} in each of {groups} groups"
        if groups < 1 or w[0] % groups:
            return f"its {w[0]} filters cannot be shared out among {groups} groups"
        if window != w[2:]:
            return f"its kernel_shape is {_listed(window)}, but its filters are {_listed(w[2:])}"
        return _bias(bias, w[0]) or _too_small(x, outputs)

    return check


def _transposed_convolution(inputs: Inputs, outputs: Sequence[Value], plain: Plain) -> str | None:
    """W is (C, M/groups, k…)."""
    x, w, bias = (_full(inputs, at) for at in range(3))
    if x is None or w is None or len(x) != len(w) or len(x) < 3:
        return None
    groups = int(plain.get("group", 1))
    if x[1] != w[0] or groups < 1 or w[0] % groups:
        return f"its input has {x[1]} channels, but its filters are for {w[0]} in {groups} groups"
    return _bias(bias, w[1] * groups) or _too_small(x, outputs)


def _bias(bias: tuple[int, ...] | None, channels: int) -> str | None:
    if bias is None or bias == (channels,):
        return None
    return f"its bias is {_listed(bias)}, but there are {channels} channels"


def _too_small(x: tuple[int, ...], outputs: Sequence[Value]) -> str | None:
    y = _full(outputs, 0)
    if y is None or 0 in x or 0 not in y:
        return None
    return f"its input {_listed(x)} is smaller than its window: nothing would be left"


def _channelwise(first: int, last: int) -> Check:
    """Scales and biases at these positions have an element for each channel, the second axis."""

    def check(inputs: Inputs, _: Sequence[Value], __: Plain) -> str | None:
        x = _full(inputs, 0)
        for at in range(first, last + 1):
            vector = _full(inputs, at)
            if x is not None and len(x) > 1 and vector is not None and vector != x[1:2]:
                return f"its input {at} is {_listed(vector)}, but there are {x[1]} channels"
        return None

    return check


def _group_normalization(inputs: Inputs, _: Sequence[Value], plain: Plain) -> str | None:
    x, groups = _full(inputs, 0), int(plain.get("num_groups", 1))
    if x is None or len(x) < 2 or (groups > 0 and x[1] % groups == 0):
        return None
    return f"its {x[1]} channels cannot be shared out among {groups} groups"


def _layer_normalization(inputs: Inputs, _: Sequence[Value], plain: Plain) -> str | None:
    x, axis = _full(inputs, 0), int(plain.get("axis", -1))
    if x is None or not -len(x) <= axis < len(x):
        return None
    return next((problem for at in (1, 2) if (problem := _spread(_full(inputs, at), x, f"input {at}"))), None)


def _spread_over(at: int) -> Check:
    """An input that is broadcast over the output, and not the other way round."""

    def check(inputs: Inputs, outputs: Sequence[Value], _: Plain) -> str | None:
        whole = _full(outputs, 0)
        return None if whole is None else _spread(_full(inputs, at), whole, f"input {at}")

    return check


def _spread(part: tuple[int, ...] | None, whole: tuple[int, ...], name: str) -> str | None:
    if part is None:
        return None
    padded = (1,) * (len(whole) - len(part)) + part
    if len(part) <= len(whole) and all(size in (1, over) for size, over in zip(padded, whole, strict=True)):
        return None
    return f"its {name}, {_listed(part)}, cannot be spread over {_listed(whole)}"


def _recurrent(gates: int) -> Check:
    """W is (directions, gates × hidden, inputs), R is (directions, gates × hidden, hidden)."""

    def check(inputs: Inputs, _: Sequence[Value], plain: Plain) -> str | None:
        x, w, r = (_full(inputs, at) for at in range(3))
        if x is None or w is None or r is None or not len(x) == len(w) == len(r) == 3:
            return None
        hidden = int(plain.get("hidden_size", r[2]))
        if x[2] != w[2]:
            return f"its input has {x[2]} features, but its weights are for {w[2]}"
        if r[2] != hidden or not w[1] == r[1] == gates * hidden:
            return f"weights {_listed(w)} and {_listed(r)} do not fit {hidden} units"
        return None

    return check


def _blocks(position: str) -> Check:
    """DepthToSpace and SpaceToDepth: channels, or rows and columns, come in whole blocks."""

    def check(inputs: Inputs, _: Sequence[Value], plain: Plain) -> str | None:
        x, block = _full(inputs, 0), int(plain.get("blocksize", 1))
        if x is None or len(x) != 4 or block < 1:
            return None
        parts = [(x[1], block * block)] if position == "channels" else [(x[2], block), (x[3], block)]
        if all(size % by == 0 for size, by in parts):
            return None
        return f"the sizes {_listed(x)} cannot be divided into blocks of {block}"

    return check


def _einsum(inputs: Inputs, _: Sequence[Value], plain: Plain) -> str | None:
    sizes: dict[str, int] = {}
    for at, term in enumerate(terms_of(str(plain.get("equation", "")))):
        shape = _full(inputs, at) or ()
        for label, size in zip(labels_of(term, len(shape)), shape, strict=False):
            first = sizes.setdefault(label, size)
            if size != first and 1 not in (size, first):
                return f"the label {label!r} has the sizes {first} and {size}"
    return None


def _scatter_elements(inputs: Inputs, _: Sequence[Value], __: Plain) -> str | None:
    indices, updates = _full(inputs, 1), _full(inputs, 2)
    if indices is None or updates is None or indices == updates:
        return None
    return f"its indices are {_listed(indices)}, but its updates {_listed(updates)}"


_CHECKS: Mapping[str, Check] = {
    "Conv": _convolution(0, 1, 2), "ConvInteger": _convolution(0, 1, 99), "ConvTranspose": _transposed_convolution,
    "DepthToSpace": _blocks("channels"), "Einsum": _einsum, "FusedConv": _convolution(0, 1, 2),
    "Gemm": _spread_over(2), "GroupNormalization": _group_normalization, "InstanceNormalization": _channelwise(1, 2),
    "LayerNormalization": _layer_normalization, "PRelu": _spread_over(1), "QLinearConv": _convolution(0, 3, 8),
    "Reshape": _reshape, "ScatterElements": _scatter_elements, "SpaceToDepth": _blocks("pixels"),
    **{operator: _recurrent(gates) for operator, gates in _GATES.items()},
}  # fmt: skip
"""By operator."""

"""Sizes that contradict each other where onnx's inference does not look, and no runtime could run the node.

Sizes that are not known contradict nothing. Operators whose inputs onnx compares itself are not here. What attributes
and constants say is looked at in modules of their own.
"""

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

from latcast.schema import InvalidModelError
from latcast.schema.counting import counted
from profilers.onnx_graph.shapes.attribute_values import odd_attribute
from profilers.onnx_graph.shapes.constant_inputs import READS_VALUES, odd_constant
from profilers.onnx_graph.shapes.einsum import labels_of, terms_of
from profilers.onnx_graph.shapes.windows import SLIDING, misfit
from profilers.onnx_graph.source import Operation
from profilers.onnx_graph.values import Dims, Value

__all__ = ["refuse_contradictions"]

Inputs = Sequence["Value | None"]
Plain = Mapping[str, Any]
Check = Callable[[Inputs, Sequence[Value], Plain], "str | None"]
"""What contradicts itself in a node's sizes, as the end of a sentence; None where nothing does."""

BROADCAST_SINCE = 7
_DOMAINS = dict.fromkeys(
    ("Attention", "BiasGelu", "FusedConv", "GroupQueryAttention", "MatMulNBits", "MultiHeadAttention",
     "SkipLayerNormalization", "SkipSimplifiedLayerNormalization"), "com.microsoft",
)  # fmt: skip
_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def refuse_contradictions(operation: Operation, inputs: Inputs, outputs: Sequence[Value], *, opset: int) -> None:
    """Compare the sizes of a node, and look at its attributes and constants; sizes of ai.onnx as of the opset from
    which operators broadcast as today.

    Raises:
        InvalidModelError: no runtime could run it; the message is the end of a sentence about the node.
    """
    problem = _problem(operation, inputs, outputs, opset)
    if problem is not None:
        raise InvalidModelError(problem)


def _problem(operation: Operation, inputs: Inputs, outputs: Sequence[Value], opset: int) -> str | None:
    operator, plain = operation.operator, operation.plain
    first = inputs[0] if inputs else None
    problem = odd_attribute(operation, None if first is None or first.dims is None else len(first.dims))
    if problem is not None:
        return problem
    if operation.domain == _DOMAINS.get(operator, ""):
        check = _CHECKS.get(operator) if opset >= BROADCAST_SINCE else None
        problem = check(inputs, outputs, plain) if check else None
        if problem is None and operator in SLIDING:
            problem = misfit(operator, inputs, plain)
        if problem is None and operator in READS_VALUES:
            problem = odd_constant(operator, inputs, plain)
    return problem


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
    return f"the {counted(prod(before), 'element')} of {_listed(before)} do not make {_listed(after)}"


def _convolution(x_at: int, w_at: int, bias_at: int) -> Check:
    """Channels are those of the filters times the groups; W is (M, C/groups, k…)."""

    def check(inputs: Inputs, _: Sequence[Value], plain: Plain) -> str | None:
        x, w, bias = (_full(inputs, at) for at in (x_at, w_at, bias_at))
        if x is None or w is None or len(x) != len(w) or len(x) < 3:
            return None
        groups, window = int(plain.get("group", 1)), tuple(plain.get("kernel_shape", w[2:]))
        if x[1] != w[1] * groups:
            return (
                f"its input has {counted(x[1], 'channel')}, but its filters {w[1]} in each of "
                f"{counted(groups, 'group')}"
            )
        if groups < 1 or w[0] % groups:
            return f"its {counted(w[0], 'filter')} cannot be shared out among {counted(groups, 'group')}"
        if window != w[2:]:
            return f"its kernel_shape is {_listed(window)}, but its filters are {_listed(w[2:])}"
        return _bias(bias, w[0])

    return check


def _transposed_convolution(inputs: Inputs, _: Sequence[Value], plain: Plain) -> str | None:
    """W is (C, M/groups, k…)."""
    x, w, bias = (_full(inputs, at) for at in range(3))
    if x is None or w is None or len(x) != len(w) or len(x) < 3:
        return None
    groups = int(plain.get("group", 1))
    if x[1] != w[0] or groups < 1 or w[0] % groups:
        return f"its input has {counted(x[1], 'channel')}, but its filters are for {w[0]} in {counted(groups, 'group')}"
    if (window := tuple(plain.get("kernel_shape", w[2:]))) != w[2:]:
        return f"its kernel_shape is {_listed(window)}, but its filters are {_listed(w[2:])}"
    return _bias(bias, w[1] * groups)


def _bias(bias: tuple[int, ...] | None, channels: int) -> str | None:
    if bias is None or bias == (channels,):
        return None
    return f"its bias is {_listed(bias)}, but there are {counted(channels, 'channel')}"


def _channelwise(first: int, last: int) -> Check:
    """Scales and biases at these positions have an element for each channel, the second axis."""

    def check(inputs: Inputs, _: Sequence[Value], __: Plain) -> str | None:
        x = _full(inputs, 0)
        for at in range(first, last + 1):
            vector = _full(inputs, at)
            if x is not None and len(x) > 1 and vector is not None and vector != x[1:2]:
                return f"its input {at} is {_listed(vector)}, but there are {counted(x[1], 'channel')}"
        return None

    return check


def _group_normalization(inputs: Inputs, _: Sequence[Value], plain: Plain) -> str | None:
    x, groups = _full(inputs, 0), int(plain.get("num_groups", 1))
    if x is None or len(x) < 2 or (groups > 0 and x[1] % groups == 0):
        return None
    return f"its {counted(x[1], 'channel')} cannot be shared out among {counted(groups, 'group')}"


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
    """W is (directions, gates × hidden, inputs), R is (directions, gates × hidden, hidden), B is (directions, 2 × gates
    × hidden), lengths are (batch,).
    """

    def check(inputs: Inputs, _: Sequence[Value], plain: Plain) -> str | None:
        x, w, r = (_full(inputs, at) for at in range(3))
        if x is None or w is None or r is None or not len(x) == len(w) == len(r) == 3:
            return None
        hidden = int(plain.get("hidden_size", r[2]))
        if x[2] != w[2]:
            return f"its input has {counted(x[2], 'feature')}, but its weights are for {w[2]}"
        if r[2] != hidden or not w[1] == r[1] == gates * hidden:
            return f"weights {_listed(w)} and {_listed(r)} do not fit {counted(hidden, 'unit')}"
        directions = 2 if plain.get("direction") == "bidirectional" else 1
        if not w[0] == r[0] == directions:
            return f"weights {_listed(w)} and {_listed(r)} do not fit {directions} direction{'s' * (directions > 1)}"
        bias, lengths = _full(inputs, 3), _full(inputs, 4)
        if bias is not None and bias != (directions, 2 * gates * hidden):
            return f"its bias is {_listed(bias)}, instead of {_listed((directions, 2 * gates * hidden))}"
        batch = x[0] if plain.get("layout", 0) else x[1]
        return (
            None
            if lengths in (None, (batch,))
            else f"its lengths are {_listed(lengths)} for {counted(batch, 'sequence')}"
        )

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


def _gather_elements(inputs: Inputs, _: Sequence[Value], plain: Plain) -> str | None:
    data, indices = _full(inputs, 0), _full(inputs, 1)
    if data is None or indices is None:
        return None
    axis = int(plain.get("axis", 0)) % max(len(data), 1)
    fits = len(data) == len(indices) and all(at == axis or size <= data[at] for at, size in enumerate(indices))
    return None if fits else f"its indices are {_listed(indices)}, but its data {_listed(data)}"


def _scatter_nd(inputs: Inputs, _: Sequence[Value], __: Plain) -> str | None:
    """Indices are (…, k), updates (…, and the data's sizes from k on)."""
    data, indices, updates = (_full(inputs, at) for at in range(3))
    if data is None or not indices:
        return None
    if indices[-1] > len(data):
        return f"its indices {_listed(indices)} name more dimensions than there are in {_listed(data)}"
    wanted = (*indices[:-1], *data[indices[-1] :])
    return None if updates in (None, wanted) else f"its updates are {_listed(updates)}, instead of {_listed(wanted)}"


def _last(at: int, size: int) -> Check:
    """The last axis of an input has this size."""

    def check(inputs: Inputs, _: Sequence[Value], __: Plain) -> str | None:
        shape = _full(inputs, at)
        return None if not shape or shape[-1] == size else f"its input {at} is {_listed(shape)}, instead of (…, {size})"

    return check


def _permutation(inputs: Inputs, _: Sequence[Value], plain: Plain) -> str | None:
    x, perm = _full(inputs, 0), plain.get("perm")
    if x is None or perm is None or sorted(perm) == list(range(len(x))):
        return None
    return f"its perm {_listed(perm)} does not order the {counted(len(x), 'dimension')}"


def _quantisation(inputs: Inputs, _: Sequence[Value], plain: Plain) -> str | None:
    """Scales are one for all, one for each place along an axis, or one for each block along it."""
    x, scale = _full(inputs, 0), _full(inputs, 1)
    axis, block = int(plain.get("axis", 1)), int(plain.get("block_size", 0))
    if x is None or scale is None or (not block and prod(scale) == 1):
        return None
    if not -len(x) <= axis < len(x):
        return f"its axis is {axis}, but there are {counted(len(x), 'dimension')}"
    axis %= len(x)
    zeros = _full(inputs, 2)
    if zeros not in (None, scale):
        return f"its scales are {_listed(scale)}, but its zero points {_listed(zeros)}"
    wanted = tuple(-(-size // block) if at == axis else size for at, size in enumerate(x)) if block else (x[axis],)
    return None if scale == wanted else f"its scales are {_listed(scale)}, instead of {_listed(wanted)}"


def _sequences(inputs: Inputs, _: Sequence[Value], plain: Plain) -> str | None:
    x, lengths = _full(inputs, 0), _full(inputs, 1)
    if x is None or len(x) < 2 or lengths is None:
        return None
    batch, time = int(plain.get("batch_axis", 1)), int(plain.get("time_axis", 0))
    if batch == time:
        return f"its batch_axis and its time_axis are both {batch}"
    return None if lengths == (x[batch],) else f"its lengths are {_listed(lengths)} for {counted(x[batch], 'sequence')}"


def _split_outputs(inputs: Inputs, outputs: Sequence[Value], plain: Plain) -> str | None:
    """All parts but the last are of one size, which is rounded up."""
    x, parts, axis = _full(inputs, 0), plain.get("num_outputs"), int(plain.get("axis", 0))
    if parts is None:
        return None
    if parts != len(outputs):
        return f"it has {counted(len(outputs), 'output')}, but its num_outputs is {parts}"
    if x is None or not -len(x) <= axis < len(x) or -(-x[axis] // parts) * (parts - 1) <= x[axis]:
        return None
    return f"{counted(x[axis], 'element')} cannot be shared out among {counted(parts, 'part')}"


def _uniform(_: Inputs, __: Sequence[Value], plain: Plain) -> str | None:
    low, high = float(plain.get("low", 0.0)), float(plain.get("high", 1.0))
    return None if low <= high else f"its low is {low}, and its high {high}"


def _heads(inputs: Inputs, _: Sequence[Value], plain: Plain) -> str | None:
    """The query of (batch, tokens, hidden) is shared out among the heads; the key is as wide as it."""
    query, key, heads = _full(inputs, 0), _full(inputs, 1), int(plain.get("num_heads", 1))
    if query is None or len(query) != 3 or key is None or len(key) != 3 or heads < 1:
        return None
    if query[2] % heads:
        return f"its {counted(query[2], 'feature')} cannot be shared out among {counted(heads, 'head')}"
    keys = int(plain.get("kv_num_heads", heads))
    return None if key[2] * heads == query[2] * keys else f"its query is {_listed(query)}, but its key {_listed(key)}"


def _joint_attention(inputs: Inputs, _: Sequence[Value], plain: Plain) -> str | None:
    """X is (batch, tokens, in), W is (in, 3 × hidden)."""
    x, w, heads = _full(inputs, 0), _full(inputs, 1), int(plain.get("num_heads", 1))
    if x is None or w is None or len(x) != 3 or len(w) != 2 or heads < 1:
        return None
    if x[2] != w[0]:
        return f"its input has {counted(x[2], 'feature')}, but its weights are for {w[0]}"
    if "qkv_hidden_sizes" in plain or w[1] % (3 * heads) == 0:
        return None
    return f"its weights {_listed(w)} cannot be shared out among queries, keys and values of {counted(heads, 'head')}"


def _as_wide(at: int) -> Check:
    """An input has an element for each place of the last axis of the first one."""

    def check(inputs: Inputs, _: Sequence[Value], __: Plain) -> str | None:
        x, vector = _full(inputs, 0), _full(inputs, at)
        if not x or vector is None or vector == x[-1:]:
            return None
        return f"its input {at} is {_listed(vector)}, but its features are {x[-1]}"

    return check


def _blocked_matmul(inputs: Inputs, _: Sequence[Value], plain: Plain) -> str | None:
    """X is (…, K), packed weights are (N, blocks, bytes of a block)."""
    x, w = _full(inputs, 0), _full(inputs, 1)
    if x and x[-1] != plain.get("K", x[-1]):
        return f"its input has {counted(x[-1], 'feature')}, but its K is {plain['K']}"
    if w and w[0] != plain.get("N", w[0]):
        return f"its weights are {_listed(w)}, but its N is {plain['N']}"
    return None


def _scatter_elements(inputs: Inputs, _: Sequence[Value], plain: Plain) -> str | None:
    indices, updates = _full(inputs, 1), _full(inputs, 2)
    if indices is not None and updates is not None and indices != updates:
        return f"its indices are {_listed(indices)}, but its updates {_listed(updates)}"
    return _gather_elements(inputs, _, plain)


_CHECKS: Mapping[str, Check] = {
    "Attention": _joint_attention, "BiasGelu": _as_wide(1), "Conv": _convolution(0, 1, 2),
    "ConvInteger": _convolution(0, 1, 99), "ConvTranspose": _transposed_convolution,
    "DepthToSpace": _blocks("channels"), "DequantizeLinear": _quantisation, "Einsum": _einsum,
    "FusedConv": _convolution(0, 1, 2), "GatherElements": _gather_elements, "Gemm": _spread_over(2),
    "GroupNormalization": _group_normalization, "GroupQueryAttention": _heads,
    "InstanceNormalization": _channelwise(1, 2), "LayerNormalization": _layer_normalization,
    "MatMulNBits": _blocked_matmul, "MultiHeadAttention": _heads, "NonMaxSuppression": _last(0, 4),
    "PRelu": _spread_over(1), "QLinearConv": _convolution(0, 3, 8), "QuantizeLinear": _quantisation,
    "RandomUniform": _uniform, "RandomUniformLike": _uniform, "Reshape": _reshape, "ReverseSequence": _sequences,
    "RoiAlign": _last(1, 4), "ScatterElements": _scatter_elements, "ScatterND": _scatter_nd,
    "SkipLayerNormalization": _as_wide(2), "SkipSimplifiedLayerNormalization": _as_wide(2),
    "SpaceToDepth": _blocks("pixels"), "Split": _split_outputs, "Transpose": _permutation,
    **{operator: _recurrent(gates) for operator, gates in _GATES.items()},
}  # fmt: skip
"""By operator."""

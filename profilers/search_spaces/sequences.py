"""Layers of networks over sequences: normalisation, attention, recurrence. Tokens are (batch, length, features)."""

from math import prod
from typing import Any

from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.layers import activation, add, linear, mean, reshape, transpose, unsqueeze

__all__ = [
    "attention",
    "causal_mask",
    "embedding",
    "feed_forward",
    "gated_feed_forward",
    "layer_norm",
    "matmul",
    "padding_mask",
    "recurrent",
    "rms_norm",
    "slice_axis",
    "softmax",
    "split",
    "squeeze",
]

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def matmul(net: GraphBuilder, x: Tensor, y: Tensor) -> Tensor:
    """Product over the last two axes; the leading ones are equal."""
    shape = (*x.shape[:-1], y.shape[-1])
    return net.op("MatMul", [x, y], shape, macs=prod(shape) * x.shape[-1])


def softmax(net: GraphBuilder, x: Tensor) -> Tensor:
    """Softmax over the last axis (which every opset computes alike)."""
    return net.op("Softmax", [x], axis=-1)


def squeeze(net: GraphBuilder, x: Tensor, axis: int) -> Tensor:
    """The tensor without an axis of size 1 (an attribute before opset 13, an input since)."""
    shape = (*x.shape[:axis], *x.shape[axis + 1 :])
    if net.style.opset < 13:
        return net.op("Squeeze", [x], shape, dtype=x.dtype, axes=(axis,))
    return net.op("Squeeze", [x, net.constant([axis])], shape, dtype=x.dtype)


def split(net: GraphBuilder, x: Tensor, parts: int, axis: int) -> tuple[Tensor, ...]:
    """Equal parts along an axis (sizes are an attribute before opset 13, an input since)."""
    size = x.shape[axis] // parts
    shape = [size if place == axis else other for place, other in enumerate(x.shape)]
    if net.style.opset < 13:
        return net.ops("Split", [x], [shape] * parts, axis=axis, split=(size,) * parts)
    return net.ops("Split", [x, net.constant([size] * parts)], [shape] * parts, axis=axis)


def slice_axis(net: GraphBuilder, x: Tensor, start: int, stop: int, *, axis: int, step: int = 1) -> Tensor:
    """Elements start, start + step, … before stop along an axis."""
    size = len(range(start, stop, step))
    shape = [size if place == axis else other for place, other in enumerate(x.shape)]
    bounds = [net.constant([number]) for number in (start, stop, axis, step)]
    return net.op("Slice", [x, *bounds], shape, dtype=x.dtype)


def layer_norm(net: GraphBuilder, x: Tensor) -> Tensor:
    """Layer normalisation over the last axis (Ba et al. 2016), one operator since opset 17."""
    size = x.shape[-1]
    scale, shift = net.weight(size, role="scale"), net.weight(size)
    if net.style.opset >= 17 and not net.style.parts:
        return net.op("LayerNormalization", [x, scale, shift], axis=-1, epsilon=1e-5)
    axis = len(x.shape) - 1
    centred = net.op("Sub", [x, mean(net, x, [axis], keepdims=True)])
    variance = mean(net, net.op("Pow", [centred, net.scalar(2.0)]), [axis], keepdims=True)
    deviation = net.op("Sqrt", [net.op("Add", [variance, net.scalar(1e-5)])])
    return net.op("Add", [net.op("Mul", [net.op("Div", [centred, deviation]), scale]), shift])


def rms_norm(net: GraphBuilder, x: Tensor) -> Tensor:
    """Root-mean-square normalisation over the last axis (Zhang & Sennrich 2019)."""
    axis = len(x.shape) - 1
    square = mean(net, net.op("Pow", [x, net.scalar(2.0)]), [axis], keepdims=True)
    root = net.op("Sqrt", [net.op("Add", [square, net.scalar(1e-6)])])
    inverse = net.op("Reciprocal", [root])
    return net.op("Mul", [net.op("Mul", [x, inverse]), net.weight(x.shape[-1], role="scale")])


def embedding(net: GraphBuilder, ids: Tensor, entries: int, features: int) -> Tensor:
    """Rows of a table, looked up by integers."""
    return net.op("Gather", [net.weight(entries, features), ids], (*ids.shape, features), axis=0)


def _heads(net: GraphBuilder, x: Tensor, heads: int, *, last: bool = False) -> Tensor:
    """(batch, length, features) to (batch, heads, length, size), or with `last` to (batch, heads, size, length)."""
    batch, length, features = x.shape
    y = reshape(net, x, (batch, length, heads, features // heads))
    return transpose(net, y, (0, 2, 3, 1) if last else (0, 2, 1, 3))


def _rotate(net: GraphBuilder, x: Tensor) -> Tensor:
    """Rotary positions (Su et al. 2021) of (batch, heads, length, size), as LLaMA exports write them."""
    half = x.shape[-1] // 2
    first, second = slice_axis(net, x, 0, half, axis=3), slice_axis(net, x, half, 2 * half, axis=3)
    turned = net.op("Concat", [net.op("Neg", [second]), first], x.shape, axis=3)
    cosine, sine = net.weight(1, 1, *x.shape[2:]), net.weight(1, 1, *x.shape[2:])
    return add(net, net.op("Mul", [x, cosine]), net.op("Mul", [turned, sine]))


def attention(
    net: GraphBuilder, x: Tensor, heads: int, *, mask: Tensor | None = None, fused: bool = True, rotary: bool = False
) -> Tensor:
    """Multi-head self-attention (Vaswani et al. 2017) with its projections.

    Args:
        net: where to write.
        x: (batch, length, features).
        heads: divides the features.
        mask: added to the scores (batch, heads, length, length), broadcast.
        fused: one projection to queries, keys and values together, else three.
        rotary: rotate queries and keys by position.
    """
    features = x.shape[-1]
    if fused:
        query, key, value = split(net, linear(net, x, 3 * features), 3, axis=2)
    else:
        query, key, value = (linear(net, x, features) for _ in range(3))
    query, value = _heads(net, query, heads), _heads(net, value, heads)
    if rotary:
        query = _rotate(net, query)
        key = transpose(net, _rotate(net, _heads(net, key, heads)), (0, 1, 3, 2))
    else:
        key = _heads(net, key, heads, last=True)
    scores = net.op("Div", [matmul(net, query, key), net.scalar((features // heads) ** 0.5)])
    if mask is not None:
        scores = net.op("Add", [scores, mask])
    mixed = transpose(net, matmul(net, softmax(net, scores), value), (0, 2, 1, 3))
    return linear(net, reshape(net, mixed, x.shape), features)


def padding_mask(net: GraphBuilder, mask: Tensor) -> Tensor:
    """Integers (batch, length), 1 for tokens and 0 for padding, to addends (batch, 1, 1, length)."""
    shape = (mask.shape[0], 1, 1, mask.shape[1])
    kept = net.op("Cast", [unsqueeze(net, unsqueeze(net, mask, 1), 2)], shape, to=1)
    return net.op("Mul", [net.op("Sub", [net.scalar(1.0), kept], shape), net.scalar(-10000.0)])


def causal_mask(net: GraphBuilder, length: int) -> Tensor:
    """Addends (1, 1, length, length) that let no token see later ones."""
    rows = [[0.0 if column <= row else -10000.0 for column in range(length)] for row in range(length)]
    return net.constant([[rows]], "float32")


def feed_forward(net: GraphBuilder, x: Tensor, hidden: int, act: str) -> Tensor:
    """Two linear layers with an activation between them."""
    return linear(net, activation(net, linear(net, x, hidden), act), x.shape[-1])


def gated_feed_forward(net: GraphBuilder, x: Tensor, hidden: int, act: str) -> Tensor:
    """Gated linear unit (Shazeer 2020): act(xU) · xV, back to the features."""
    gate = activation(net, linear(net, x, hidden, bias=False), act)
    return linear(net, net.op("Mul", [gate, linear(net, x, hidden, bias=False)]), x.shape[-1], bias=False)


def recurrent(net: GraphBuilder, x: Tensor, operator: str, hidden: int, *, bidirectional: bool = False) -> Tensor:
    """One recurrent layer.

    Args:
        net: where to write.
        x: (length, batch, features).
        operator: LSTM, GRU or RNN.
        hidden: size of the state.
        bidirectional: both directions, concatenated.

    Returns:
        (length, batch, directions · hidden).
    """
    length, batch, features = x.shape
    directions, gates = 2 if bidirectional else 1, GATES[operator]
    weights = [
        net.weight(directions, gates * hidden, features),
        net.weight(directions, gates * hidden, hidden),
        net.weight(directions, 2 * gates * hidden),
    ]
    attributes: dict[str, Any] = {"hidden_size": hidden, "direction": "bidirectional" if bidirectional else "forward"}
    if operator == "GRU":
        attributes["linear_before_reset"] = 1  # as PyTorch's and cuDNN's GRU
    macs = length * batch * directions * gates * hidden * (features + hidden)
    y = net.op(operator, [x, *weights], (length, directions, batch, hidden), macs=macs, **attributes)
    return squeeze(net, y, 1) if directions == 1 else _join_directions(net, y)


def _join_directions(net: GraphBuilder, y: Tensor) -> Tensor:
    length, directions, batch, hidden = y.shape
    return reshape(net, transpose(net, y, (0, 2, 1, 3)), (length, batch, directions * hidden))

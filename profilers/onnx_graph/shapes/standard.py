"""Shapes of the commonest operators of ai.onnx, where everything is as usual; whatever is unusual is left to onnx.

A call of onnx for one node serialises the node and all types, which takes as long as thirty of these. Each rule gives
what onnx gives (the tests compare), or None.
"""

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

from onnx import TensorProto

from profilers.onnx_graph.dtypes import dtype_name
from profilers.onnx_graph.shapes.rules import Output
from profilers.onnx_graph.source import Operation
from profilers.onnx_graph.values import Dims, Value

__all__ = ["STANDARD", "STANDARD_SINCE", "VALUE_FREE"]

STANDARD_SINCE = 7
"""First opset that the rules are made for: before, operators broadcast in another way."""

Inputs = Sequence["Value | None"]
Rule = Callable[[Inputs, Operation], "list[Output] | None"]


def _full(inputs: Inputs, at: int) -> tuple[int, ...] | None:
    """Sizes of an input of known type, where all are known."""
    value = inputs[at] if at < len(inputs) else None
    return value.shape if value is not None and value.dtype else None


def _unary(inputs: Inputs, _: Operation) -> list[Output] | None:
    value = inputs[0] if len(inputs) == 1 else None
    return None if value is None or not value.dtype or value.dims is None else [(value.dtype, value.dims)]


def _binary(inputs: Inputs, _: Operation) -> list[Output] | None:
    if len(inputs) != 2:
        return None
    a, b = _full(inputs, 0), _full(inputs, 1)
    if a is None or b is None:
        return None
    dims = a if a == b else _broadcast(a, b)
    return None if dims is None or inputs[0] is None else [(inputs[0].dtype, dims)]


def _compared(inputs: Inputs, operation: Operation) -> list[Output] | None:
    found = _binary(inputs, operation)
    return None if found is None else [("bool", found[0][1])]


def _broadcast(a: tuple[int, ...], b: tuple[int, ...]) -> Dims | None:
    rank = max(len(a), len(b))
    pairs = zip((1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b, strict=True)
    sizes = tuple(y if x == 1 else x if y in (1, x) else -1 for x, y in pairs)
    return None if -1 in sizes else sizes


def _batch_normalization(inputs: Inputs, operation: Operation) -> list[Output] | None:
    """At inference: the shape of X, whose channels all others have."""
    shapes = [_full(inputs, at) for at in range(5)]
    x = shapes[0]
    if len(inputs) != 5 or x is None or len(x) < 2 or operation.plain.get("training_mode", 0):
        return None
    return [(inputs[0].dtype, x)] if all(shape == x[1:2] for shape in shapes[1:]) else None  # type: ignore[union-attr]


def _convolution(inputs: Inputs, operation: Operation) -> list[Output] | None:
    x, w = _full(inputs, 0), _full(inputs, 1)
    plain: Mapping[str, Any] = operation.plain
    if x is None or w is None or len(x) != len(w) or len(x) < 3 or "auto_pad" in plain:
        return None
    window = plain.get("kernel_shape", w[2:])
    sizes = _windows(x[2:], window, plain) if window == w[2:] else None
    return None if sizes is None else [(inputs[0].dtype, (x[0], w[0], *sizes))]  # type: ignore[union-attr]


def _transposed_convolution(inputs: Inputs, operation: Operation) -> list[Output] | None:
    """Where its sizes are given: onnx forgets those that are smaller than the input's."""
    x, w, sizes = _full(inputs, 0), _full(inputs, 1), operation.plain.get("output_shape")
    if x is None or w is None or len(x) != len(w) or not isinstance(sizes, tuple) or len(sizes) != len(x) - 2:
        return None
    channels = w[1] * int(operation.plain.get("group", 1))  # type: ignore[arg-type]
    return [(inputs[0].dtype, (x[0], channels, *map(int, sizes)))]  # type: ignore[union-attr]


def _pool(inputs: Inputs, operation: Operation) -> list[Output] | None:
    x = _full(inputs, 0)
    plain: Mapping[str, Any] = operation.plain
    if x is None or len(x) < 3 or "auto_pad" in plain or plain.get("ceil_mode", 0):
        return None
    sizes = _windows(x[2:], plain.get("kernel_shape", ()), plain)
    return None if sizes is None else [(inputs[0].dtype, (*x[:2], *sizes))]  # type: ignore[union-attr]


def _windows(sizes: tuple[int, ...], window: tuple[int, ...], plain: Mapping[str, Any]) -> list[int] | None:
    """Positions of a window along each axis."""
    rank = len(sizes)
    strides, dilations = plain.get("strides", (1,) * rank), plain.get("dilations", (1,) * rank)
    pads = plain.get("pads", (0,) * (2 * rank))
    if not (len(window) == len(strides) == len(dilations) == rank and len(pads) == 2 * rank):
        return None
    if min(*strides, *dilations, *window) < 1 or min(pads) < 0:
        return None
    found = []
    for at, size in enumerate(sizes):
        room = size + pads[at] + pads[at + rank] - ((window[at] - 1) * dilations[at] + 1)
        if room < 0:
            return None
        found.append(room // strides[at] + 1)
    return found


def _global_pool(inputs: Inputs, _: Operation) -> list[Output] | None:
    x = _full(inputs, 0)
    return None if x is None or len(x) < 3 else [(inputs[0].dtype, (*x[:2], *(1,) * (len(x) - 2)))]  # type: ignore[union-attr]


def _gemm(inputs: Inputs, operation: Operation) -> list[Output] | None:
    a, b = _full(inputs, 0), _full(inputs, 1)
    if a is None or b is None or len(a) != 2 or len(b) != 2:
        return None
    a = a[::-1] if operation.plain.get("transA", 0) else a
    b = b[::-1] if operation.plain.get("transB", 0) else b
    return [(inputs[0].dtype, (a[0], b[1]))] if a[1] == b[0] else None  # type: ignore[union-attr]


def _matmul(inputs: Inputs, _: Operation) -> list[Output] | None:
    a, b = _full(inputs, 0), _full(inputs, 1)
    if a is None or b is None or len(a) < 2 or len(b) < 2 or a[-1] != b[-2]:
        return None
    batch = _broadcast(a[:-2], b[:-2])
    return None if batch is None else [(inputs[0].dtype, (*batch, a[-2], b[-1]))]  # type: ignore[union-attr]


def _transpose(inputs: Inputs, operation: Operation) -> list[Output] | None:
    x = _full(inputs, 0)
    perm = operation.plain.get("perm")
    if x is None or not isinstance(perm, tuple) or sorted(perm) != list(range(len(x))):
        return None
    return [(inputs[0].dtype, tuple(x[int(axis)] for axis in perm))]  # type: ignore[union-attr]


def _concat(inputs: Inputs, operation: Operation) -> list[Output] | None:
    shapes = [_full(inputs, at) for at in range(len(inputs))]
    first, axis = shapes[0] if shapes else None, operation.plain.get("axis")
    if first is None or not isinstance(axis, int) or not -len(first) <= axis < len(first):
        return None
    axis %= len(first)
    total = 0
    for shape in shapes:
        if shape is None or shape[:axis] != first[:axis] or shape[axis + 1 :] != first[axis + 1 :]:
            return None
        total += shape[axis]
    return [(inputs[0].dtype, (*first[:axis], total, *first[axis + 1 :]))]  # type: ignore[union-attr]


def _reshape(inputs: Inputs, operation: Operation) -> list[Output] | None:
    x = _full(inputs, 0)
    wanted = inputs[1].data if len(inputs) == 2 and inputs[1] is not None else None
    if x is None or wanted is None or wanted.ndim != 1 or "shape" in operation.plain:
        return None
    sizes = [int(size) for size in wanted]
    if not operation.plain.get("allowzero", 0):
        sizes = [x[at] if size == 0 and at < len(x) else size for at, size in enumerate(sizes)]
    left = [at for at, size in enumerate(sizes) if size == -1]
    rest = prod(size for size in sizes if size != -1)
    if min(sizes, default=0) < -1 or len(left) > 1 or rest == 0:
        return None
    if left:
        sizes[left[0]] = prod(x) // rest
    return [(inputs[0].dtype, tuple(sizes))] if prod(sizes) == prod(x) else None  # type: ignore[union-attr]


def _spectrogram(inputs: Inputs, operation: Operation) -> list[Output] | None:
    """Half of the bins unless all are asked for; onnx takes that for the exception."""
    x, window = _full(inputs, 0), _full(inputs, 2)
    step, length = (value.data if value else None for value in (*inputs, None, None)[1:4:2])
    frame = int(length.reshape(-1)[0]) if length is not None else window[0] if window else 0
    if x is None or len(x) < 2 or step is None or int(step.reshape(-1)[0]) < 1 or not 0 < frame <= x[1]:
        return None
    bins = frame // 2 + 1 if operation.plain.get("onesided", 1) else frame
    frames = (x[1] - frame) // int(step.reshape(-1)[0]) + 1
    return [(inputs[0].dtype, (x[0], frames, bins, 2))]  # type: ignore[union-attr]


def _constant_of_shape(inputs: Inputs, operation: Operation) -> list[Output] | None:
    sizes = inputs[0].data if inputs and inputs[0] is not None else None
    if sizes is None or sizes.ndim != 1 or sizes.dtype != "int64":
        return None
    dims = tuple(int(size) for size in sizes.tolist())
    value = operation.tensors.get("value")
    code = TensorProto.FLOAT if value is None else value.proto.data_type
    return [(dtype_name(code), dims)] if min(dims, default=0) >= 0 and not operation.plain else None


STANDARD: Mapping[str, Rule] = {
    **dict.fromkeys((
        "Abs", "Ceil", "Cos", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "Identity",
        "LeakyRelu", "Log", "Mish", "Neg", "Not", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign", "Sin",
        "Softplus", "Softsign", "Sqrt", "Tanh"), _unary),
    **dict.fromkeys(("Add", "Div", "Mul", "Pow", "Sub"), _binary),
    **dict.fromkeys(("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"), _compared),
    "AveragePool": _pool, "BatchNormalization": _batch_normalization, "Concat": _concat,
    "ConstantOfShape": _constant_of_shape, "Conv": _convolution, "ConvTranspose": _transposed_convolution,
    "Gemm": _gemm, "GlobalAveragePool": _global_pool, "GlobalMaxPool": _global_pool, "MatMul": _matmul,
    "MaxPool": _pool, "Reshape": _reshape, "STFT": _spectrogram, "Transpose": _transpose,
}  # fmt: skip
"""By operator of ai.onnx, for nodes with one output."""

VALUE_FREE = frozenset({
    *(name for name in STANDARD if name not in {"ConstantOfShape", "Reshape", "STFT"}),
    "Attention", "BiasGelu", "Cast", "Clip", "ConvInteger", "DequantizeLinear",
    "DynamicQuantizeLSTM", "DynamicQuantizeMatMul", "FastGelu", "Flatten", "FusedConv", "FusedGemm", "FusedMatMul",
    "GRU", "Gather", "GroupNormalization", "GroupQueryAttention", "InstanceNormalization", "LSTM",
    "LayerNormalization", "MatMulInteger", "MatMulIntegerToFloat", "MatMulNBits", "MultiHeadAttention", "PRelu",
    "QAttention", "QLinearAdd", "QLinearConv", "QLinearMatMul", "QLinearMul", "QuantizeLinear", "RMSNormalization",
    "RNN", "SimplifiedLayerNormalization", "SkipLayerNormalization", "SkipSimplifiedLayerNormalization", "Softmax",
    "Where",
})  # fmt: skip
"""Operators whose outputs' shapes do not depend on the values of any input."""

"""Work of each operator: multiply-accumulates, floating-point operations and bytes, out of shapes and attributes.

Tables first: `MACS` for matrix-like operators, `OUTPUT_COST` and `INPUT_COST` for operations per output or input
element. Transcendental functions count what a vectorised polynomial takes (exp about 10 operations, tanh 12, erf 16),
so that FLOPs order operators as their run times do. Unknown operators count one operation per output element;
operators that only move data count none. Sizes that depend on data count as nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from math import ceil, log2, prod
from typing import Any, NamedTuple

from profilers.onnx_graph.shapes.einsum import einsum_macs
from profilers.onnx_graph.trees import tree_steps
from profilers.onnx_graph.values import Value

__all__ = ["Work", "node_work"]

Inputs = Sequence["Value | None"]
Outputs = Sequence[Value]
Plain = Mapping[str, Any]


class Work(NamedTuple):
    """What one run of a node does; the fields are those of `latcast.schema.Node`."""

    macs: int
    flops: int
    parameter_bytes: int
    input_bytes: int
    output_bytes: int


def node_work(operator: str, inputs: Inputs, outputs: Outputs, attributes: Plain) -> Work:
    """Work of a node without bodies.

    Args:
        operator: operator type, of any known domain.
        inputs: None for an omitted one.
        outputs: all of them.
        attributes: plain ones.
    """
    matrix = MACS.get(operator)
    macs = matrix(inputs, outputs, attributes) if matrix is not None else 0
    extra = _elementwise(operator, inputs, outputs, attributes)
    written = sum(value.size_bytes for value in outputs)
    parameters, read = _bytes_read(operator, inputs, written)
    return Work(macs, 2 * macs + extra, parameters, read, written)


def _elementwise(operator: str, inputs: Inputs, outputs: Outputs, attributes: Plain) -> int:
    special = SPECIAL.get(operator)
    if special is not None:
        return int(special(inputs, outputs, attributes))
    if operator in INPUT_COST:
        return INPUT_COST[operator] * _size(inputs, 0)
    written = _count(outputs[0]) if outputs else 0
    cost = OUTPUT_COST.get(operator, 0 if operator in MACS else 1)
    if operator in MACS and len(inputs) > BIAS.get(operator, 99) and inputs[BIAS[operator]] is not None:
        cost += 1
    if "activation" in attributes:  # FusedConv, FusedGemm
        cost += OUTPUT_COST.get(str(attributes["activation"]), 1)
    return cost * written


def _bytes_read(operator: str, inputs: Inputs, written: int) -> tuple[int, int]:
    """Bytes of constants and of other tensors, each tensor once; gathering reads no more than it writes."""
    constants = others = 0
    for value in {id(item): item for item in inputs if item is not None}.values():
        size = value.size_bytes
        if operator in _PARTIAL_READERS and value is inputs[0]:
            size = min(size, written)
        if value.constant:
            constants += size
        else:
            others += size
    return constants, others


_PARTIAL_READERS = frozenset({"Gather", "GatherElements", "GatherND", "Slice"})


def _count(value: Value | None) -> int:
    shape = None if value is None else value.shape
    return 0 if shape is None else prod(shape)


def _size(inputs: Inputs, at: int) -> int:
    return _count(inputs[at]) if at < len(inputs) else 0


def _shape(inputs: Inputs, at: int) -> tuple[int, ...]:
    """Static shape; empty where there is none."""
    value = inputs[at] if at < len(inputs) else None
    return () if value is None else value.shape or ()


def _convolution(weight: int) -> "Callable[[Inputs, Outputs, Plain], int]":
    """Output elements × filter size: W is (M, C/groups, k…)."""
    return lambda inputs, outputs, _: _count(outputs[0]) * prod(_shape(inputs, weight)[1:])


def _transposed_convolution(inputs: Inputs, _: Outputs, __: Plain) -> int:
    """Every input element meets its whole filter: W is (C, M/groups, k…)."""
    return _size(inputs, 0) * prod(_shape(inputs, 1)[1:])


def _matmul(a: int) -> "Callable[[Inputs, Outputs, Plain], int]":
    """Output elements × inner dimension."""

    def macs(inputs: Inputs, outputs: Outputs, attributes: Plain) -> int:
        shape = _shape(inputs, a)
        if not shape:
            return 0
        inner = shape[-2] if attributes.get("transA") and len(shape) > 1 else shape[-1]
        return _count(outputs[0]) * inner

    return macs


def _recurrent(w: int, r: int) -> "Callable[[Inputs, Outputs, Plain], int]":
    """Steps × batch × (input and recurrent weights of all directions); layout 0 is (steps, batch, size)."""

    def macs(inputs: Inputs, _: Outputs, __: Plain) -> int:
        steps_and_batch = prod(_shape(inputs, 0)[:2])
        return steps_and_batch * (_size(inputs, w) + _size(inputs, r)) if _shape(inputs, 0) else 0

    return macs


def _recurrent_extra(inputs: Inputs, _: Outputs, __: Plain) -> int:
    """About 12 operations for each gate of each unit: bias, activation, products."""
    weights = _shape(inputs, 2)
    gates = prod(weights[:-1]) if weights else 0
    return 12 * prod(_shape(inputs, 0)[:2]) * gates if gates else 0


def _projected_attention(inputs: Inputs, outputs: Outputs, __: Plain) -> int:
    """Attention, QAttention: the joint projection (B, S, D)·(D, 3H), then scores and weighted values."""
    x, weights, y = _shape(inputs, 0), _shape(inputs, 1), outputs[0].shape
    if len(x) != 3 or len(weights) != 2 or y is None:
        return 0
    batch, length, _ = x
    total = _total_length(outputs, 1, length)
    return prod(x) * weights[1] + batch * length * total * 2 * y[-1]


def _total_length(outputs: Outputs, at: int, default: int) -> int:
    """Length of keys, from the present keys (…, T, h) where they are an output."""
    present = outputs[at].shape if at < len(outputs) else None
    return present[-2] if present else default


def _dot_attention(inputs: Inputs, outputs: Outputs, _: Plain) -> int:
    """Scores and weighted values: B × S × T × (H + H_v), of (B, S, H) or (B, N, S, h) queries."""
    query, value, y = _shape(inputs, 0), _shape(inputs, 2), outputs[0].shape
    if len(query) < 3 or y is None:
        return 0
    total = _total_length(outputs, 1, value[-2] if value else query[1])
    return (prod(query) + prod(y)) * total


def _attention_extra(inputs: Inputs, outputs: Outputs, attributes: Plain) -> int:
    """Softmax over B × N × S × T scores."""
    x = _shape(inputs, 0)
    if len(x) < 3:
        return 0
    heads = x[1] if len(x) == 4 else int(attributes.get("num_heads", attributes.get("q_num_heads", 1)))
    length = x[2] if len(x) == 4 else x[1]
    return 14 * x[0] * heads * length * _total_length(outputs, 1, length)


def _einsum(inputs: Inputs, outputs: Outputs, attributes: Plain) -> int:
    shapes = [_shape(inputs, at) for at in range(len(inputs))]
    return einsum_macs(str(attributes.get("equation", "")), shapes) if outputs[0].shape is not None else 0


def _pool(_: Inputs, outputs: Outputs, attributes: Plain) -> int:
    return _count(outputs[0]) * prod(attributes.get("kernel_shape", (1,)))


def _resize(inputs: Inputs, outputs: Outputs, attributes: Plain) -> int:
    """Taps per output element: 1, 2 or 4 for each axis that changes."""
    source, target = _shape(inputs, 0), outputs[0].shape or ()
    axes = sum(a != b for a, b in zip(source, target, strict=False))
    mode = str(attributes.get("mode", "nearest"))
    taps = {"linear": 2, "bilinear": 2, "cubic": 4}.get(mode, 1)
    return _count(outputs[0]) * (1 if taps == 1 else 2 * taps ** min(axes, 3))


def _grid_sample(_: Inputs, outputs: Outputs, attributes: Plain) -> int:
    return _count(outputs[0]) * {"nearest": 2, "cubic": 40, "bicubic": 40}.get(str(attributes.get("mode", "")), 12)


def _local_response(inputs: Inputs, _: Outputs, attributes: Plain) -> int:
    return _size(inputs, 0) * (2 * int(attributes.get("size", 1)) + 20)


def _sum(inputs: Inputs, outputs: Outputs, _: Plain) -> int:
    return _count(outputs[0]) * max(len(inputs) - 1, 1)


def _scatter(inputs: Inputs, _: Outputs, attributes: Plain) -> int:
    return _size(inputs, 2) if attributes.get("reduction", "none") != "none" else 0


def _sorting(inputs: Inputs, outputs: Outputs, attributes: Plain) -> int:
    """A heap of k over the axis: elements × log2(k + 1)."""
    shape = outputs[0].shape
    kept = shape[int(attributes.get("axis", -1))] if shape else 1
    return _size(inputs, 0) * ceil(log2(kept + 1))


def _fourier(inputs: Inputs, outputs: Outputs, _: Plain) -> int:
    length = max(_shape(inputs, 0)[1:2] or (2,))
    return 5 * max(_size(inputs, 0), _count(outputs[0])) * max(ceil(log2(max(length, 2))), 1)


def _trees(inputs: Inputs, _: Outputs, attributes: Plain) -> int:
    """Rows × comparisons along one path through each tree; a comparison is 2 operations."""
    shape = _shape(inputs, 0)
    rows = shape[0] if len(shape) > 1 else 1
    return 2 * rows * tree_steps(attributes)


def _support_vectors(inputs: Inputs, _: Outputs, attributes: Plain) -> int:
    shape = _shape(inputs, 0)
    return 2 * (shape[0] if len(shape) > 1 else 1) * len(attributes.get("support_vectors", ()))


def _linear_model(inputs: Inputs, _: Outputs, attributes: Plain) -> int:
    shape = _shape(inputs, 0)
    return (shape[0] if len(shape) > 1 else 1) * len(attributes.get("coefficients", ()))


def _pairs(inputs: Inputs, _: Outputs, __: Plain) -> int:
    """Boxes are compared with boxes of their class, half of all pairs at worst, 12 operations each."""
    boxes, scores = _shape(inputs, 0), _shape(inputs, 1)
    return 6 * prod(scores) * boxes[1] if len(boxes) == 3 and scores else 0


def _regions(_: Inputs, outputs: Outputs, attributes: Plain) -> int:
    ratio = int(attributes.get("sampling_ratio", 0)) or 2
    return 10 * ratio * ratio * _count(outputs[0])


_conv, _matmul_2 = _convolution(1), _matmul(0)

MACS: Mapping[str, Callable[[Inputs, Outputs, Plain], int]] = {
    "Attention": lambda x, y, a: (_projected_attention if len(_shape(x, 1)) == 2 else _dot_attention)(x, y, a),
    "Conv": _conv, "ConvInteger": _conv, "ConvTranspose": _transposed_convolution, "DeformConv": _conv,
    "DynamicQuantizeLSTM": _recurrent(1, 2), "DynamicQuantizeMatMul": _matmul_2, "Einsum": _einsum,
    "FusedConv": _conv, "FusedGemm": _matmul_2, "FusedMatMul": _matmul_2, "GRU": _recurrent(1, 2), "Gemm": _matmul_2,
    "GroupQueryAttention": _dot_attention, "LSTM": _recurrent(1, 2), "LinearClassifier": _linear_model,
    "LinearRegressor": _linear_model, "MatMul": _matmul_2, "MatMulBnb4": _matmul_2, "MatMulInteger": _matmul_2,
    "MatMulInteger16": _matmul_2, "MatMulIntegerToFloat": _matmul_2, "MatMulNBits": _matmul_2,
    "MultiHeadAttention": _dot_attention, "NhwcConv": _conv, "NhwcFusedConv": _conv, "QAttention": _projected_attention,
    "QGemm": _matmul_2, "QLinearConv": _convolution(3), "QLinearMatMul": _matmul_2, "RNN": _recurrent(1, 2),
    "TransposeMatMul": _matmul_2,
}  # fmt: skip
"""Multiply-accumulates of matrix-like operators."""

BIAS: Mapping[str, int] = {"Conv": 2, "ConvTranspose": 2, "DeformConv": 3, "DynamicQuantizeMatMul": 4, "FusedConv": 2,
                           "FusedGemm": 2, "Gemm": 2, "MatMulIntegerToFloat": 6, "MatMulNBits": 5, "NhwcConv": 2,
                           "NhwcFusedConv": 2}  # fmt: skip
"""Input position of the bias, which costs one addition per output element."""

SPECIAL: Mapping[str, Callable[[Inputs, Outputs, Plain], int]] = {
    "Attention": _attention_extra, "AveragePool": _pool, "DFT": _fourier, "GRU": _recurrent_extra,
    "GridSample": _grid_sample, "GroupQueryAttention": _attention_extra, "LRN": _local_response,
    "LSTM": _recurrent_extra, "LpPool": _pool, "Max": _sum, "MaxPool": _pool, "MaxRoiPool": _regions, "Mean": _sum,
    "Min": _sum, "MultiHeadAttention": _attention_extra, "NhwcMaxPool": _pool, "NonMaxSuppression": _pairs,
    "QAttention": _attention_extra, "QLinearAveragePool": _pool, "RNN": _recurrent_extra, "Resize": _resize,
    "RoiAlign": _regions, "STFT": _fourier, "SVMClassifier": _support_vectors, "SVMRegressor": _support_vectors,
    "Scatter": _scatter, "ScatterElements": _scatter, "ScatterND": _scatter, "Sum": _sum, "TopK": _sorting,
    "TreeEnsemble": _trees, "TreeEnsembleClassifier": _trees, "TreeEnsembleRegressor": _trees, "Upsample": _resize,
}  # fmt: skip
"""Element-wise work that follows from more than one element count."""

INPUT_COST: Mapping[str, int] = {
    "ArgMax": 1, "ArgMin": 1, "CumSum": 1, "GlobalAveragePool": 1, "GlobalLpPool": 2, "GlobalMaxPool": 1, "NonZero": 1,
    "QLinearGlobalAveragePool": 2, "QLinearReduceMean": 2, "ReduceL1": 2, "ReduceL2": 2, "ReduceLogSum": 1,
    "ReduceLogSumExp": 12, "ReduceMax": 1, "ReduceMean": 1, "ReduceMin": 1, "ReduceProd": 1, "ReduceSum": 1,
    "ReduceSumSquare": 2, "Unique": 8,
}  # fmt: skip
"""Operations per element of the first input."""

OUTPUT_COST: Mapping[str, int] = {
    # moving data
    **dict.fromkeys((
        "Cast", "CastLike", "CenterCropPad", "Col2Im", "Compress", "Concat", "ConcatFromSequence", "ConstantOfShape",
        "DepthToSpace", "Expand", "ExpandDims", "EyeLike", "Flatten", "Gather", "GatherElements", "GatherND",
        "Identity", "Optional", "OneHot", "Pad", "QLinearConcat", "Reshape", "ReverseSequence", "SequenceAt",
        "SequenceConstruct", "SequenceInsert", "Shape", "Size", "Slice", "SpaceToDepth", "Split", "SplitToSequence",
        "Squeeze", "Tile", "Transpose", "Trilu", "Unsqueeze"), 0),
    # element-wise functions
    "Acos": 16, "Acosh": 16, "Asin": 16, "Asinh": 16, "Atan": 16, "Atanh": 16, "BiasGelu": 20, "BiasSoftmax": 15,
    "Celu": 13, "Clip": 2, "Cos": 14, "Cosh": 14, "Div": 4, "Dropout": 0, "Elu": 11, "Erf": 16, "Exp": 10,
    "FastGelu": 18, "Gelu": 20, "HardSigmoid": 3, "HardSwish": 4, "LeakyRelu": 2, "Log": 10, "Mish": 26, "Mod": 6,
    "PRelu": 2, "Pow": 20, "QuickGelu": 15, "Reciprocal": 4, "Selu": 12, "Sigmoid": 12, "Sin": 14, "Sinh": 14,
    "Softplus": 20, "Softsign": 5, "Sqrt": 4, "Swish": 13, "Tan": 18, "Tanh": 12, "ThresholdedRelu": 2,
    "RotaryEmbedding": 3, "RandomNormal": 20, "RandomNormalLike": 20, "RandomUniform": 6, "RandomUniformLike": 6,
    # normalisations
    "BatchNormalization": 2, "EmbedLayerNormalization": 9, "GroupNorm": 8, "GroupNormalization": 8, "Hardmax": 2,
    "InstanceNormalization": 8, "LayerNormalization": 8, "LogSoftmax": 14, "LpNormalization": 4,
    "MeanVarianceNormalization": 8, "RMSNormalization": 5, "SimplifiedLayerNormalization": 5,
    "SkipGroupNorm": 10, "SkipLayerNormalization": 9, "SkipSimplifiedLayerNormalization": 6, "Softmax": 14,
    # quantisation: scaling, rounding, saturating
    "DequantizeLinear": 2, "DynamicQuantizeLinear": 6, "DynamicQuantizeMatMul": 4, "QGemm": 3, "QLinearAdd": 6,
    "QLinearConv": 3, "QLinearLeakyRelu": 6, "QLinearMatMul": 3, "QLinearMul": 5, "QLinearSigmoid": 16,
    "QLinearSoftmax": 18, "QuantizeLinear": 4,
}  # fmt: skip
"""Operations per element of the first output."""

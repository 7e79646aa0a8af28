"""Shapes that onnx does not infer: operators of com.microsoft and the few of ai.onnx and ai.onnx.ml it leaves open.

Source: ONNX Runtime's ContribOperators.md. A rule gets the inputs and the plain attributes and returns
(element type, sizes) of each output; None sizes are unknown. Operators that only rename a standard one are listed
in `ALIASES` and inferred by onnx itself.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from latcast.schema import InvalidModelError
from profilers.onnx_graph.shapes.ai_onnx_ml import LEARNING_RULES
from profilers.onnx_graph.shapes.attention import ATTENTION_RULES
from profilers.onnx_graph.shapes.rules import (
    Inputs,
    Output,
    Plain,
    Rule,
    broadcast,
    dims_of,
    dtype_of,
    given,
    integers_of,
    ranked,
)
from profilers.onnx_graph.values import Dims

__all__ = ["ALIASES", "NHWC_ALIASES", "RULES", "Alias"]


class Alias(NamedTuple):
    """The standard operator that has the same shapes, and the inputs it takes of the fused one."""

    operator: str
    inputs: tuple[int, ...] | None = None
    """Positions; None takes all of them."""
    first_of: tuple[int, int] | None = None
    """(start, stride): every stride-th input from start, for variadic operators."""
    as_float: bool = False
    """Whether the standard operator has no variant for 8 bits."""


ALIASES: Mapping[str, Alias] = {
    "DequantizeLinear": Alias("DequantizeLinear"), "FusedConv": Alias("Conv", (0, 1, 2)),
    "FusedGemm": Alias("Gemm", (0, 1, 2)), "GatherND": Alias("GatherND"), "GridSample": Alias("GridSample"),
    "MaxpoolWithMask": Alias("MaxPool", (0,)),
    "Pad": Alias("Pad"), "QLinearAveragePool": Alias("AveragePool", (0,), as_float=True),
    "QLinearConcat": Alias("Concat", None, (2, 3)),
    "QLinearGlobalAveragePool": Alias("GlobalAveragePool", (0,), as_float=True),
    "QuantizeLinear": Alias("QuantizeLinear"), "Range": Alias("Range"), "Trilu": Alias("Trilu"),
    "Unique": Alias("Unique"), "QLinearConv": Alias("QLinearConv"),
}  # fmt: skip

NHWC_ALIASES: Mapping[str, Alias] = {
    "NhwcConv": Alias("Conv", (0, 1, 2)), "NhwcFusedConv": Alias("Conv", (0, 1, 2)),
    "NhwcMaxPool": Alias("MaxPool", (0,)),
    "QLinearAveragePool": Alias("AveragePool", (0,), as_float=True),
    "QLinearGlobalAveragePool": Alias("GlobalAveragePool", (0,), as_float=True),
    "QLinearConv": Alias("QLinearConv"),
}  # fmt: skip
"""Operators whose first input has its channels last (the latter three where the attribute `channels_last` says so)."""


def _same(inputs: Inputs, _: Plain) -> list[Output]:
    return [(dtype_of(inputs, 0), dims_of(inputs, 0))]


def _elementwise(*positions: int) -> Rule:
    return lambda inputs, _: [(dtype_of(inputs, positions[0]), broadcast(*(dims_of(inputs, at) for at in positions)))]


def _normalisation(inputs: Inputs, attributes: Plain) -> list[Output]:
    """Y, mean and inverse deviation, and for the Skip variants the sum of input and skip."""
    dims = dims_of(inputs, 0)
    axis = int(attributes.get("axis", -1))
    reduced = None
    if dims is not None:
        start = axis % len(dims) if dims else 0
        reduced = dims[:start] + (1,) * (len(dims) - start)
    dtype = dtype_of(inputs, 0)
    return [(dtype, dims), ("float32", reduced), ("float32", reduced), (dtype, dims)]


def _matmul_dims(a: Dims | None, b: Dims | None) -> Dims | None:
    """numpy.matmul's rule."""
    if a is None or b is None or not a or not b:
        return None
    left, right = (1, *a) if len(a) == 1 else a, (*b, 1) if len(b) == 1 else b
    if None not in (left[-1], right[-2]) and left[-1] != right[-2]:
        raise InvalidModelError(f"the shapes {list(a)} and {list(b)} cannot be multiplied")
    batch = broadcast(left[:-2], right[:-2]) or ()
    return (*batch, *(left[-2:-1] if len(a) > 1 else ()), *(right[-1:] if len(b) > 1 else ()))


def _swap(dims: Dims | None, swap: Any) -> Dims | None:
    return (*dims[:-2], dims[-1], dims[-2]) if swap and dims is not None and len(dims) > 1 else dims


def _fused_matmul(inputs: Inputs, attributes: Plain) -> list[Output]:
    sides = []
    for at, side in enumerate("AB"):
        dims = dims_of(inputs, at)
        if attributes.get(f"transBatch{side}") and dims is not None and len(dims) > 2:
            dims = (*dims[1:-1], dims[0], dims[-1])
        sides.append(_swap(dims, attributes.get(f"trans{side}")))
    return [(dtype_of(inputs, 0), _matmul_dims(sides[0], sides[1]))]


def _matmul(dtype: str, a: int = 0, b: int = 1) -> Rule:
    return lambda inputs, _: [(dtype or dtype_of(inputs, a), _matmul_dims(dims_of(inputs, a), dims_of(inputs, b)))]


def _quantised_gemm(inputs: Inputs, attributes: Plain) -> list[Output]:
    a, b = _swap(dims_of(inputs, 0), attributes.get("transA")), _swap(dims_of(inputs, 3), attributes.get("transB"))
    dtype = dtype_of(inputs, 8) or ("float32" if given(inputs, 7) is None else dtype_of(inputs, 0))
    return [(dtype, _matmul_dims(a, b))]


def _block_quantised_matmul(inputs: Inputs, attributes: Plain) -> list[Output]:
    dims = dims_of(inputs, 0)
    return [(dtype_of(inputs, 0), None if dims is None else (*dims[:-1], int(attributes["N"])))]


def _embedding(inputs: Inputs, _: Plain) -> list[Output]:
    """EmbedLayerNormalization: ids (B, S) and table (V, H) -> (B, S, H), mask index (B,), sum (B, S, H)."""
    batch, length = ranked(inputs, 0, 2)
    hidden, dtype = ranked(inputs, 2, 2)[1], dtype_of(inputs, 2)
    return [(dtype, (batch, length, hidden)), ("int32", (batch,)), (dtype, (batch, length, hidden))]


def _quantised_lstm(inputs: Inputs, attributes: Plain) -> list[Output]:
    """X (S, B, I) -> Y (S, D, B, H), last hidden and cell states (D, B, H)."""
    length, batch, _ = ranked(inputs, 0, 3)
    directions = 2 if attributes.get("direction") == "bidirectional" else 1
    state: Dims = (directions, batch, int(attributes["hidden_size"]))
    return [("float32", (length, *state)), ("float32", state), ("float32", state)]


def _quantised_embedding(inputs: Inputs, _: Plain) -> list[Output]:
    """QEmbedLayerNormalization: ids (B, S) and 8-bit table (V, H) -> (B, S, H), mask index (B,)."""
    batch, length = ranked(inputs, 0, 2)
    return [("float32", (batch, length, ranked(inputs, 2, 2)[1])), ("int32", (batch,))]


def _reduced_mean(inputs: Inputs, attributes: Plain) -> list[Output]:
    """QLinearReduceMean: its axes are an attribute, unlike those of today's ReduceMean."""
    dims = dims_of(inputs, 0)
    if dims is None:
        return [(dtype_of(inputs, 0), None)]
    axes = {int(axis) % max(len(dims), 1) for axis in attributes.get("axes", range(len(dims)))}
    kept = [1 if at in axes else size for at, size in enumerate(dims)]
    if not attributes.get("keepdims", 1):
        kept = [size for at, size in enumerate(dims) if at not in axes]
    return [(dtype_of(inputs, 0), tuple(kept))]


def _table_lookup(inputs: Inputs, _: Plain) -> list[Output]:
    """TorchEmbedding: table (V, H) and indices of any shape -> (*indices, H)."""
    indices = dims_of(inputs, 1)
    return [(dtype_of(inputs, 0), None if indices is None else (*indices, ranked(inputs, 0, 2)[1]))]


def _block_quantised_gather(inputs: Inputs, attributes: Plain) -> list[Output]:
    """GatherBlockQuantized: as Gather, to the scales' type; bytes may hold two elements."""
    dims, indices = dims_of(inputs, 0), dims_of(inputs, 1)
    if not dims or indices is None:
        return [(dtype_of(inputs, 2), None)]
    axis = int(attributes.get("gather_axis", 0)) % len(dims)
    packed = 8 // int(attributes.get("bits", 4)) if dtype_of(inputs, 0) == "uint8" else 1
    unpacked = (*dims[:-1], None if dims[-1] is None else dims[-1] * packed)
    return [(dtype_of(inputs, 2), (*unpacked[:axis], *indices, *unpacked[axis + 1 :]))]


def _expanded(inputs: Inputs, _: Plain) -> list[Output]:
    """ExpandDims: an axis of size one at the place that the second input says."""
    dims, axis = dims_of(inputs, 0), integers_of(inputs, 1)
    if dims is None or not axis:
        return [(dtype_of(inputs, 0), None)]
    at = axis[0] % (len(dims) + 1)
    return [(dtype_of(inputs, 0), (*dims[:at], 1, *dims[at:]))]


def _cropped(inputs: Inputs, _: Plain) -> list[Output]:
    """CropAndResize: X (N, C, H, W), regions (R, 4), crop size -> (R, C, h, w)."""
    size: Sequence[int | None] = integers_of(inputs, 3) or (None,)
    return [(dtype_of(inputs, 0), (ranked(inputs, 1, 2)[0], ranked(inputs, 0, 4)[1], size[0], size[-1]))]


def _unfolded(inputs: Inputs, attributes: Plain) -> list[Output]:
    """UnfoldTensor: windows of `size` along an axis become a new last axis."""
    dims, size, step = dims_of(inputs, 0), int(attributes["size"]), int(attributes.get("step", 1))
    if not dims:
        return [(dtype_of(inputs, 0), None)]
    at = int(attributes.get("dim", -1)) % len(dims)
    length = dims[at]
    count = None if length is None else (length - size) // step + 1
    return [(dtype_of(inputs, 0), (*dims[:at], count, *dims[at + 1 :], size))]


def _spectrum(inputs: Inputs, attributes: Plain) -> list[Output]:
    """Rfft: (…, n) -> (…, n / 2 + 1, 2), real and imaginary parts."""
    dims = dims_of(inputs, 0)
    if not dims or dims[-1] is None:
        return [(dtype_of(inputs, 0), None)]
    kept = dims[-1] // 2 + 1 if attributes.get("onesided", 1) else dims[-1]
    return [(dtype_of(inputs, 0), (*dims[:-1], kept, 2))]


def _signal(inputs: Inputs, attributes: Plain) -> list[Output]:
    """Irfft: the inverse."""
    dims = dims_of(inputs, 0)
    if dims is None or len(dims) < 2 or dims[-2] is None:
        return [(dtype_of(inputs, 0), None)]
    length = 2 * (dims[-2] - 1) if attributes.get("onesided", 1) else dims[-2]
    return [(dtype_of(inputs, 0), (*dims[:-2], length))]


def _halved(inputs: Inputs, _: Plain) -> list[Output]:
    """BiasSplitGelu: one half of the channels gates the other."""
    dims = dims_of(inputs, 0)
    return [(dtype_of(inputs, 0), (*dims[:-1], None if dims[-1] is None else dims[-1] // 2) if dims else None)]


def _distances(inputs: Inputs, _: Plain) -> list[Output]:
    """CDist: (M, K) and (N, K) -> (M, N)."""
    return [(dtype_of(inputs, 0), (ranked(inputs, 0, 2)[0], ranked(inputs, 1, 2)[0]))]


def _four_bit_matmul(inputs: Inputs, _: Plain) -> list[Output]:
    """MatMulFpQ4: B's own shape (K, N) is its third input."""
    dims = dims_of(inputs, 0)
    shape: Sequence[int | None] = integers_of(inputs, 2) or (None,)
    return [(dtype_of(inputs, 0), None if not dims else (*dims[:-1], shape[-1]))]


def _of_type(dtype: str) -> Rule:
    return lambda inputs, _: [(dtype, dims_of(inputs, 0))]


RULES: Mapping[tuple[str, str], Rule] = {
    **{("com.microsoft", name): _same for name in (
        "BiasAdd", "BiasDropout", "BiasGelu", "BiasSoftmax", "FastGelu", "Gelu", "GroupNorm", "Inverse", "MoE", "QMoE",
        "QLinearLeakyRelu", "QLinearSigmoid", "QLinearSoftmax", "QuickGelu", "RotaryEmbedding", "ScaledSiLU",
        "BitmaskBiasDropout", "BitmaskDropout", "CausalConvWithState", "GatedAdd", "GatedRMSNorm",
        "GemmaRotaryEmbedding", "LongformerAttention", "MRotaryEmbedding", "QOrderedGelu",
        "QOrderedLayerNormalization", "SampleOp")},
    ("com.microsoft", "SkipGroupNorm"): lambda inputs, _: _same(inputs, {}) * 2,
    **{("", name): _same for name in ("Affine", "ImageScaler", "ParametricSoftplus", "ScaledTanh")},
    **{(domain, name): _normalisation for domain in ("", "com.microsoft") for name in (
        "LayerNormalization", "SimplifiedLayerNormalization", "SkipLayerNormalization",
        "SkipSimplifiedLayerNormalization")},
    **{("com.microsoft", name): rule for name, rule in ATTENTION_RULES.items()},
    **{("ai.onnx.ml", name): rule for name, rule in LEARNING_RULES.items()},
    ("com.microsoft", "EmbedLayerNormalization"): _embedding,
    ("com.microsoft", "DynamicQuantizeLSTM"): _quantised_lstm,
    ("com.microsoft", "DynamicQuantizeMatMul"): _matmul("float32"),
    ("com.microsoft", "MatMulIntegerToFloat"): _matmul("float32"),
    ("com.microsoft", "MatMulInteger16"): _matmul("int32"),
    ("com.microsoft", "FusedMatMul"): _fused_matmul,
    ("com.microsoft", "TransposeMatMul"): _fused_matmul,
    ("com.microsoft", "QGemm"): _quantised_gemm,
    ("com.microsoft", "MatMulNBits"): _block_quantised_matmul,
    ("com.microsoft", "MatMulBnb4"): _block_quantised_matmul,
    ("com.microsoft", "QLinearAdd"): _elementwise(0, 3),
    ("com.microsoft", "QLinearMul"): _elementwise(0, 3),
    ("com.microsoft", "QLinearWhere"): lambda inputs, _: [
        (dtype_of(inputs, 1), broadcast(*(dims_of(inputs, at) for at in (0, 1, 4))))],
    ("", "GroupNormalization"): _same,
    ("", "MeanVarianceNormalization"): _same,
    ("com.microsoft", "BiasSplitGelu"): _halved,
    ("com.microsoft", "CDist"): _distances,
    ("com.microsoft", "ComplexMul"): _elementwise(0, 1),
    ("com.microsoft", "ComplexMulConj"): _elementwise(0, 1),
    ("com.microsoft", "CropAndResize"): _cropped,
    ("com.microsoft", "DequantizeWithOrder"): _of_type("float32"),
    ("com.microsoft", "ExpandDims"): _expanded,
    ("com.microsoft", "FusedMatMulActivation"): _fused_matmul,
    ("com.microsoft", "GatherBlockQuantized"): _block_quantised_gather,
    ("com.microsoft", "GemmFastGelu"): _matmul(""),
    ("com.microsoft", "Irfft"): _signal,
    ("com.microsoft", "IsAllFinite"): lambda *_: [("bool", ())],
    ("com.microsoft", "MatMulFpQ4"): _four_bit_matmul,
    ("com.microsoft", "MulInteger"): lambda inputs, _: [
        ("int32", broadcast(dims_of(inputs, 0), dims_of(inputs, 2)))],
    ("com.microsoft", "MurmurHash3"): lambda inputs, attributes: [
        ("uint32" if attributes.get("positive", 1) else "int32", dims_of(inputs, 0))],
    ("com.microsoft", "NGramRepeatBlock"): lambda inputs, _: [(dtype_of(inputs, 1), dims_of(inputs, 1))],
    ("com.microsoft", "QEmbedLayerNormalization"): _quantised_embedding,
    ("com.microsoft", "QLinearReduceMean"): _reduced_mean,
    ("com.microsoft", "QuantizeWithOrder"): _of_type("int8"),
    ("com.microsoft", "Rfft"): _spectrum,
    ("com.microsoft", "TorchEmbedding"): _table_lookup,
    ("com.microsoft", "UnfoldTensor"): _unfolded,
}  # fmt: skip
"""By (domain, operator)."""

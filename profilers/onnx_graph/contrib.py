"""Shapes that onnx does not infer: operators of com.microsoft and the few of ai.onnx and ai.onnx.ml it leaves open.

Source: ONNX Runtime's ContribOperators.md. A rule gets the inputs and the plain attributes and returns
(element type, sizes) of each output; None sizes are unknown. Operators that only rename a standard one are listed
in `ALIASES` and inferred by onnx itself.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from profilers.onnx_graph.values import Dims, Value
from profilers.schema import InvalidModelError

__all__ = ["ALIASES", "NHWC_ALIASES", "RULES", "Alias", "Output", "broadcast"]

Inputs = Sequence["Value | None"]
Output = tuple[str, "Dims | None"]
Rule = Callable[[Inputs, Mapping[str, Any]], list[Output]]


class Alias(NamedTuple):
    """The standard operator that has the same shapes, and the inputs it takes of the fused one."""

    operator: str
    inputs: tuple[int, ...] | None = None
    """Positions; None takes all of them."""
    first_of: tuple[int, int] | None = None
    """(start, stride): every stride-th input from start, for variadic operators."""


ALIASES: Mapping[str, Alias] = {
    "DequantizeLinear": Alias("DequantizeLinear"), "FusedConv": Alias("Conv", (0, 1, 2)),
    "FusedGemm": Alias("Gemm", (0, 1, 2)), "GatherND": Alias("GatherND"), "GridSample": Alias("GridSample"),
    "Pad": Alias("Pad"), "QLinearAveragePool": Alias("AveragePool", (0,)),
    "QLinearConcat": Alias("Concat", None, (2, 3)), "QLinearReduceMean": Alias("ReduceMean", (0,)),
    "QLinearGlobalAveragePool": Alias("GlobalAveragePool", (0,)),
    "QuantizeLinear": Alias("QuantizeLinear"), "Range": Alias("Range"), "Trilu": Alias("Trilu"),
    "Unique": Alias("Unique"), "QLinearConv": Alias("QLinearConv"),
}  # fmt: skip

NHWC_ALIASES: Mapping[str, Alias] = {
    "NhwcConv": Alias("Conv", (0, 1, 2)), "NhwcFusedConv": Alias("Conv", (0, 1, 2)),
    "NhwcMaxPool": Alias("MaxPool", (0,)),
    "QLinearAveragePool": Alias("AveragePool", (0,)), "QLinearGlobalAveragePool": Alias("GlobalAveragePool", (0,)),
    "QLinearConv": Alias("QLinearConv"),
}  # fmt: skip
"""Operators whose first input has its channels last (the latter three where the attribute `channels_last` says so)."""


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


def _get(inputs: Inputs, at: int) -> Value | None:
    return inputs[at] if at < len(inputs) else None


def _dims(inputs: Inputs, at: int) -> Dims | None:
    value = _get(inputs, at)
    return None if value is None else value.dims


def _dtype(inputs: Inputs, at: int) -> str:
    value = _get(inputs, at)
    return "" if value is None else value.dtype


def _ranked(inputs: Inputs, at: int, rank: int) -> Dims:
    """Sizes of an input of this rank; all None where they are unknown."""
    dims = _dims(inputs, at)
    if dims is not None and len(dims) != rank:
        raise InvalidModelError(f"its input {at} has {len(dims)} dimensions instead of {rank}")
    return (None,) * rank if dims is None else dims


def _same(inputs: Inputs, _: Mapping[str, Any]) -> list[Output]:
    return [(_dtype(inputs, 0), _dims(inputs, 0))]


def _elementwise(*positions: int) -> Rule:
    return lambda inputs, _: [(_dtype(inputs, positions[0]), broadcast(*(_dims(inputs, at) for at in positions)))]


def _normalisation(inputs: Inputs, attributes: Mapping[str, Any]) -> list[Output]:
    """Y, mean and inverse deviation, and for the Skip variants the sum of input and skip."""
    dims = _dims(inputs, 0)
    axis = int(attributes.get("axis", -1))
    reduced = None
    if dims is not None:
        start = axis % len(dims) if dims else 0
        reduced = dims[:start] + (1,) * (len(dims) - start)
    dtype = _dtype(inputs, 0)
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


def _fused_matmul(inputs: Inputs, attributes: Mapping[str, Any]) -> list[Output]:
    sides = []
    for at, side in enumerate("AB"):
        dims = _dims(inputs, at)
        if attributes.get(f"transBatch{side}") and dims is not None and len(dims) > 2:
            dims = (*dims[1:-1], dims[0], dims[-1])
        sides.append(_swap(dims, attributes.get(f"trans{side}")))
    return [(_dtype(inputs, 0), _matmul_dims(sides[0], sides[1]))]


def _matmul(dtype: str, a: int = 0, b: int = 1) -> Rule:
    return lambda inputs, _: [(dtype or _dtype(inputs, a), _matmul_dims(_dims(inputs, a), _dims(inputs, b)))]


def _quantised_gemm(inputs: Inputs, attributes: Mapping[str, Any]) -> list[Output]:
    a, b = _swap(_dims(inputs, 0), attributes.get("transA")), _swap(_dims(inputs, 3), attributes.get("transB"))
    dtype = _dtype(inputs, 8) or ("float32" if _get(inputs, 7) is None else _dtype(inputs, 0))
    return [(dtype, _matmul_dims(a, b))]


def _block_quantised_matmul(inputs: Inputs, attributes: Mapping[str, Any]) -> list[Output]:
    dims = _dims(inputs, 0)
    return [(_dtype(inputs, 0), None if dims is None else (*dims[:-1], int(attributes["N"])))]


def _attention(inputs: Inputs, attributes: Mapping[str, Any]) -> list[Output]:
    """Attention, QAttention: (B, S, D), weights (D, H_q + H_k + H_v) -> (B, S, H_v), present (2, B, N, T, H/N)."""
    batch, length, _ = _ranked(inputs, 0, 3)
    hidden = _ranked(inputs, 1, 2)[1]
    sizes = attributes.get("qkv_hidden_sizes")
    value = int(sizes[2]) if sizes else None if hidden is None else hidden // 3
    heads = int(attributes.get("num_heads", 0))
    past = next((item.dims for item in inputs if item is not None and item.dims and len(item.dims) == 5), None)
    total = length if past is None else _sum(length, past[3])
    head = None if value is None or not heads else value // heads
    dtype = _dtype(inputs, 0) if _dtype(inputs, 2) == "" else _dtype(inputs, 2)
    return [(dtype, (batch, length, value)), (dtype, (2, batch, heads or None, total, head))]


def _sum(a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else a + b


def _multi_head_attention(inputs: Inputs, attributes: Mapping[str, Any]) -> list[Output]:
    """Query (B, S, H), key and value (B, T, H) or (B, N, T, h), or packed query (B, S, N, 3, h)."""
    dtype, heads = _dtype(inputs, 0), int(attributes.get("num_heads", 0))
    query, value = _dims(inputs, 0), _dims(inputs, 2)
    if query is None:
        return [(dtype, None)] * 3
    packed = len(query) == 5
    hidden = _product(query[2], query[4]) if packed else query[2]
    total = query[1] if value is None else value[-2]
    if value is not None:
        hidden = value[2] if len(value) == 3 else _product(heads, value[-1])
    past = _dims(inputs, 6)
    total = total if past is None or len(past) != 4 else _sum(total, past[2])
    head = None if hidden is None or not heads else hidden // heads
    present: Output = (dtype, (query[0], heads or None, total, head))
    return [(dtype, (query[0], query[1], hidden)), present, present]


def _product(a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else a * b


def _grouped_attention(inputs: Inputs, attributes: Mapping[str, Any]) -> list[Output]:
    """Query (B, S, N·h), or (B, S, (N + 2 N_kv)·h) with key and value packed into it; the cache keeps its size."""
    batch, length, hidden = _ranked(inputs, 0, 3)
    heads, shared = int(attributes["num_heads"]), int(attributes["kv_num_heads"])
    if _get(inputs, 1) is None and hidden is not None:
        hidden = hidden // max(heads + 2 * shared, 1) * heads
    dtype = _dtype(inputs, 0)
    return [(dtype, (batch, length, hidden)), (dtype, _dims(inputs, 3)), (dtype, _dims(inputs, 4))]


def _embedding(inputs: Inputs, _: Mapping[str, Any]) -> list[Output]:
    """EmbedLayerNormalization: ids (B, S) and table (V, H) -> (B, S, H), mask index (B,), sum (B, S, H)."""
    batch, length = _ranked(inputs, 0, 2)
    hidden, dtype = _ranked(inputs, 2, 2)[1], _dtype(inputs, 2)
    return [(dtype, (batch, length, hidden)), ("int32", (batch,)), (dtype, (batch, length, hidden))]


def _quantised_lstm(inputs: Inputs, attributes: Mapping[str, Any]) -> list[Output]:
    """X (S, B, I) -> Y (S, D, B, H), last hidden and cell states (D, B, H)."""
    length, batch, _ = _ranked(inputs, 0, 3)
    directions = 2 if attributes.get("direction") == "bidirectional" else 1
    state: Dims = (directions, batch, int(attributes["hidden_size"]))
    return [("float32", (length, *state)), ("float32", state), ("float32", state)]


def _scores(outputs: tuple[str, ...], count: str) -> Rule:
    """ai.onnx.ml models: X (N, F) -> (N, targets); the attribute `count` holds the targets' number or the labels."""

    def rule(inputs: Inputs, attributes: Mapping[str, Any]) -> list[Output]:
        dims = _dims(inputs, 0)
        rows: int | None = None if dims is None else dims[0] if len(dims) > 1 else 1
        given = attributes.get(count)
        columns = len(given) if isinstance(given, tuple) else given
        if columns is None and "classlabels_strings" in attributes:
            columns = len(attributes["classlabels_strings"])
        label = "string" if "classlabels_strings" in attributes else "int64"
        return [("float32", (rows, columns)) if kind == "scores" else (label, (rows,)) for kind in outputs]

    return rule


RULES: Mapping[tuple[str, str], Rule] = {
    **{("com.microsoft", name): _same for name in (
        "BiasAdd", "BiasDropout", "BiasGelu", "BiasSoftmax", "FastGelu", "Gelu", "GroupNorm", "Inverse", "MoE", "QMoE",
        "QLinearLeakyRelu", "QLinearSigmoid", "QLinearSoftmax", "QuickGelu", "RotaryEmbedding", "ScaledSiLU",
        "GemmaRotaryEmbedding", "SkipGroupNorm")},
    **{(domain, name): _normalisation for domain in ("", "com.microsoft") for name in (
        "LayerNormalization", "SimplifiedLayerNormalization", "SkipLayerNormalization",
        "SkipSimplifiedLayerNormalization")},
    ("com.microsoft", "Attention"): _attention,
    ("com.microsoft", "QAttention"): _attention,
    ("com.microsoft", "MultiHeadAttention"): _multi_head_attention,
    ("com.microsoft", "GroupQueryAttention"): _grouped_attention,
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
        (_dtype(inputs, 1), broadcast(*(_dims(inputs, at) for at in (0, 1, 4))))],
    ("", "GroupNormalization"): _same,
    ("", "MeanVarianceNormalization"): _same,
    ("ai.onnx.ml", "Scaler"): lambda inputs, _: [("float32", _dims(inputs, 0))],
    ("ai.onnx.ml", "Imputer"): _same,
    ("ai.onnx.ml", "Normalizer"): lambda inputs, _: [("float32", _dims(inputs, 0))],
    ("ai.onnx.ml", "TreeEnsembleClassifier"): _scores(("labels", "scores"), "classlabels_int64s"),
    ("ai.onnx.ml", "TreeEnsembleRegressor"): _scores(("scores",), "n_targets"),
    ("ai.onnx.ml", "SVMRegressor"): lambda inputs, _: [("float32", (*(_dims(inputs, 0) or (None,))[:1], 1))],
    ("ai.onnx.ml", "LinearRegressor"): lambda inputs, attributes: [
        ("float32", (*(_dims(inputs, 0) or (None,))[:1], int(attributes.get("targets", 1))))],
}  # fmt: skip
"""By (domain, operator)."""

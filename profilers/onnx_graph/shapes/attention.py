"""Shapes of com.microsoft's attention operators. Source: ONNX Runtime's ContribOperators.md."""

from collections.abc import Mapping, Sequence

from profilers.onnx_graph.shapes.rules import Inputs, Output, Plain, Rule, dims_of, dtype_of, given, integers_of, ranked

__all__ = ["ATTENTION_RULES"]


def _attention(inputs: Inputs, attributes: Plain) -> list[Output]:
    """Attention, QAttention: (B, S, D), weights (D, H_q + H_k + H_v) -> (B, S, H_v), present (2, B, N, T, H/N)."""
    batch, length, _ = ranked(inputs, 0, 3)
    hidden = ranked(inputs, 1, 2)[1]
    sizes = attributes.get("qkv_hidden_sizes")
    value = int(sizes[2]) if sizes else None if hidden is None else hidden // 3
    heads = int(attributes.get("num_heads", 0))
    past = next((item.dims for item in inputs if item is not None and item.dims and len(item.dims) == 5), None)
    total = length if past is None else _sum(length, past[3])
    head = None if value is None or not heads else value // heads
    dtype = dtype_of(inputs, 0) if dtype_of(inputs, 2) == "" else dtype_of(inputs, 2)
    return [(dtype, (batch, length, value)), (dtype, (2, batch, heads or None, total, head))]


def _sum(a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else a + b


def _multi_head_attention(inputs: Inputs, attributes: Plain) -> list[Output]:
    """Query (B, S, H), key and value (B, T, H) or (B, N, T, h), or packed query (B, S, N, 3, h)."""
    dtype, heads = dtype_of(inputs, 0), int(attributes.get("num_heads", 0))
    query, value = dims_of(inputs, 0), dims_of(inputs, 2)
    if query is None:
        return [(dtype, None)] * 3
    packed = len(query) == 5
    hidden = _product(query[2], query[4]) if packed else query[2]
    key = dims_of(inputs, 1)
    total = value[-2] if value is not None else key[1] if key is not None and len(key) == 5 else query[1]
    if value is not None:
        hidden = value[2] if len(value) == 3 else _product(heads, value[-1])
    past = dims_of(inputs, 6)
    total = total if past is None or len(past) != 4 else _sum(total, past[2])
    head = None if hidden is None or not heads else hidden // heads
    present: Output = (dtype, (query[0], heads or None, total, head))
    return [(dtype, (query[0], query[1], hidden)), present, present]


def _product(a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else a * b


def _grouped_attention(inputs: Inputs, attributes: Plain) -> list[Output]:
    """Query (B, S, N·h), or (B, S, (N + 2 N_kv)·h) with key and value packed into it.

    The cache (B, N_kv, T, h) keeps its size, unless what comes in does not fit into it.
    """
    batch, length, hidden = ranked(inputs, 0, 3)
    heads, shared = int(attributes["num_heads"]), int(attributes["kv_num_heads"])
    if given(inputs, 1) is None and hidden is not None:
        hidden = hidden // max(heads + 2 * shared, 1) * heads
    dtype, total = dtype_of(inputs, 0), integers_of(inputs, 6)
    presents: list[Output] = []
    for at in (3, 4):
        past = dims_of(inputs, at)
        if past is not None and len(past) == 4 and past[2] is not None:
            least = max(total) if total else length or 0
            past = (*past[:2], max(past[2], least), past[3])
        presents.append((dtype, past))
    return [(dtype, (batch, length, hidden)), *presents]


def _decoder_attention(inputs: Inputs, attributes: Plain) -> list[Output]:
    """DecoderAttention: query (S, B, H), key (T, B, H) -> (S, B, H), caches (B, N, T, h)."""
    length, batch, hidden = ranked(inputs, 0, 3)
    total, heads, dtype = ranked(inputs, 1, 3)[0], int(attributes["num_heads"]), dtype_of(inputs, 0)
    cache: Output = (dtype, (batch, heads, total, None if hidden is None else hidden // max(heads, 1)))
    return [(dtype, (length, batch, hidden)), cache, cache]


def _masked_decoder(inputs: Inputs, attributes: Plain) -> list[Output]:
    """DecoderMaskedMultiHeadAttention: one token (B, 1, H); the caches keep their size where they are shared."""
    batch, length, hidden = ranked(inputs, 0, 3)
    value, dtype = dims_of(inputs, 2), dtype_of(inputs, 0)
    if value is not None and len(value) == 3:
        hidden = value[2]
    presents: list[Output] = []
    for at in (5, 6):
        past = dims_of(inputs, at)
        if past is not None and len(past) == 4 and not attributes.get("past_present_share_buffer", 0):
            past = (*past[:2], _sum(past[2], length), past[3])
        presents.append((dtype, past))
    return [(dtype, (batch, length, hidden)), *presents]


def _packed_attention(inputs: Inputs, attributes: Plain) -> list[Output]:
    """PackedAttention: tokens of all sequences (T, D), weights (D, H_q + H_k + H_v) -> (T, H_v)."""
    sizes, hidden = attributes.get("qkv_hidden_sizes"), ranked(inputs, 1, 2)[1]
    value = int(sizes[2]) if sizes else None if hidden is None else hidden // 3
    return [(dtype_of(inputs, 0), (ranked(inputs, 0, 2)[0], value))]


def _relative_positions(inputs: Inputs, _: Plain) -> list[Output]:
    """RelativePositionBias: table (buckets, N) -> (1, N, S, T)."""
    query: Sequence[int | None] = integers_of(inputs, 1) or (None,)
    key: Sequence[int | None] = integers_of(inputs, 2) or (None,)
    return [(dtype_of(inputs, 0), (1, ranked(inputs, 0, 2)[1], query[0], key[0]))]


def _gated_positions(inputs: Inputs, attributes: Plain) -> list[Output]:
    """GatedRelativePositionBias: query (B, S, D) -> (B, N, S, S)."""
    batch, length, _ = ranked(inputs, 0, 3)
    return [(dtype_of(inputs, 0), (batch, int(attributes["num_heads"]), length, length))]


ATTENTION_RULES: Mapping[str, Rule] = {
    "Attention": _attention, "DecoderAttention": _decoder_attention,
    "DecoderMaskedMultiHeadAttention": _masked_decoder, "DecoderMaskedSelfAttention": _attention,
    "GatedRelativePositionBias": _gated_positions, "GroupQueryAttention": _grouped_attention,
    "MultiHeadAttention": _multi_head_attention, "PackedAttention": _packed_attention, "QAttention": _attention,
    "RelativePositionBias": _relative_positions, "SparseAttention": _grouped_attention,
}  # fmt: skip
"""By operator."""

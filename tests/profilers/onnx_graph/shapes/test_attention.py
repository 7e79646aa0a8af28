"""Shapes of attention operators, their caches included."""

import numpy as np
import pytest

from profilers.onnx_graph.shapes.attention import ATTENTION_RULES
from profilers.onnx_graph.values import Dims, Value


def outputs(operator: str, *dims: Dims | None, **attributes: object) -> list[Dims | None]:
    inputs = [None if item is None else Value(f"x{at}", "float32", item) for at, item in enumerate(dims)]
    return [found for _, found in ATTENTION_RULES[operator](inputs, attributes)]


@pytest.mark.parametrize(
    ("operator", "dims", "attributes", "expected"),
    [
        ("Attention", [(2, 5, 8), (8, 24), (24,)], {"num_heads": 2}, [(2, 5, 8), (2, 2, 2, 5, 4)]),
        ("Attention", [(2, 5, 8), (8, 24), (24,), None, (2, 2, 2, 3, 4)], {"num_heads": 2},
         [(2, 5, 8), (2, 2, 2, 8, 4)]),
        ("Attention", [(2, 5, 8), (8, 20), (20,)], {"num_heads": 2, "qkv_hidden_sizes": (8, 8, 4)},
         [(2, 5, 4), (2, 2, 2, 5, 2)]),
        ("MultiHeadAttention", [(2, 5, 8), (2, 6, 8), (2, 6, 8)], {"num_heads": 2},
         [(2, 5, 8), (2, 2, 6, 4), (2, 2, 6, 4)]),
        ("MultiHeadAttention", [(2, 5, 2, 3, 4)], {"num_heads": 2}, [(2, 5, 8), (2, 2, 5, 4), (2, 2, 5, 4)]),
        ("GroupQueryAttention", [(1, 5, 32), (1, 5, 16), (1, 5, 16), (1, 2, 64, 8), (1, 2, 64, 8)],
         {"num_heads": 4, "kv_num_heads": 2}, [(1, 5, 32), (1, 2, 64, 8), (1, 2, 64, 8)]),
        ("GroupQueryAttention", [(1, 5, 64)], {"num_heads": 4, "kv_num_heads": 2}, [(1, 5, 32), None, None]),
        ("DecoderAttention", [(5, 2, 8), (6, 2, 8)], {"num_heads": 2}, [(5, 2, 8), (2, 2, 6, 4), (2, 2, 6, 4)]),
    ],
)  # fmt: skip
def test_attention_and_its_cache(
    operator: str, dims: list[Dims | None], attributes: dict[str, object], expected: list[Dims | None]
) -> None:
    assert outputs(operator, *dims, **attributes) == expected


def test_a_cache_grows_where_what_comes_does_not_fit() -> None:
    total = Value("total", "int32", (1,), data=np.array([100], np.int32))
    past = [Value(name, "float32", (1, 2, 64, 8)) for name in ("k", "v")]
    query = [Value("q", "float32", (1, 1, 32)), *(Value(name, "float32", (1, 1, 16)) for name in ("a", "b"))]
    rule = ATTENTION_RULES["GroupQueryAttention"]
    found = rule([*query, *past, None, total], {"num_heads": 4, "kv_num_heads": 2})
    assert [dims for _, dims in found] == [(1, 1, 32), (1, 2, 100, 8), (1, 2, 100, 8)]


def test_an_unknown_query_leaves_all_open() -> None:
    assert outputs("MultiHeadAttention", None, num_heads=2) == [None] * 3

"""Usual calls are read as what they ask for, and whatever is unusual is left alone."""

import json
from typing import Any

import pytest

from service.api.quick_calls import QuickCall, read_call
from service.settings import Settings

SETTINGS = Settings(max_predict_items=3, max_predict_columns=6)
ITEMS = [{"space": "s", "text": "a"}, {"space": "s", "text": "b"}]


def read(body: Any) -> QuickCall | None:
    return read_call(json.dumps(body).encode(), SETTINGS)


def test_lists_and_columns_are_read() -> None:
    call = read({"target": "t", "items": ITEMS, "level": 0.5})
    assert call == QuickCall(targets=["t"], several=False, space="s", texts=["a", "b"], level=0.5, columns=False)
    assert (call.form, call.count) == ("list", 2)
    call = read({"targets": ["t", "u"], "space": "s", "texts": ["a", "b", "c"]})
    assert call == QuickCall(
        targets=["t", "u"], several=True, space="s", texts=["a", "b", "c"], level=0.9, columns=True
    )
    assert (call.form, call.count) == ("columns", 6)


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"items": ITEMS},
        {"target": "t", "targets": ["t"], "items": ITEMS},
        {"targets": [], "items": ITEMS},
        {"targets": "tu", "items": ITEMS},
        {"targets": ["t"] * 101, "space": "s", "texts": ["a"]},
        {"target": 7, "items": ITEMS},
        {"target": "t", "items": ITEMS * 2},
        {"target": "t", "items": "ab"},
        {"target": "t", "items": [*ITEMS, {"space": "other", "text": "a"}]},
        {"target": "t", "items": [{"space": "s", "text": "a", "dims": {}}]},
        {"target": "t", "items": ITEMS, "include": ["macs"]},
        {"target": "t", "space": "s", "texts": ["a"] * 7},
        {"targets": ["t", "u"], "space": "s", "texts": ["a"] * 4},
        {"target": "t", "space": None, "texts": ["a"]},
        {"target": "t", "space": "s", "texts": ["a" * 3000]},
        {"target": "t", "space": "s", "texts": []},
        {"target": "t", "space": "s", "texts": ["a"], "level": 1},
        {"target": "t", "space": "s", "texts": ["a"], "level": 1.5},
        {"target": "t", "space": "s", "texts": ["a"], "level": 1 - 2**-53},
        {"target": "t", "space": "s", "texts": ["a"], "level": 5e-324},
    ],
)
def test_whatever_is_unusual_is_left_to_the_route(body: Any) -> None:
    assert read(body) is None


def test_what_is_no_json_is_left_to_the_route() -> None:
    for text in (b"", b"{", b"\xff", b'{"target": NaN}', b"[" * 1000):
        assert read_call(text, SETTINGS) is None

"""Networks of search loops as items and calls."""

from pathlib import Path

import onnx
import pytest

from latcast import item
from latcast.loops import networks
from latcast.loops.networks import columns_call, item_calls, item_of, parts_of
from latcast.schema import InputError

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light/light_squeezenet.onnx"
HASH = "g1-" + "0" * 64


def test_everything_that_names_a_network_is_an_item() -> None:
    expected = item(onnx=LIGHT)
    assert item_of(LIGHT) == item_of(str(LIGHT)) == item_of(LIGHT.read_bytes()) == expected
    assert item_of(HASH) == {"graph": HASH}
    assert item_of({"space": "toy", "text": "x"}) == {"space": "toy", "text": "x"}


def test_what_names_none_is_refused() -> None:
    with pytest.raises(InputError, match="not 3"):
        item_of(3)


def test_calls_have_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "ITEMS_OF_CALL", 2)
    monkeypatch.setattr(networks, "BYTES_OF_CALL", 8)
    small, large = {"graph": "g"}, {"onnx": "123456"}
    calls = item_calls("t", [small, small, small, large, large], 0.5)
    assert [call["items"] for call in calls] == [[small, small], [small, large], [large]]
    assert {call["level"] for call in calls} == {0.5}
    assert parts_of(["a", "b", "c"], most=2) == [["a", "b"], ["c"]]
    assert columns_call("t", "toy", ("a",), 0.5) == {"target": "t", "space": "toy", "texts": ["a"], "level": 0.5}

"""Hashes of known networks never change: thousands of measured rows are found by them."""

import json
from pathlib import Path

import onnx
import pytest

from profilers.onnx_graph import load_graph
from profilers.search_spaces import get_space

_KNOWN = json.loads((Path(__file__).parents[2] / "data/graph_hashes.json").read_text(encoding="utf-8"))
_LIGHT = Path(onnx.__file__).parent / "backend/test/data"


def _model(name: str) -> bytes:
    """`light/FILE` is a file of the onnx package, `SPACE/TEXT` an architecture."""
    space, text = name.split("/", 1)
    if space == "light":
        return (_LIGHT / name).read_bytes()
    found = get_space(space)
    return found.to_onnx(found.parse(text))


@pytest.mark.parametrize("name", _KNOWN)
def test_the_hash_of_a_known_network_stays(name: str):
    assert load_graph(_model(name)).hash == _KNOWN[name]

"""Networks that people name become items of `/predict`."""

from pathlib import Path

import pytest

from latcast import item
from latcast.schema import InputError
from service.cli.forecast.networks import item_of, read_model
from service.cli.shapes import Sizes

NONE = Sizes(shapes={}, dims={})


def test_a_network_is_a_text_a_hash_or_a_file(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"model")
    assert item_of("text", space="zoo", graph=False, sizes=NONE) == item(space="zoo", text="text")
    assert item_of("g1-x", space=None, graph=True, sizes=NONE) == item(graph="g1-x")
    read = item_of(str(path), space=None, graph=False, sizes=Sizes(shapes={"x": (1, 3)}, dims={"n": 2}))
    assert read == item(onnx=b"model", shapes={"x": (1, 3)}, dims={"n": 2})


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"missing\.onnx.*--space"):
        read_model(tmp_path / "missing.onnx")
    with pytest.raises(InputError, match="directory"):
        read_model(tmp_path)

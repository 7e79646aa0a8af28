"""Items for `Client.predict`."""

import json

from latcast import item


def test_items_hold_only_what_was_given() -> None:
    assert item(space="s", text="t") == {"space": "s", "text": "t"}
    assert item(graph="g") == {"graph": "g"}
    assert item() == {}


def test_models_are_written_in_base64_with_their_shapes_as_lists() -> None:
    assert json.dumps(item(onnx=b"abc", shapes={"x": (1, 2)})) == '{"onnx": "YWJj", "shapes": {"x": [1, 2]}}'
    assert item(onnx=b"") == {"onnx": ""}

"""Networks as the service is asked about them."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from latcast.schema import GraphHash, to_plain

__all__ = ["item"]


def item(
    *,
    space: str | None = None,
    text: str | None = None,
    graph: GraphHash | None = None,
    onnx: bytes | None = None,
    shapes: Mapping[str, Sequence[int]] | None = None,
) -> dict[str, Any]:
    """One item for `Client.predict`: `space` with `text`, or `graph`, or `onnx` with `shapes`."""
    encoded = None if onnx is None else base64.b64encode(onnx).decode()
    members = {"space": space, "text": text, "graph": graph, "onnx": encoded, "shapes": shapes and to_plain(shapes)}
    return {name: value for name, value in members.items() if value is not None}

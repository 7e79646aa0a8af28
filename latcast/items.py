"""Networks as the service is asked about them."""

import base64
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

from latcast.onnx_files import without_weights
from latcast.schema import GraphHash, to_plain

__all__ = ["item"]


def item(
    *,
    space: str | None = None,
    text: str | None = None,
    graph: GraphHash | None = None,
    onnx: bytes | str | PathLike[str] | None = None,
    shapes: Mapping[str, Sequence[int]] | None = None,
    dims: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """One item for `Client.predict`.

    Args:
        space: search space of an architecture, with its `text`.
        text: of the architecture.
        graph: hash of a graph that was uploaded, or its beginning (8 digits or more).
        onnx: an ONNX model, its bytes or its path; its weights are left out, as no forecast needs them.
        shapes: for `onnx`, the whole shape of each input with dynamic dimensions, by input name.
        dims: for `onnx`, the size of each symbol of such dimensions, by symbol.

    Raises:
        InputError: the model cannot be read, or what lies beside it.
    """
    encoded = None if onnx is None else base64.b64encode(without_weights(onnx)).decode()
    members = {"space": space, "text": text, "graph": graph, "onnx": encoded, "shapes": shapes, "dims": dims}
    return {name: to_plain(value) for name, value in members.items() if value is not None}

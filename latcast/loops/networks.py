"""Networks as search loops have them, planned into calls of `POST /v1/predict`."""

import re
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from latcast.columns import MOST_COLUMNS
from latcast.items import item
from latcast.loops.torch_modules import is_module, onnx_of
from latcast.schema import InputError

__all__ = ["ITEMS_OF_CALL", "Network", "columns_call", "item_calls", "item_of", "parts_of"]

Network = Any
"""A text (with a space), the path or the bytes of an ONNX model, a torch module (with shapes of its inputs), the hash
of an uploaded graph or its beginning (`g1-` and 8 digits or more), or what `latcast.item` made."""

HASH = re.compile(r"g[0-9]+-[0-9a-f]{8,64}")
"""A hash, or a beginning of one that the service may take for it."""
ITEMS_OF_CALL = 500
BYTES_OF_CALL = 32 * 2**20
"""Items of one call, and base64 bytes of their models: more are asked about in several calls."""


def item_of(
    network: Network,
    *,
    inputs: Sequence[Sequence[int]] | None = None,
    shapes: Mapping[str, Sequence[int]] | None = None,
    dims: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """What the service is asked about a network that is no text.

    Args:
        network: see `Network`.
        inputs: shapes of a torch module's inputs, in order.
        shapes: whole shape of each input of an ONNX model that has dynamic dimensions, by input name.
        dims: size of each symbol of such dimensions.

    Raises:
        InputError: it is nothing of all that, or cannot be read.
    """
    if isinstance(network, Mapping):
        return dict(network)
    if isinstance(network, str) and HASH.fullmatch(network):
        return item(graph=network)
    if isinstance(network, bytes | str | PathLike):
        path = Path(network) if isinstance(network, str) else network
        return item(onnx=path, shapes=shapes, dims=dims)
    if is_module(network):
        if inputs is None:
            raise InputError(
                "A torch module needs `inputs`, the shape of each of its inputs: inputs=[(1, 3, 224, 224)]."
            )
        return item(onnx=onnx_of(network, inputs))
    raise InputError(
        f"A network is a text with `space`, a path, bytes, a torch module or an item, not {network!r:.100}."
    )


def parts_of(names: Sequence[str], *, most: int = MOST_COLUMNS) -> list[Sequence[str]]:
    """Texts in parts, each for a call."""
    return [names[start : start + most] for start in range(0, len(names), most)]


def columns_call(target: str, space: str, texts: Sequence[str], level: float) -> dict[str, Any]:
    """The body of a call that is answered in columns."""
    return {"target": target, "space": space, "texts": list(texts), "level": float(level)}


def item_calls(target: str, items: Sequence[Mapping[str, Any]], level: float) -> list[dict[str, Any]]:
    """The bodies of calls that ask for all items, in order."""
    return [{"target": target, "items": part, "level": float(level)} for part in _item_parts(items)]


def _item_parts(items: Sequence[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    part, size = list[Mapping[str, Any]](), 0
    for one in items:
        taken = len(one.get("onnx", ""))
        if part and (len(part) >= ITEMS_OF_CALL or size + taken > BYTES_OF_CALL):
            yield part
            part, size = [], 0
        part.append(one)
        size += taken
    if part:
        yield part

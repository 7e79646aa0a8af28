"""The process that reads hostile models for a `ReaderPool` (`profilers.host.long_lived`).

It is limited before it reads a byte of a model, and may write no file. Packages above this one add parts of their own
to `PARTS`, and are programs of their own.
"""

import gc
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from latcast.schema import Architecture, Graph, InputError, InvalidModelError
from latcast.schema.counting import counted
from profilers.host.child_limits import resident_bytes
from profilers.host.long_lived import Requests
from profilers.onnx_graph.bounds import check_bounds
from profilers.onnx_graph.isolated.arrays import Arrays, bytes_array, pack_arrays
from profilers.onnx_graph.isolated.encoding import encode_error, encode_graph
from profilers.onnx_graph.limits import Limits
from profilers.onnx_graph.reading import change_batch, load_graph
from profilers.onnx_graph.remarks import described, remarks_of
from profilers.onnx_graph.weights import strip_weights
from profilers.plugins import plugin

__all__ = ["PARTS", "Opened", "PartReader", "answered", "open_model", "serve"]

RETIRES_ABOVE = 0.5
"""Share of its memory that a worker may hold between models: beyond that it has kept too much, and ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A model that was read.

    Args:
        graph: its record.
        model: its bytes.
        shapes: whole shape of each input that has dynamic dimensions, by input name.
        dims: size of each symbol of such dimensions, by symbol.
        limits: caps on it.
    """

    graph: Graph
    model: bytes
    shapes: Mapping[str, Sequence[int]] | None
    dims: Mapping[str, int] | None
    limits: Limits

    def stripped(self) -> bytes:
        """The model with its shapes bound and its weights stripped."""
        return strip_weights(self.model, shapes=self.shapes, dims=self.dims, limits=self.limits)


PartReader = Callable[..., tuple[Any, Arrays]]
"""A function of an `Opened` model, and of what else the part depends on: (JSON values, arrays)."""


def _record(opened: Opened) -> tuple[Any, Arrays]:
    return None, {"bytes": bytes_array(encode_graph(opened.graph))}


def _summary(opened: Opened) -> tuple[Any, Arrays]:
    return described(opened.graph), {}


def _model(opened: Opened) -> tuple[Any, Arrays]:
    return None, {"bytes": bytes_array(opened.stripped())}


def _compressed_model(opened: Opened) -> tuple[Any, Arrays]:
    return None, {"bytes": bytes_array(zlib.compress(opened.stripped()))}


PARTS: Mapping[str, PartReader] = {
    "record": _record,
    "summary": _summary,
    "model": _model,
    "compressed_model": _compressed_model,
}
"""What can be read of a model, by name."""


def serve(requests: Requests, parts: Mapping[str, PartReader] = PARTS) -> None:
    """Answer requests until there are no more.

    Args:
        requests: of the parent.
        parts: what can be asked for.
    """
    limits = Limits(**requests.setup["limits"])
    gc.freeze()
    gc.disable()  # a model makes thousands of records and hardly a cycle: collected between models, not within
    for header, payload in requests:
        answer, content = answered(header, payload, limits, parts, requests.limits.memory_bytes)
        del payload
        gc.collect(1)
        answer["retires"] = resident_bytes() > RETIRES_ABOVE * requests.limits.memory_bytes
        requests.answer(answer, *content)


def answered(
    header: dict[str, Any], payload: bytes, limits: Limits, parts: Mapping[str, PartReader], memory_bytes: int = 2**40
) -> tuple[dict[str, Any], list[bytes]]:
    """The answer to a request: whatever a hostile file provokes is one, not the end."""
    subject = "Building the network" if header["operation"] == "build" else "Reading the model"
    try:
        opened = open_model(header, payload, limits)
        check_bounds(opened.graph)
        read = [_part(opened, part, parts, subject, memory_bytes) for part in header["parts"]]
        described, content = pack_arrays(
            {f"{place}.{name}": array for place, (_, arrays) in enumerate(read) for name, array in arrays.items()}
        )
    except Exception as error:  # noqa: BLE001 - see above
        return {"error": encode_error(_explained(error, subject, memory_bytes))}, []
    graph = opened.graph
    head = {
        "hash": graph.hash,
        "flops": graph.flops,
        "size": graph.size,
        "remarks": list(remarks_of(graph)),
        "parts": [plain for plain, _ in read],
        "arrays": described,
    }
    return head, content


def _part(
    opened: Opened, part: Sequence[Any], parts: Mapping[str, PartReader], subject: str, memory_bytes: int
) -> tuple[dict[str, Any], Arrays]:
    try:
        plain, arrays = parts[part[0]](opened, *part[1:])
    except Exception as error:  # noqa: BLE001 - one part's error must not spoil the others
        return {"error": encode_error(_explained(error, subject, memory_bytes))}, {}
    return {"plain": plain}, arrays


def _explained(error: Exception, subject: str, memory_bytes: int) -> InputError:
    if isinstance(error, InputError):
        return error
    if isinstance(error, MemoryError):
        return InvalidModelError(
            f"{subject} takes more than {counted(memory_bytes, 'byte')} of memory; make it smaller."
        )
    return InvalidModelError(f"{subject} failed ({type(error).__name__}); check it with onnx.checker.")


def open_model(header: Mapping[str, Any], payload: bytes, limits: Limits) -> Opened:
    """The model that a request names, read.

    Raises:
        InputError: as `load_graph`, or the text is none of a search space that is registered.
    """
    if header["operation"] == "build":
        architecture = Architecture(space=header["space"], text=header["text"])
        space = _space(architecture.space)
        if "place" in header:
            built = space.part_to_onnx(architecture, header["place"], tuple(header["shape"]))
        else:
            built = space.to_onnx(architecture)
        return Opened(graph=load_graph(built, limits=limits), model=built, shapes=None, dims=None, limits=limits)
    content = _content(header, payload, limits)
    if header["batch"] is not None:
        content = change_batch(content, header["batch"], limits=limits)
    shapes, dims = header["shapes"], header["dims"]
    graph = load_graph(content, shapes=shapes, dims=dims, limits=limits)
    return Opened(graph=graph, model=content, shapes=shapes, dims=dims, limits=limits)


def _content(header: Mapping[str, Any], payload: bytes, limits: Limits) -> bytes:
    if not header["compressed"]:
        return payload
    unpacking = zlib.decompressobj()
    content = unpacking.decompress(payload, limits.model_bytes + 1)
    limits.check("model_bytes", len(content), "bytes")
    return content


@lru_cache(maxsize=64)
def _space(name: str) -> Any:
    return plugin("search_spaces", name)()


if __name__ == "__main__":
    serve(Requests.of_this_process())

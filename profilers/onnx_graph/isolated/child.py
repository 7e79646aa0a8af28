"""The process that reads hostile models for a `GraphLoader` (`profilers.host.long_lived`).

It is limited before it reads a byte of a model, and may write no file.
"""

import gc
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from latcast.schema import Architecture, InputError, InvalidModelError
from profilers.host.long_lived import Requests
from profilers.onnx_graph.isolated.arrays import Arrays, bytes_array, pack_arrays
from profilers.onnx_graph.isolated.encoding import encode_error, encode_graph
from profilers.onnx_graph.limits import Limits
from profilers.onnx_graph.reading import bind_shapes, change_batch, load_graph
from profilers.onnx_graph.weights import strip_weights
from profilers.plugins import plugin

__all__ = ["serve"]


def serve(requests: Requests) -> None:
    """Answer requests until there are no more."""
    limits = Limits(**requests.setup["limits"])
    gc.freeze()
    gc.disable()  # a model makes thousands of records and hardly a cycle: collected between models, not within
    for header, payload in requests:
        _answer(requests, header, payload, limits)
        gc.collect(1)


def _answer(requests: Requests, header: dict[str, Any], payload: bytes, limits: Limits) -> None:
    subject, operation = _OPERATIONS[header["operation"]]
    try:
        described, parts = pack_arrays(operation(header, payload, limits))
        requests.answer({"arrays": described}, *parts)
    except InputError as error:
        _refuse(requests, error)
    except MemoryError:
        memory_bytes = requests.limits.memory_bytes
        text = f"{subject} takes more than {memory_bytes:,} bytes of memory; make it smaller."
        _refuse(requests, InvalidModelError(text))
    except Exception as error:  # noqa: BLE001 - whatever a hostile file provokes is an answer, not the end
        text = f"{subject} failed ({type(error).__name__}); check it with onnx.checker."
        _refuse(requests, InvalidModelError(text))


def _refuse(requests: Requests, error: InputError) -> None:
    requests.answer({"error": encode_error(error)})


def _read(header: dict[str, Any], payload: bytes, limits: Limits) -> Arrays:
    """The graph of a model and, where wanted, the model with its shapes bound and its weights stripped."""
    shapes, dims, batch = header["shapes"], header["dims"], header["batch"]
    if batch is not None:
        payload = change_batch(payload, batch, limits=limits)
    arrays = {"graph": bytes_array(encode_graph(load_graph(payload, shapes=shapes, dims=dims, limits=limits)))}
    if header["strip"]:
        bound = bind_shapes(payload, shapes, dims=dims, limits=limits) if shapes or dims else payload
        arrays["model"] = bytes_array(strip_weights(bound, limits=limits))
    return arrays


def _build(header: dict[str, Any], payload: bytes, limits: Limits) -> Arrays:
    """The same for the network that a text of a search space names."""
    architecture = Architecture(space=header["space"], text=header["text"])
    return _read(
        {**header, "shapes": None, "dims": None, "batch": None},
        _space(architecture.space).to_onnx(architecture),
        limits,
    )


@lru_cache(maxsize=64)
def _space(name: str) -> Any:
    return plugin("search_spaces", name)()


_OPERATIONS: dict[str, tuple[str, Callable[[dict[str, Any], bytes, Limits], Arrays]]] = {
    "read": ("Reading the model", _read),
    "build": ("Building the network", _build),
}
"""What can be asked for: its name for people, and the function."""


if __name__ == "__main__":
    serve(Requests.of_this_process())

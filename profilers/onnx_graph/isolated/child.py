"""The process that reads hostile models for a `GraphLoader`.

Started as `python -m profilers.onnx_graph.isolated.child <settings>`.
It limits itself before it reads a byte, answers one request after the other and ends when its standard input does.
"""

import gc
import json
import os
import resource
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

from latcast.schema import Architecture, InputError, InvalidModelError
from profilers.host.messages import read_message, write_message
from profilers.onnx_graph.isolated.arrays import Arrays, bytes_array, pack_arrays
from profilers.onnx_graph.isolated.encoding import encode_error, encode_graph
from profilers.onnx_graph.limits import Limits
from profilers.onnx_graph.reading import bind_shapes, load_graph
from profilers.onnx_graph.weights import strip_weights
from profilers.plugins import plugin

__all__ = ["main"]


def main(settings: str) -> None:
    """Serve requests from standard input to standard output until it closes."""
    given = json.loads(settings)
    limits = Limits(**given["limits"])
    _limit_self(int(given["memory_bytes"]))
    requests, answers = sys.stdin.buffer, _claim_stdout()
    gc.freeze()
    gc.disable()  # a model makes thousands of records and hardly a cycle: collected between models, not within
    write_message(answers, {"ready": True})
    while (message := read_message(requests, largest=2**40)) is not None:
        _answer(answers, *message, limits, int(given["memory_bytes"]))
        gc.collect(1)


def _claim_stdout() -> IO[bytes]:
    """Standard output for messages alone; whatever native code prints goes nowhere."""
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return answers


def _answer(answers: IO[bytes], header: dict[str, Any], payload: bytes, limits: Limits, memory_bytes: int) -> None:
    subject, operation = _OPERATIONS[header["operation"]]
    try:
        described, parts = pack_arrays(operation(header, payload, limits))
        write_message(answers, {"arrays": described}, *parts)
    except InputError as error:
        write_message(answers, {"error": encode_error(error)})
    except MemoryError:
        text = f"{subject} takes more than {memory_bytes:,} bytes of memory; make it smaller."
        write_message(answers, {"error": encode_error(InvalidModelError(text))})
    except Exception as error:  # noqa: BLE001 - whatever a hostile file provokes is an answer, not the end
        text = f"{subject} failed ({type(error).__name__}); check it with onnx.checker."
        write_message(answers, {"error": encode_error(InvalidModelError(text))})


def _read(header: dict[str, Any], payload: bytes, limits: Limits) -> Arrays:
    """The graph of a model and, where wanted, the model with its shapes bound and its weights stripped."""
    shapes = header["shapes"]
    arrays = {"graph": bytes_array(encode_graph(load_graph(payload, shapes=shapes, limits=limits)))}
    if header["strip"]:
        bound = bind_shapes(payload, shapes, limits=limits) if shapes else payload
        arrays["model"] = bytes_array(strip_weights(bound, limits=limits))
    return arrays


def _build(header: dict[str, Any], payload: bytes, limits: Limits) -> Arrays:
    """The same for the network that a text of a search space names."""
    architecture = Architecture(space=header["space"], text=header["text"])
    return _read({**header, "shapes": None}, _space(architecture.space).to_onnx(architecture), limits)


@lru_cache(maxsize=64)
def _space(name: str) -> Any:
    return plugin("search_spaces", name)()


_OPERATIONS: dict[str, tuple[str, Callable[[dict[str, Any], bytes, Limits], Arrays]]] = {
    "read": ("Reading the model", _read),
    "build": ("Building the network", _build),
}
"""What can be asked for: its name for people, and the function."""


def _limit_self(memory_bytes: int) -> None:
    """Cap the address space at what the interpreter has now plus `memory_bytes`; write no files, dump no core."""
    statm = Path("/proc/self/statm")
    used = int(statm.read_text().split()[0]) * resource.getpagesize() if statm.exists() else 2**30
    for kind, value in (
        (resource.RLIMIT_AS, used + memory_bytes),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        capped = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (capped, capped))


if __name__ == "__main__":
    main(sys.argv[1])

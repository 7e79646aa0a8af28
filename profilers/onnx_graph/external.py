"""Weights that lie in files beside a model, taken into it.

Only files in the model's own folder, or below it, are read: where a path leads elsewhere, the model is refused.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto

from latcast.schema import InvalidModelError
from profilers.onnx_graph.limits import Limits

__all__ = ["inline_external_data"]

_DEFAULT = Limits()
_MARK = b"location"
"""Every tensor that lies elsewhere has this key, and few other models hold the word."""


def inline_external_data(model: bytes, folder: Path, *, limits: Limits = _DEFAULT) -> bytes:
    """The model with the data of files beside it inside; the same bytes where it refers to none.

    Args:
        model: a whole ONNX file.
        folder: that it lies in.
        limits: `model_bytes` caps the result, `depth` how deep bodies are nested.

    Raises:
        InvalidModelError: a path that leads out of the folder, a file that is missing or too short.
        ModelLimitError: all together is too large.
    """
    limits.check("model_bytes", len(model), "bytes")
    if _MARK not in model:
        return model
    try:
        proto = ModelProto.FromString(model)
    except DecodeError:
        return model  # whoever loads it says what is wrong with it
    size, found = len(model), False
    for tensor in _tensors(proto, limits):
        if tensor.data_location == TensorProto.EXTERNAL:
            found = True
            data = _read(tensor, folder, limits)
            size += len(data)
            limits.check("model_bytes", size, "bytes, with what lies beside the model")
            tensor.raw_data = data
            tensor.ClearField("external_data")
            tensor.ClearField("data_location")
    return bytes(proto.SerializeToString()) if found else model


def _tensors(model: ModelProto, limits: Limits) -> Iterator[TensorProto]:
    pending: list[tuple[GraphProto, int]] = [(model.graph, 0)]
    nodes: list[tuple[NodeProto, int]] = [(node, 0) for function in model.functions for node in function.node]
    while pending or nodes:
        if pending:
            graph, depth = pending.pop()
            limits.check("depth", depth, "nested bodies")
            yield from graph.initializer
            nodes.extend((node, depth) for node in graph.node)
            continue
        node, depth = nodes.pop()
        for attribute in node.attribute:
            yield from _attribute_tensors(attribute)
            pending.extend((body, depth + 1) for body in (*attribute.graphs, attribute.g) if body.node)


def _attribute_tensors(attribute: AttributeProto) -> Iterator[TensorProto]:
    if attribute.HasField("t"):
        yield attribute.t
    yield from attribute.tensors


def _read(tensor: TensorProto, folder: Path, limits: Limits) -> bytes:
    where = {entry.key: entry.value for entry in tensor.external_data}
    path = _path(where.get("location", ""), tensor.name, folder)
    offset = _number(where, "offset", tensor.name) or 0
    length = _number(where, "length", tensor.name)
    try:
        size = path.stat().st_size
        wanted = size - offset if length is None else length
        if offset + wanted > size or wanted < 0:
            raise InvalidModelError(f"The file {path.name!r} beside the model has {size:,} bytes, too few for the "
                                    f"tensor {tensor.name!r}: copy it again.")  # fmt: skip
        limits.check("tensor_bytes", wanted, f"bytes of the tensor {tensor.name!r}")
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(wanted)
    except OSError as error:
        raise InvalidModelError(f"The tensor {tensor.name!r} lies in {path.name!r} beside the model, which cannot be "
                                f"read: {error.strerror}.") from error  # fmt: skip


def _path(location: str, name: str, folder: Path) -> Path:
    home = folder.resolve()
    path = (home / location).resolve() if location and "\0" not in location else home
    if path == home or not path.is_relative_to(home) or Path(location).is_absolute():
        raise InvalidModelError(f"The tensor {name!r} lies in {location[:100]!r}, which is no file in the model's "
                                "folder: export the model with its data beside it.")  # fmt: skip
    return path


def _number(where: Mapping[str, str], key: str, name: str) -> int | None:
    text = where.get(key)
    if text is None:
        return None
    if not text.isdecimal() or len(text) > 18:
        raise InvalidModelError(f"The {key} {text[:40]!r} of the tensor {name!r} is no number.")
    return int(text)

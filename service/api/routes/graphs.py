"""Graphs: upload, look at, fetch."""

import json
from collections.abc import Iterator
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import TypeAdapter, ValidationError

from latcast.schema import Architecture, InputError, InvalidModelError
from predictors.foreign.drawn_nodes import NODES, DrawnNodes
from profilers.onnx_graph.isolated.model_file import ModelFile
from profilers.onnx_graph.isolated.pool import ForeignModel
from service.api import schemas, views
from service.api.deps import ModelReader, PartsOf, Reader
from service.api.door.bodies import Body
from service.api.door.routes import Route
from service.graphs import store

__all__ = ["router"]

T = TypeVar("T")

router = APIRouter(tags=["graphs"], route_class=Route)
OCTET_STREAM = "application/octet-stream"
GZIP_MAGIC = b"\x1f\x8b"
LOOKED_AT_BYTES = 1000
_shapes = TypeAdapter(schemas.Shapes)
_dims = TypeAdapter(schemas.Dims)

Shapes = Annotated[
    str | None,
    Query(
        max_length=20_000,
        description="JSON object: whole shape of each input with dynamic dimensions.",
        examples=['{"x": [1, 3, 224, 224]}'],
    ),
]
Dims = Annotated[
    str | None,
    Query(
        max_length=20_000,
        description="JSON object: size of each symbol of such dimensions; whole shapes count before them.",
        examples=['{"batch": 1, "seq": 128}'],
    ),
]

HashOrBeginning = Annotated[str, Path(description="Hash of a graph, or its first 8 hexadecimal digits or more.")]


MODEL_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            OCTET_STREAM: {
                "schema": {"type": "string", "format": "binary", "description": "An ONNX model, weights or not."}
            }
        },
    }
}


@router.post("/graphs", status_code=201, openapi_extra=MODEL_BODY)
def upload_graph(
    request: Request, parts: PartsOf, _caller: Reader, shapes: Shapes = None, dims: Dims = None
) -> schemas.GraphOut:
    """Store a model's graph. Weights are left out; the same graph twice is once."""
    body: Body = request.state.body
    body.file.seek(0)
    _require_no_other_kind(body.file.read(LOOKED_AT_BYTES))
    model = ModelFile(body.file)
    try:
        prepared = store.prepare(parts.reader, model, shapes=parse_shapes(shapes), dims=parse_dims(dims))
    except InvalidModelError as error:
        raise _explained(error, request.headers.get("content-type", "")) from error
    with parts.database.write.begin() as session:
        return views.graph_out(session, store.find(session, store.save(session, prepared)))


def _require_no_other_kind(start: bytes) -> None:
    """Name what is often sent in a model's place.

    Raises:
        InvalidModelError: it is that.
    """
    if start.startswith(GZIP_MAGIC):
        raise InvalidModelError("These bytes are packed with gzip: unpack them, or send Content-Encoding: gzip.")
    if start.startswith(b"PK\3\4"):
        raise InvalidModelError("These bytes are a ZIP archive, not an ONNX model: unpack it and send the .onnx file.")
    if start.startswith(b"--") and b"Content-Disposition" in start:
        raise InvalidModelError("The body is a form, as `curl -F` sends it: send the file alone, with --data-binary.")
    if start.lstrip().startswith((b"{", b"[")):
        raise InvalidModelError("The body is JSON: send the model's bytes here; JSON with models is for POST /predict.")


def _explained(error: InvalidModelError, content_type: str) -> InvalidModelError:
    """The error, with what `curl -d` does to files where that may be why."""
    if not content_type.startswith("application/x-www-form-urlencoded") or type(error) is not InvalidModelError:
        return error
    return InvalidModelError(f"{error} If `curl -d` sent it: that drops line ends; use --data-binary.")


@router.post("/architectures", status_code=201)
def upload_architecture(body: schemas.ArchitectureRef, parts: PartsOf, _caller: Reader) -> schemas.GraphOut:
    """Build the graph of an architecture's text and store it."""
    architecture = Architecture(space=body.space, text=body.text)
    prepared = store.prepare_architecture(parts.reader, architecture)
    with parts.database.write.begin() as session:
        return views.graph_out(session, store.find(session, store.save(session, prepared)))


def parse_shapes(text: str | None) -> dict[str, Any] | None:
    """The shapes that a query parameter holds.

    Raises:
        InputError: not a JSON object of lists of sizes.
    """
    return _parsed(_shapes, text, 'shapes: give a JSON object such as {"x": [1, 3, 224, 224]}, sizes from 0 up.')


def parse_dims(text: str | None) -> dict[str, int] | None:
    """The sizes of symbols that a query parameter holds.

    Raises:
        InputError: not a JSON object of sizes.
    """
    return _parsed(_dims, text, 'dims: give a JSON object such as {"batch": 1, "seq": 128}, sizes from 0 up.')


def _parsed(kind: TypeAdapter[T], text: str | None, problem: str) -> T | None:
    if text is None:
        return None
    try:
        return kind.validate_python(json.loads(text))
    except (ValidationError, ValueError, RecursionError):
        raise InputError(problem) from None


@router.get("/graphs/{graph_hash}")
def get_graph(graph_hash: HashOrBeginning, parts: PartsOf, _caller: Reader) -> schemas.GraphOut:
    """Operators, FLOPs, parameters, activations and arithmetic intensity of a stored graph."""
    with parts.database.read() as session:
        return views.graph_out(session, store.find(session, graph_hash))


@router.get("/graphs/{graph_hash}/nodes")
def list_nodes(graph_hash: HashOrBeginning, parts: PartsOf, _caller: Reader) -> schemas.NodesOut:
    """The nodes of a stored graph, what each reads of which, and its work: what there is to draw."""
    with parts.database.read() as session:
        row = store.find(session, graph_hash)
        whole, packed = row.hash, row.model
    read = parts.reader.read(ForeignModel(content=packed, compressed=True), [NODES])
    lasts = graph_hash == whole  # a beginning may be that of two graphs tomorrow
    headers = {"Cache-Control": "private, max-age=86400, immutable"} if lasts else {}
    content = b"".join(_nodes_json(read.hash, read.feature(NODES)))
    return Response(content, media_type="application/json", headers=headers)  # type: ignore[return-value]


def _nodes_json(graph_hash: str, nodes: DrawnNodes) -> Iterator[bytes]:
    """`NodesOut`, node by node: as objects all of them would take far more memory."""
    yield b'{"hash":"%s","nodes":[' % graph_hash.encode()
    for place, node in enumerate(nodes):
        yield (b"," if place else b"") + schemas.NodeOut.model_validate(node).model_dump_json().encode()
    yield b"]}"


@router.get("/graphs/{graph_hash}/model", response_class=Response, responses={200: {"content": {OCTET_STREAM: {}}}})
def get_model(graph_hash: HashOrBeginning, parts: PartsOf, _caller: ModelReader) -> Response:
    """The ONNX model without its weights; agents refill them from a seed."""
    with parts.database.read() as session:
        return Response(store.model_bytes(store.find(session, graph_hash)), media_type=OCTET_STREAM)

"""Graphs: upload, look at, fetch."""

import json
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Body, Query, Response
from pydantic import TypeAdapter, ValidationError

from latcast.schema import Architecture, InputError
from service.api import schemas, views
from service.api.deps import ModelReader, PartsOf, Reader
from service.graphs import store

__all__ = ["router"]

T = TypeVar("T")

router = APIRouter(tags=["graphs"])
OCTET_STREAM = "application/octet-stream"
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


@router.post("/graphs", status_code=201)
def upload(
    model: Annotated[bytes, Body(media_type=OCTET_STREAM, description="An ONNX model, weights or not.")],
    parts: PartsOf,
    _caller: Reader,
    shapes: Shapes = None,
    dims: Dims = None,
) -> schemas.GraphOut:
    """Store a model's graph. Weights are left out; the same graph twice is once."""
    prepared = store.prepare(parts.reader, model, shapes=parse_shapes(shapes), dims=parse_dims(dims))
    with parts.database.write.begin() as session:
        return views.graph_out(session, store.find(session, store.save(session, prepared)))


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
def show(graph_hash: str, parts: PartsOf, _caller: Reader) -> schemas.GraphOut:
    """Operators, FLOPs, parameters, activations and arithmetic intensity of a stored graph."""
    with parts.database.read() as session:
        return views.graph_out(session, store.find(session, graph_hash))


@router.get("/graphs/{graph_hash}/model", response_class=Response, responses={200: {"content": {OCTET_STREAM: {}}}})
def model(graph_hash: str, parts: PartsOf, _caller: ModelReader) -> Response:
    """The ONNX model without its weights; agents refill them from a seed."""
    with parts.database.read() as session:
        return Response(store.model_bytes(store.find(session, graph_hash)), media_type=OCTET_STREAM)

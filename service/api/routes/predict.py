"""Forecasts."""

import base64
import binascii
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic_core import to_json

from latcast.errors import ConflictError
from latcast.schema import InputError, LatcastError
from profilers.onnx_graph.isolated.model_file import ModelFile
from service.api import schemas
from service.api.deps import READERS, Parts, PartsOf, Reader
from service.api.door.routes import Route
from service.api.forecast_json import columns_json, form_of
from service.api.problems import problem_of
from service.forecasting.columns import answers_of
from service.forecasting.explanation import plain
from service.forecasting.types import Forecast, ForecasterLike
from service.graphs.resolver import Item

__all__ = ["router"]

SPACES = b" \t\r\n"
router = APIRouter(tags=["forecasts"], route_class=Route)
Answer = Forecast | LatcastError
Level = Annotated[float, Query(gt=0, lt=1, description="Probability that the interval holds the latency.")]
Nearest = Annotated[
    int, Query(ge=0, le=50, description="Most measured networks, and most proposals; 0 looks for neither.")
]


@router.post("/predict", response_model=schemas.PredictOut | schemas.PredictColumnsOut)
async def predict(body: schemas.PredictIn, request: Request, parts: PartsOf, caller: Reader) -> Response:
    """Forecast latencies on a target. What was measured is answered with the measurement; one bad item gets its own
    error and spoils no other. `items` are answered one by one, `texts` of a space and `graphs` in columns.
    """
    items = body.items or ()
    reads_models = body.graphs or any(isinstance(item, schemas.ItemIn) and (item.onnx or item.graph) for item in items)
    pool = parts.pools.models if reads_models else parts.pools.texts
    began, count = time.perf_counter(), len(body.items or body.texts or body.graphs or ())
    if not getattr(request.state, "counted", False):
        READERS.count_forecasts(caller, parts, request.client, count)
    answer = await pool.run(partial(_predict, body, parts, request.state.body.models))
    form = form_of(count, columns=body.items is None)
    parts.metrics.observe_forecasts(form, "route", time.perf_counter() - began)
    return answer


def _predict(body: schemas.PredictIn, parts: Parts, models: Mapping[str, ModelFile]) -> Response:
    if body.items is None:
        return _predict_columns(body, parts)
    if len(body.items) > parts.settings.max_predict_items:
        raise InputError(f"items: one call takes at most {parts.settings.max_predict_items} items; send several calls.")
    answers = _answer(parts.forecaster, body.target, [_item(item, models) for item in body.items], body.level)
    if all(isinstance(answer, ConflictError) for answer in answers):
        raise answers[0]  # type: ignore[misc]  # every one of them is
    parts.metrics.count_forecasts(answers)
    answer = {"target": body.target, "level": body.level, "items": [_out(answer) for answer in answers]}
    # A thousand answers are written in a few ms; checked against the model they would take as long as all the rest.
    return Response(to_json(answer, inf_nan_mode="null"), media_type="application/json")


def _predict_columns(body: schemas.PredictIn, parts: Parts) -> Response:
    names = body.texts or body.graphs or []
    if len(names) > (most := parts.settings.max_predict_columns):
        raise InputError(f"One call takes at most {most:,} networks in columns; send several calls.")
    items = [Item(space=body.space, text=name) if body.texts else Item(graph=name) for name in names]
    forecasts = parts.forecaster.forecast(body.target, items, body.level)
    if all(isinstance(answer, ConflictError) for answer in forecasts):
        raise forecasts[0]  # type: ignore[misc]  # every one of them is
    answers = answers_of(forecasts)
    parts.metrics.count_answers(answers)
    return Response(columns_json(body.target, body.level, answers), media_type="application/json")


@router.post("/targets/{target_id}/explain")
def explain(
    *,
    target_id: str,
    body: schemas.ItemIn,
    request: Request,
    parts: PartsOf,
    _caller: Reader,
    level: Level = 0.9,
    nearest: Nearest = 5,
) -> schemas.ExplanationOut:
    """Explain the forecast that `/predict` gives for an item: kernels, measured networks like it, and what to measure
    next. Takes seconds where many networks were measured.
    """
    item = _item(body, request.state.body.models)
    if isinstance(item, LatcastError):
        raise item
    explained = parts.forecaster.explain(target_id, item, level, most=nearest)
    return schemas.ExplanationOut(target=target_id, level=level, **plain(explained))


def _item(item: schemas.ItemIn | LatcastError, models: Mapping[str, ModelFile]) -> Item | LatcastError:
    if isinstance(item, LatcastError):
        return item
    if item.text is not None and item.space is not None and item.graph is None and item.onnx is None:
        return Item(space=item.space, text=item.text)
    given = [name for name in ("text", "graph", "onnx") if getattr(item, name) is not None]
    if len(given) != 1 or (item.space is None) == ("text" in given):
        return InputError("Give exactly one of: `space` with `text`, `graph` (a hash), or `onnx` (base64).")
    try:
        onnx = None if item.onnx is None else models.get(item.onnx) or _decoded(item.onnx)
    except (binascii.Error, ValueError):
        return InputError("onnx: not valid base64; encode the model's bytes in the standard alphabet.")
    shapes = {name: tuple(shape) for name, shape in item.shapes.items()}
    return Item(space=item.space, text=item.text, graph=item.graph, onnx=onnx, shapes=shapes, dims=item.dims)


def _decoded(text: str) -> bytes:
    """The bytes that base64 stands for; line breaks and blanks, as `base64` prints them, mean nothing."""
    return base64.b64decode(text.encode("ascii").translate(None, SPACES), validate=True)


def _answer(
    forecaster: ForecasterLike, target_id: str, items: Sequence[Item | LatcastError], level: float
) -> list[Answer]:
    """Answers in the items' order; those that are errors already stay so."""
    good = [item for item in items if isinstance(item, Item)]
    forecasts = iter(forecaster.forecast(target_id, good, level))
    return [next(forecasts) if isinstance(item, Item) else item for item in items]


def _out(answer: Answer) -> Forecast | dict[str, object]:
    """A forecast has the members of `schemas.ForecastOut`."""
    return {"error": problem_of(answer)} if isinstance(answer, LatcastError) else answer

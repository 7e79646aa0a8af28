"""Forecasts."""

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic_core import to_json

from latcast.errors import ConflictError
from latcast.schema import InputError, LatcastError
from service.api import schemas
from service.api.deps import PartsOf, Reader
from service.api.problems import problem_of
from service.forecasting.explanation import plain
from service.forecasting.types import Forecast, ForecasterLike
from service.graphs.resolver import Item

__all__ = ["router"]

router = APIRouter(tags=["forecasts"])
Answer = Forecast | LatcastError
Level = Annotated[float, Query(gt=0, lt=1, description="Probability that the interval holds the latency.")]
Nearest = Annotated[
    int, Query(ge=0, le=50, description="Most measured networks, and most proposals; 0 looks for neither.")
]


@router.post("/predict", response_model=schemas.PredictOut)
def predict(body: schemas.PredictIn, parts: PartsOf, _caller: Reader) -> Response:
    """Forecast latencies on a target. What was measured is answered with the measurement; one bad item gets its own
    error and spoils no other.
    """
    if len(body.items) > parts.settings.max_predict_items:
        raise InputError(f"items: one call takes at most {parts.settings.max_predict_items} items; send several calls.")
    answers = _answer(parts.forecaster, body.target, [_item(item) for item in body.items], body.level)
    if all(isinstance(answer, ConflictError) for answer in answers):
        raise answers[0]  # type: ignore[misc]  # every one of them is
    parts.metrics.count_forecasts(answers)
    answer = {"target": body.target, "level": body.level, "items": [_out(answer) for answer in answers]}
    # A thousand answers are written in a few ms; checked against the model they would take as long as all the rest.
    return Response(to_json(answer, inf_nan_mode="null"), media_type="application/json")


@router.post("/targets/{target_id}/explain")
def explain(
    target_id: str, body: schemas.ItemIn, parts: PartsOf, _caller: Reader, level: Level = 0.9, nearest: Nearest = 5
) -> schemas.ExplanationOut:
    """Explain the forecast that `/predict` gives for an item: kernels, measured networks like it, and what to measure
    next. Takes seconds where many networks were measured.
    """
    item = _item(body)
    if isinstance(item, LatcastError):
        raise item
    explained = parts.forecaster.explain(target_id, item, level, most=nearest)
    return schemas.ExplanationOut(target=target_id, level=level, **plain(explained))


def _item(item: schemas.ItemIn | LatcastError) -> Item | LatcastError:
    if isinstance(item, LatcastError):
        return item
    if item.text is not None and item.space is not None and item.graph is None and item.onnx is None:
        return Item(space=item.space, text=item.text)
    given = [name for name in ("text", "graph", "onnx") if getattr(item, name) is not None]
    if len(given) != 1 or (item.space is None) == ("text" in given):
        return InputError("Give exactly one of: `space` with `text`, `graph` (a hash), or `onnx` (base64).")
    try:
        onnx = None if item.onnx is None else base64.b64decode(item.onnx, validate=True)
    except (binascii.Error, ValueError):
        return InputError("onnx: not valid base64; encode the model's bytes in the standard alphabet.")
    shapes = {name: tuple(shape) for name, shape in item.shapes.items()}
    return Item(space=item.space, text=item.text, graph=item.graph, onnx=onnx, shapes=shapes, dims=item.dims)


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

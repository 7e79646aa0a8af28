"""Forecasts."""

import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic_core import from_json, to_json

from latcast.errors import ConflictError
from latcast.schema import InputError, LatcastError
from latcast.schema.counting import counted
from profilers.onnx_graph.isolated.model_file import ModelFile
from service.api import schemas
from service.api.deps import READERS, Parts, PartsOf, Reader
from service.api.door.base64_models import decoded
from service.api.door.routes import Route
from service.api.forecast_arrow import ARROW, arrow_stream, wants_arrow
from service.api.forecast_json import columns_json, form_of, refused_json, several_json
from service.api.problems import problem_of
from service.forecasting.columns import Answers, answers_of
from service.forecasting.explanation import plain
from service.forecasting.facts import FACTS, Facts
from service.forecasting.types import Forecast
from service.graphs.resolver import Item

__all__ = ["router"]

router = APIRouter(tags=["forecasts"], route_class=Route)
Answer = Forecast | LatcastError
Level = Annotated[
    float,
    Query(
        ge=schemas.LEAST_LEVEL,
        le=schemas.MOST_LEVEL,
        description="Probability that the interval holds the latency.",
    ),
]
Nearest = Annotated[
    int, Query(ge=0, le=50, description="Most measured networks, and most proposals; 0 looks for neither.")
]


@router.post("/predict", response_model=schemas.PredictOut | schemas.PredictColumnsOut | schemas.PredictSeveralOut)
async def predict(body: schemas.PredictIn, request: Request, parts: PartsOf, caller: Reader) -> Response:
    """Forecast latencies on a target, or several. What was measured is answered with the measurement; one bad item gets
    its own error and spoils no other. `items` are answered one by one, `texts` of a space and `graphs` in columns: as
    JSON, or where `Accept` names `application/vnd.apache.arrow.stream` as that.
    """
    items = body.items or ()
    reads_models = body.graphs or any(isinstance(item, schemas.ItemIn) and (item.onnx or item.graph) for item in items)
    pool = parts.pools.models if reads_models or body.include else parts.pools.texts
    began, count = time.perf_counter(), len(body.items or body.texts or body.graphs or ())
    _require_few(body, count, parts)
    if not getattr(request.state, "counted", False):
        READERS.count_forecasts(caller, parts, request.client, count * len(body.targets or (body.target,)))
    asked = _Asked(body, parts, request.state.body.models, wants_arrow(request.headers.get("accept")))
    answer = await pool.run(asked.answer)
    form = form_of(count, columns=body.items is None)
    parts.metrics.observe_forecasts(form, "route", time.perf_counter() - began)
    return answer


def _require_few(body: schemas.PredictIn, count: int, parts: Parts) -> None:
    if body.items is not None and count > (most := parts.settings.max_predict_items):
        raise InputError(f"items: one call takes at most {counted(most, 'item')}; send several calls.")
    if count * len(body.targets or (body.target,)) > (most := parts.settings.max_predict_columns):
        raise InputError(f"One call takes at most {counted(most, 'network')}, times targets; send several calls.")


class _Asked:
    """One call for forecasts; answered in a thread."""

    def __init__(self, body: schemas.PredictIn, parts: Parts, models: Mapping[str, ModelFile], as_arrow: bool) -> None:
        self._body, self._parts, self._as_arrow = body, parts, as_arrow and body.items is None
        self._items: list[Item | LatcastError] = [_item(item, models) for item in body.items or ()]
        self._items += [Item(space=body.space, text=text) for text in body.texts or ()]
        self._items += [Item(graph=name) for name in body.graphs or ()]

    def answer(self) -> Response:
        body = self._body
        if self._as_arrow:
            parts = [self._columns(target) for target in body.targets or (body.target or "",)]
            return Response(arrow_stream(parts, body.level), media_type=ARROW)
        if body.targets is None:
            content = self._json(body.target or "")
        else:
            content = several_json(body.level, [self._json_or_error(target) for target in body.targets])
        return Response(content, media_type="application/json")

    def _json_or_error(self, target: str) -> bytes:
        try:
            return self._json(target)
        except LatcastError as error:
            return refused_json(target, error)

    def _json(self, target: str) -> bytes:
        if self._body.items is None:
            _, answers, facts = self._columns(target)
            return columns_json(target, self._body.level, answers, facts)
        forecasts, facts_of_each = self._answers(target), self._facts(target)
        self._parts.metrics.count_forecasts(forecasts)
        items = [_out(answer, facts) for answer, facts in zip(forecasts, facts_of_each, strict=True)]
        # A thousand are written in a few ms; checked against the model they would take as long as all the rest.
        return to_json({"target": target, "level": self._body.level, "items": items}, inf_nan_mode="null")

    def _columns(self, target: str) -> tuple[str, Answers, dict[str, list[int | None]]]:
        answers, facts = answers_of(self._answers(target)), self._facts(target)
        self._parts.metrics.count_answers(answers)
        names = [FACTS[name] for name in self._body.include]
        return target, answers, {name: [(each or {}).get(name) for each in facts] for name in names}

    def _answers(self, target: str) -> list[Answer]:
        """Answers in the items' order; those that are errors already stay so."""
        good = [item for item in self._items if isinstance(item, Item)]
        forecasts = self._remembered(target, good) if self._body.predictor is None else self._pinned(target, good)
        left = iter(forecasts)
        answers = [next(left) if isinstance(item, Item) else item for item in self._items]
        if all(isinstance(answer, ConflictError) for answer in answers):
            raise answers[0]  # type: ignore[misc]  # every one of them is
        return answers

    def _pinned(self, target: str, items: Sequence[Item]) -> Sequence[Answer]:
        """Forecasts of the predictor that is named, which are not those that other callers get."""
        return self._parts.forecaster.forecast(target, items, self._body.level, predictor=self._body.predictor)

    def _remembered(self, target: str, items: Sequence[Item]) -> Sequence[Answer]:
        generation, level = self._parts.changes.generation, self._body.level
        forecasts = self._parts.forecaster.forecast(target, items, level)
        spaces = {item.space for item in items}
        if self._parts.memory is not None and len(spaces) == 1 and (space := spaces.pop()) is not None:
            texts = [item.text or "" for item in items]
            self._parts.memory.take(target, space, texts, forecasts, level=level, generation=generation)
        return forecasts

    def _facts(self, target: str) -> Sequence[Facts | None]:
        if not self._body.include:
            return [None] * len(self._items)
        return self._parts.facts.of(target, self._items, self._body.include)


@router.post("/targets/{target_id}/explain")
def explain_forecast(
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
        onnx = None if item.onnx is None else models.get(item.onnx) or decoded(item.onnx)
    except InputError as error:
        return error
    shapes = {name: tuple(shape) for name, shape in item.shapes.items()}
    return Item(space=item.space, text=item.text, graph=item.graph, onnx=onnx, shapes=shapes, dims=item.dims)


def _out(answer: Answer, facts: Facts | None) -> Any:
    """A forecast has the members of `schemas.ForecastOut`."""
    if isinstance(answer, LatcastError):
        return {"error": problem_of(answer)}
    return answer if facts is None else {**dict(from_json(to_json(answer))), "facts": facts}

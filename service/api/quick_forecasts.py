"""Forecasts of texts, answered in front of the routes: out of memory, and without a thread where that is quick.

A search loop asks for texts of one space on one target, thousands of times. Such calls are recognised by their JSON and
answered by `service.forecasting.memory`; whatever is unusual about a call goes on to the route, which answers all.
"""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

from pydantic_core import from_json
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from latcast.schema import LatcastError
from service.api.deps import READERS, Parts
from service.api.door.bodies import SMALL_BYTES, Body
from service.api.door.heads import header
from service.api.door.json_bodies import count_values
from service.api.forecast_json import columns_json, form_of, item_lines, items_json
from service.api.problems import response_to
from service.forecasting.memory import ForecastMemory, Prepared

__all__ = ["QuickForecasts"]

PATHS = frozenset({"/v1/predict", "/predict"})
JSON_TYPE = re.compile(r"application/json\s*(;.*)?", re.IGNORECASE)
ROUTE = SimpleNamespace(path="/v1/predict")
"""What metrics call the route."""
LONGEST_TEXT = 2_000
ITEM, COLUMNS = frozenset({"space", "text"}), frozenset({"target", "space", "texts", "level"})


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a call asks for; `columns` says in which form it is answered."""

    target: str
    space: str
    texts: Sequence[str]
    level: float
    columns: bool

    @property
    def form(self) -> str:
        """What metrics call it."""
        return form_of(len(self.texts), columns=self.columns)


class QuickForecasts:
    """Answers calls for forecasts of texts that `memory` can answer; all others pass.

    Args:
        app: what is inside.
        parts: of the application.
        memory: answers.
    """

    def __init__(self, app: ASGIApp, *, parts: Parts, memory: ForecastMemory) -> None:
        self._app, self._parts, self._memory = app, parts, memory

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one call (ASGI)."""
        if not (scope["type"] == "http" and scope["method"] == "POST" and self._may_be_quick(scope)):
            await self._app(scope, receive, send)
            return
        try:
            READERS.require_scope(scope["state"]["principal"])
            async with self._parts.bodies.body(scope, receive, limit=self._parts.settings.max_text_bytes) as body:
                await self._respond(body, scope, receive, send)
        except ClientDisconnect:
            return
        except (LatcastError, HTTPException) as error:
            await response_to(Request(scope), error)(scope, receive, send)

    def _may_be_quick(self, scope: Scope) -> bool:
        return _path(scope) in PATHS and _is_plain(scope, most_bytes=self._parts.settings.max_text_bytes)

    async def _respond(self, body: Body, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self._answer(body, scope)
        if answer is None:
            READERS.admit(scope["state"]["principal"], self._parts, scope.get("client"))
            scope["state"] |= {"body": body, "admitted": True}
            await self._app(scope, body.replayed(receive), send)
            return
        scope["route"] = ROUTE
        await Response(answer, media_type="application/json")(scope, receive, send)

    async def _answer(self, body: Body, scope: Scope) -> bytes | None:
        """The answer's JSON; None where the route has to answer. What takes long does so in a thread."""
        began = time.perf_counter()
        in_thread = body.size > SMALL_BYTES
        asked = await self._parts.pools.texts.run(partial(self._asked, body)) if in_thread else self._asked(body)
        if asked is None:
            return None
        READERS.count_forecasts(scope["state"]["principal"], self._parts, scope.get("client"), len(asked.texts))
        scope["state"]["counted"] = True
        prepared = None if in_thread else self._memory.at_once(asked.target, asked.space, asked.texts)
        if prepared is None:
            answer = await self._parts.pools.texts.run(partial(self._looked_up, asked))
        else:
            answer = self._written(asked, prepared)
        if answer is not None:
            self._parts.metrics.observe_forecasts(asked.form, "memory", time.perf_counter() - began)
        return answer

    def _looked_up(self, asked: _Asked) -> bytes | None:
        try:
            prepared = self._memory.prepare(asked.target, asked.space, asked.texts)
        except (LatcastError, SQLAlchemyError, ValueError):
            return None  # which the route finds, too, and says
        return None if prepared is None else self._written(asked, prepared)

    def _written(self, asked: _Asked, prepared: Prepared) -> bytes:
        self._parts.metrics.count_sources(*prepared.counts())
        if asked.columns:
            return columns_json(asked.target, asked.level, prepared.answers(asked.level))
        return items_json(asked.target, asked.level, prepared.lines(asked.level, item_lines))

    def _asked(self, body: Body) -> _Asked | None:
        """What the JSON asks for; None where it is unusual, or wrong."""
        settings, text = self._parts.settings, body.read()
        try:
            count_values(iter([text]), settings.max_json_values)
            plain = from_json(text, allow_inf_nan=False, cache_strings="none")
        except Exception:  # noqa: BLE001 - the route says what is wrong
            return None
        if not isinstance(plain, dict):
            return None
        return self._column_form(plain) if "texts" in plain else self._list_form(plain)

    def _list_form(self, plain: dict[str, Any]) -> _Asked | None:
        if not {"target", "items"} <= plain.keys() <= {"target", "items", "level"}:
            return None
        items = plain["items"]
        if not isinstance(items, list) or not 0 < len(items) <= self._parts.settings.max_predict_items:
            return None
        try:
            texts = [item["text"] for item in items]
            spaces = {item["space"] for item in items}
            odd = any(len(item) != len(ITEM) for item in items)
        except (TypeError, KeyError):
            return None
        return None if odd or len(spaces) != 1 else _checked(plain, spaces.pop(), texts, columns=False)

    def _column_form(self, plain: dict[str, Any]) -> _Asked | None:
        if not {"target", "space", "texts"} <= plain.keys() <= COLUMNS:
            return None
        texts = plain["texts"]
        if not isinstance(texts, list) or not 0 < len(texts) <= self._parts.settings.max_predict_columns:
            return None
        return _checked(plain, plain["space"], texts, columns=True)


def _checked(plain: dict[str, Any], space: Any, texts: list[Any], *, columns: bool) -> _Asked | None:
    target, level = plain["target"], plain.get("level", 0.9)
    strings = isinstance(target, str) and isinstance(space, str) and set(map(type, texts)) == {str}
    if not strings or type(level) is not float or not 0 < level < 1 or max(map(len, texts)) > LONGEST_TEXT:
        return None
    return _Asked(target, space, texts, level, columns)


def _path(scope: Scope) -> str:
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def _is_plain(scope: Scope, *, most_bytes: int) -> bool:
    """Whether the body is JSON as it stands, of a known length that no call without models exceeds."""
    kind, length = header(scope, b"content-type") or "", header(scope, b"content-length") or ""
    is_short = length.isdigit() and int(length) <= most_bytes
    is_json = kind == "application/json" or JSON_TYPE.fullmatch(kind) is not None
    return is_short and is_json and header(scope, b"content-encoding") is None

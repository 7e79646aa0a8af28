"""Forecasts of texts, answered in front of the routes: out of memory, and without a thread where that is quick.

A search loop asks for texts of one space on one target, thousands of times. Such calls are recognised by their JSON and
answered by `service.forecasting.memory`; whatever is unusual about a call goes on to the route, which answers all.
"""

import re
import time
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace

from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from latcast.schema import LatcastError
from service.api.deps import READERS, Parts
from service.api.door.bodies import SMALL_BYTES, Body
from service.api.door.heads import header
from service.api.door.prefix import inside
from service.api.forecast_arrow import wants_arrow
from service.api.problems import response_to
from service.api.quick_calls import QuickCall, read_call, written
from service.forecasting.memory import ForecastMemory, Prepared

__all__ = ["QuickForecasts"]

PATHS = frozenset({"/v1/predict", "/predict"})
JSON_TYPE = re.compile(r"application/json\s*(;.*)?", re.IGNORECASE)
ROUTE = SimpleNamespace(path="/predict")
"""What metrics call the route."""


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
        return inside(scope) in PATHS and _is_plain(scope, most_bytes=self._parts.settings.max_text_bytes)

    async def _respond(self, body: Body, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self._answer(body, scope)
        if answer is None:
            READERS.admit(scope["state"]["principal"], self._parts, scope.get("client"))
            scope["state"] |= {"body": body, "admitted": True}
            await self._app(scope, body.replayed(receive), send)
            return
        scope["route"] = ROUTE
        content, media_type = answer
        await Response(content, media_type=media_type)(scope, receive, send)

    async def _answer(self, body: Body, scope: Scope) -> tuple[bytes, str] | None:
        """The answer and its media type; None where the route has to answer. What takes long does so in a thread."""
        began, texts = time.perf_counter(), self._parts.pools.texts
        is_small, settings = body.size <= SMALL_BYTES, self._parts.settings
        read = partial(read_call, body.read(), settings)
        call = read() if is_small else await texts.run(read)
        if call is None:
            return None
        READERS.count_forecasts(scope["state"]["principal"], self._parts, scope.get("client"), call.count)
        scope["state"]["counted"] = True
        write = partial(self._written, call, as_arrow=wants_arrow(header(scope, b"accept")))
        prepared = self._at_once(call) if is_small else None
        answer = write(prepared) if prepared else await texts.run(partial(self._looked_up, call, write))
        if answer is not None:
            self._parts.metrics.observe_forecasts(call.form, "memory", time.perf_counter() - began)
        return answer

    def _at_once(self, call: QuickCall) -> list[Prepared]:
        """Answers of each target; empty where one of them takes a thread."""
        prepared = []
        for target in call.targets:
            if (each := self._memory.at_once(target, call.space, call.texts)) is None:
                return []
            prepared.append(each)
        return prepared

    def _looked_up(
        self, call: QuickCall, write: Callable[[list[Prepared]], tuple[bytes, str]]
    ) -> tuple[bytes, str] | None:
        prepared = []
        for target in call.targets:
            try:
                each = self._memory.prepare(target, call.space, call.texts)
            except (LatcastError, SQLAlchemyError, ValueError):
                return None  # which the route finds, too, and says
            if each is None:
                return None
            prepared.append(each)
        return write(prepared)

    def _written(self, call: QuickCall, prepared: list[Prepared], *, as_arrow: bool) -> tuple[bytes, str]:
        for each in prepared:
            self._parts.metrics.count_sources(*each.counts())
        return written(call, prepared, as_arrow=as_arrow)


def _is_plain(scope: Scope, *, most_bytes: int) -> bool:
    """Whether the body is JSON as it stands, of a known length that no call without models exceeds."""
    kind, length = header(scope, b"content-type") or "", header(scope, b"content-length") or ""
    is_short = length.isdigit() and int(length) <= most_bytes
    is_json = kind == "application/json" or JSON_TYPE.fullmatch(kind) is not None
    return is_short and is_json and header(scope, b"content-encoding") is None

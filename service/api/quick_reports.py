"""What agents of a farm call for all the time, answered in front of the routes: leases, and reports of measurements.

To find a route and to put its parts together takes as long as to write a lease and a result with others
(`service.api.agent_writes`). Calls as our agents send them are recognised and answered here, with the same checks in
the same order; whatever is unusual about a call, or wrong with what it says, goes on to the route, which answers all.
"""

import re
from types import SimpleNamespace
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from latcast.schema import LatcastError
from service.api import schemas
from service.api.agents_calls import lease_within, report_of
from service.api.deps import AGENTS, Parts
from service.api.door.bodies import SMALL_BYTES, Body
from service.api.door.heads import header
from service.api.door.json_bodies import JsonLimits, count_values, require_shallow
from service.api.door.prefix import inside
from service.api.door.routes import QUICK_VALUES
from service.api.problems import response_to

__all__ = ["QuickReports"]

CALL = re.compile(r"(?:/v1)?/jobs/(?:lease|([0-9A-Za-z_-]{1,64})/result)")
LEASE, RESULT = SimpleNamespace(path="/jobs/lease"), SimpleNamespace(path="/jobs/{job_id}/result")
"""What metrics and logs call the routes."""
B = TypeVar("B", bound=BaseModel)
PACKED = frozenset({None, "gzip"})


class QuickReports:
    """Answers agents' leases and reports of measurements; all other calls pass.

    Args:
        app: what is inside.
        parts: of the application.
    """

    def __init__(self, app: ASGIApp, *, parts: Parts) -> None:
        self._app, self._parts = app, parts
        settings = parts.settings
        self._limits = JsonLimits(
            bytes=settings.max_body_bytes, text_bytes=None, values=QUICK_VALUES, depth=settings.max_json_depth
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one call (ASGI)."""
        called = CALL.fullmatch(inside(scope)) if _is_plain(scope) else None
        if called is None:
            await self._app(scope, receive, send)
            return
        try:
            AGENTS.admit(scope["state"]["principal"], self._parts, scope.get("client"))
            scope["state"]["admitted"] = True
            async with self._parts.bodies.body(scope, receive, limit=self._limits.bytes) as body:
                await self._respond(called[1], body, scope, receive, send)
        except ClientDisconnect:
            return
        except Exception as error:  # noqa: BLE001 - what is none of the problems is raised again
            await response_to(Request(scope), error)(scope, receive, send)

    async def _respond(self, job_id: str | None, body: Body, scope: Scope, receive: Receive, send: Send) -> None:
        state, pools = scope["state"], self._parts.pools
        if job_id is None and (lease := self._read(schemas.LeaseIn, body)) is not None:
            scope["route"] = LEASE
            async with pools.leases.place():
                job = await lease_within(lease.wait_s, Request(scope, receive), self._parts, state["principal"])
            await _answer(job)(scope, receive, send)
        elif job_id is not None and (result := self._read(schemas.ResultIn, body)) is not None:
            scope["route"] = RESULT
            report = report_of(job_id, result.lease_token, result.measurement, state["principal"])
            async with pools.reports.place():
                receipt = await self._parts.writes.take(report)
            await _answer(schemas.ReceiptOut.model_validate(receipt))(scope, receive, send)
        else:
            state["body"] = body
            await self._app(scope, body.replayed(receive), send)

    def _read(self, kind: type[B], body: Body) -> B | None:
        """What the JSON says; None where it is long or wrong."""
        if body.size > SMALL_BYTES:
            return None
        text = body.read()
        try:
            require_shallow(text, self._limits.depth)
            count_values(iter([text]), self._limits.values)
            return kind.model_validate_json(text)
        except (LatcastError, HTTPException, ValidationError):
            return None  # which the route finds, too, and says


def _is_plain(scope: Scope) -> bool:
    """Whether the call sends JSON, as it stands or packed, of a known length, and asks for nothing besides."""
    if scope["type"] != "http" or scope["method"] != "POST" or scope["query_string"]:
        return False
    is_json = header(scope, b"content-type") == "application/json"
    is_whole = (header(scope, b"content-length") or "").isdigit()
    return is_json and is_whole and header(scope, b"content-encoding") in PACKED


def _answer(value: BaseModel | None) -> Response:
    if value is None:
        return Response(status_code=204)
    return Response(value.model_dump_json().encode(), media_type="application/json")

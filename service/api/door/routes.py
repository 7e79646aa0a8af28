"""What a route asks of a call before it runs: a key that may, a body within limits, a place."""

import json
import re
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, ExitStack
from functools import partial
from typing import Annotated, Any, cast
from urllib.parse import unquote_to_bytes

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from latcast.schema import InputError
from latcast.schema.counting import counted
from service.api.deps import Allow, Parts, address_of, identify
from service.api.door.bodies import SMALL_BYTES, Body
from service.api.door.heads import bearer, header
from service.api.door.json_bodies import JsonLimits, count_values, parse_json, require_few_members, require_shallow
from service.api.door.pools import Pool, Pools
from service.settings import Settings

__all__ = ["Route"]

MODEL_PATHS = frozenset({"/graphs"})
"""Routes whose bodies are models."""
MODELS_IN_JSON = frozenset({"/predict", "/targets/{target_id}/explain"})
REPORTS = frozenset({"/jobs/{job_id}/result", "/targets/{target_id}/microbench"})
"""Routes to which agents send every sample and kernel of a measurement."""
JSON_TYPE = re.compile(r"application/([\w.+-]+\+)?json")
QUICK_VALUES = 2_000
"""JSON of more values is checked in a thread."""
MOST_ERRORS = 10_000
"""Each is a kilobyte of objects while it is told."""
POOL_OF: Mapping[tuple[str, str], str] = {
    ("POST", "/graphs"): "models",
    ("POST", "/architectures"): "models",
    ("POST", "/targets/{target_id}/explain"): "models",
    ("GET", "/targets/{target_id}/quality"): "models",
    ("GET", "/graphs/{graph_hash}/nodes"): "exports",
    ("GET", "/graphs/{graph_hash}/model"): "models",
    ("GET", "/targets/{target_id}/lookup-table"): "models",
    ("GET", "/targets/{target_id}/predictor"): "models",
    ("GET", "/targets/{target_id}/dataset.csv"): "exports",
    ("GET", "/targets/{target_id}/dataset.parquet"): "exports",
    ("GET", "/targets/{target_id}/rows.csv"): "exports",
    ("GET", "/targets/{target_id}/rows.parquet"): "exports",
    ("POST", "/jobs/lease"): "leases",
    ("POST", "/jobs/{job_id}/result"): "reports",
    ("POST", "/jobs/{job_id}/failure"): "reports",
    ("GET", "/jobs/{job_id}/events"): "streams",
    ("POST", "/predict"): "",
}
"""Which pool a call takes its place in, where that is neither `reads` nor `writes`; `/predict` knows once it has read
what it is asked."""


class Route(APIRoute):
    """A route of the API. Nothing of a body is read before the key, its scope and its rate were looked at."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one call (ASGI)."""
        if scope["method"] not in (self.methods or ()):
            await super().handle(scope, receive, send)
            return
        _require_no_zero_byte(scope)
        parts: Parts = scope["app"].state.parts
        async with AsyncExitStack() as stack:
            if self._takes_body:
                try:
                    receive = await self._received(scope, receive, parts, stack)
                except ClientDisconnect:
                    return
            if (pool := self._pool(scope, parts.pools)) is not None:
                if pool is parts.pools.streams:
                    stack.enter_context(parts.pools.stream_shares.one(await _caller_of(scope, parts)))
                await stack.enter_async_context(pool.place())
            await super().handle(scope, receive, send)

    @property
    def _takes_body(self) -> bool:
        return self.body_field is not None or self.path in MODEL_PATHS

    def _pool(self, scope: Scope, pools: Pools) -> Pool | None:
        method, body = scope["method"], scope.get("state", {}).get("body")
        name = POOL_OF.get((method, self.path), "reads" if method == "GET" else "writes")
        if name == "reports" and body is not None and body.size > SMALL_BYTES:
            name = "writes"  # fewer of those that take memory
        pool: Pool | None = getattr(pools, name) if name else None
        return pool

    async def _received(self, scope: Scope, receive: Receive, parts: Parts, stack: AsyncExitStack) -> Receive:
        state = scope.setdefault("state", {})
        for dependant in self.dependant.dependencies:
            if isinstance(dependant.call, Allow) and "principal" in state and not state.get("admitted"):
                dependant.call.admit(state["principal"], parts, scope.get("client"))
                state["admitted"] = True
        limit = parts.settings.max_model_bytes if self.path in MODEL_PATHS else self._limits(parts.settings).bytes
        if "body" in state:  # was read in front of the routes, and has its place
            await receive()
            return cast(Body, state["body"]).replayed(receive)
        _require_type(Headers(scope=scope), is_model=self.path in MODEL_PATHS)
        body = await stack.enter_async_context(parts.bodies.body(scope, receive, limit=limit))
        state["body"] = body
        return body.replayed(receive)

    def _limits(self, settings: Settings) -> JsonLimits:
        with_models = self.path in MODELS_IN_JSON
        return JsonLimits(
            bytes=settings.max_model_bytes if with_models else settings.max_body_bytes,
            text_bytes=settings.max_text_bytes if with_models else None,
            values=settings.max_report_values if self.path in REPORTS else settings.max_json_values,
            depth=settings.max_json_depth,
        )

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's, which gets JSON that was parsed and checked within limits, in a thread where that takes long."""
        handler, field = super().get_route_handler(), self.body_field
        if field is None:
            return handler
        kind: Any = Annotated[field.field_info.annotation, field.field_info]
        adapter: TypeAdapter[Any] = TypeAdapter(kind)

        async def handle(request: Request) -> Response:
            body: Body = request.state.body
            parts: Parts = request.app.state.parts
            limits = self._limits(parts.settings)
            if body.size <= SMALL_BYTES and _is_quick(body, limits):
                return await handler(request)
            with ExitStack() as files:
                value = await parts.pools.parses.run(partial(_checked, body, limits, adapter, files))
                return await handler(_Parsed(request.scope, request.receive, value))

        return handle


async def _caller_of(scope: Scope, parts: Parts) -> str:
    """Whose share a call counts against: its key's, or without one its address's.

    Raises:
        AuthenticationError: the key is not valid.
        RateLimitedError: too many refused keys.
    """
    address, secret = address_of(scope.get("client")), bearer(header(scope, b"authorization") or "")
    principal = parts.identities.known(secret)
    if principal is None:
        principal = await run_in_threadpool(identify, parts, secret, address)
    scope.setdefault("state", {})["principal"] = principal
    return principal.key_id or address


def _require_no_zero_byte(scope: Scope) -> None:
    """Refuse addresses that no database can look for.

    Raises:
        InputError: a name in the path or in the query has a zero byte.
    """
    if "\0" in scope["path"] or b"\0" in unquote_to_bytes(scope["query_string"]):
        raise InputError("The address has a zero byte (%00), which nothing here has in its name.")


def _is_quick(body: Body, limits: JsonLimits) -> bool:
    text = body.read()
    require_shallow(text, limits.depth)
    return count_values(iter([text]), limits.values) <= QUICK_VALUES


def _checked(body: Body, limits: JsonLimits, adapter: TypeAdapter[Any], files: ExitStack) -> Any:
    """The value that a body takes from the JSON."""
    try:
        plain = parse_json(body, limits, files)
    except json.JSONDecodeError as error:
        where = {"type": "json_invalid", "loc": ("body", error.pos), "msg": "JSON decode error"}
        raise RequestValidationError([where]) from None
    except (ValueError, RecursionError):
        raise HTTPException(400, "The body is not valid JSON.") from None
    require_few_members(plain)
    try:
        return adapter.validate_python(plain, from_attributes=True)
    except ValidationError as error:
        raise _misfit(error) from None


def _misfit(error: ValidationError) -> Exception:
    """What a caller is told."""
    if (count := error.error_count()) > MOST_ERRORS:
        return InputError(
            f"The request does not fit in {counted(count, 'place')}, too many to be listed; /docs says what does."
        )
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    return RequestValidationError([{**item, "loc": ("body", *item["loc"])} for item in errors])


class _Parsed(Request):
    """A call whose JSON was parsed and checked before."""

    def __init__(self, scope: Scope, receive: Receive, value: Any) -> None:
        super().__init__(scope, receive)
        self._value = value

    async def body(self) -> bytes:
        """Something that is not empty."""
        return b"parsed"

    async def json(self) -> Any:
        """What was checked: checking it again costs nothing."""
        return self._value


FORMS = {
    "multipart/form-data": "a form, as `curl -F` sends it",
    "text/plain": "said to be plain text, as any web page may send it",
}
"""What no model is sent as."""


def _require_type(headers: Headers, *, is_model: bool) -> None:
    """Refuse bodies that say to be something else.

    Raises:
        HTTPException: they do (415).
    """
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if is_model:
        if kind in FORMS:
            how = "curl --data-binary @model.onnx -H 'Content-Type: application/octet-stream'"
            raise HTTPException(415, f"The body is {FORMS[kind]}. Send the model's bytes alone: {how}.")
    elif _has_body(headers) and not JSON_TYPE.fullmatch(kind):
        said = f"says to be {kind[:80]!r}" if kind else "does not say what it is"
        raise HTTPException(415, f"The body {said}. Send JSON, with the header Content-Type: application/json.")


def _has_body(headers: Headers) -> bool:
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers

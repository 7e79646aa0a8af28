"""Around every call: a request id, security headers, the body's limit, a log line, metrics, and no naked error."""

import re
import secrets
import time
from collections.abc import Callable

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.problems import problem, problem_response
from service.operations.metrics import Metrics

__all__ = ["BodyLimit", "RequestContext"]

log = structlog.get_logger("service.access")

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
DOCS_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' https://cdn.jsdelivr.net; "
    "style-src 'self' 'unsafe-inline' https://cdn.jsdelivr.net; img-src 'self' data: https://fastapi.tiangolo.com; "
    "frame-ancestors 'none'"
)
"""The interactive description loads its scripts from a public network."""
DOCS_PATHS = ("/docs", "/redoc")
GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestContext:
    """Outermost: what happens to every call, whatever becomes of it."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one call (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        call = _Call(scope, send)
        structlog.contextvars.bind_contextvars(request_id=call.request_id)
        try:
            await self._app(scope, receive, call.send)
        except Exception:
            log.exception("unexpected error", method=scope["method"], path=scope["path"])
            await call.answer_failure(receive)
        finally:
            self._account(scope, call)
            structlog.contextvars.unbind_contextvars("request_id")

    def _account(self, scope: Scope, call: "_Call") -> None:
        seconds = time.perf_counter() - call.started
        route = getattr(scope.get("route"), "path", "unknown")
        self._metrics.observe_call(scope["method"], route, call.status, seconds)
        log.info("call", method=scope["method"], path=scope["path"], status=call.status, ms=round(seconds * 1000, 1))


class _Call:
    """One call's state."""

    def __init__(self, scope: Scope, send: Send) -> None:
        given = Headers(scope=scope).get("x-request-id", "")
        self.request_id = given if GIVEN_ID.fullmatch(given) else secrets.token_hex(8)
        self.started = time.perf_counter()
        self.status = 0
        self._scope, self._send = scope, send

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self.request_id
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
            if self._scope["path"].startswith(DOCS_PATHS):
                headers["Content-Security-Policy"] = DOCS_POLICY
        await self._send(message)

    async def answer_failure(self, receive: Receive) -> None:
        """Say that it is our fault, unless the answer has begun already."""
        if self.status:
            return
        detail = f"Something went wrong on our side; the service's log has it under request {self.request_id}."
        await problem_response(problem(500, "internal", detail))(self._scope, receive, self.send)


class BodyLimit:
    """Refuses bodies above the limit of their path: by the length they announce, and while they come in.

    Args:
        app: what is inside.
        limit_of: path → most bytes.
    """

    def __init__(self, app: ASGIApp, *, limit_of: Callable[[str], int]) -> None:
        self._app, self._limit_of = app, limit_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one call (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._limit_of(scope["path"])
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdigit() and int(announced) > limit:
            response = problem_response(problem(413, "body-too-large", _too_large(limit), limit=limit))
            await response(scope, receive, send)
            return
        await self._app(scope, _counting(receive, limit), send)


def _counting(receive: Receive, limit: int) -> Receive:
    total = 0

    async def counted() -> Message:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        if total > limit:
            raise HTTPException(413, _too_large(limit))
        return message

    return counted


def _too_large(limit: int) -> str:
    return f"The body is larger than the limit of {limit:,} bytes."

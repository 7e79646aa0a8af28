"""Around every call: a request id, security headers, the key before the body, and no naked error."""

import re
import time
from collections.abc import Callable
from contextlib import nullcontext
from random import getrandbits
from urllib.parse import quote

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from latcast.schema import LatcastError
from service.api.deps import address_of
from service.api.door.heads import bearer, header
from service.api.problems import error_response, problem, problem_response, unavailable_response
from service.db.failures import DATABASE_AWAY
from service.fleet.access import Principal
from service.forecasting.waiting_calls import WaitingCalls
from service.operations.metrics import Metrics
from service.operations.traffic import Traffic, is_for_forecasts, is_frequent

__all__ = ["KeyBeforeBody", "RequestContext"]

log = structlog.get_logger("service.access")

SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""What metrics tell apart; whatever else a caller makes up is `other`."""
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
DEPRECATED = (
    (b"deprecation", b"@1796083200"),  # 1 December 2026
    (b"sunset", b"Fri, 01 Dec 2028 00:00:00 GMT"),
)
"""What answers of paths without a version say of these (RFC 9745, RFC 8594); `Link` names the path that stays."""
GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestContext:
    """Outermost: what happens to every call, whatever becomes of it.

    Args:
        app: what is inside.
        metrics: counts every call.
        traffic: counts those that get no line of their own in the log.
        waiting: is told of calls for forecasts while they are under way.
        successor: path → the one that takes its place; None where it stays.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: Metrics,
        traffic: Traffic,
        waiting: WaitingCalls,
        successor: Callable[[str], str | None],
    ) -> None:
        self._app, self._metrics, self._traffic, self._successor = app, metrics, traffic, successor
        self._waiting = waiting

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one call (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        call = _Call(scope, send, self._successor(scope["path"]))
        structlog.contextvars.bind_contextvars(request_id=call.request_id)
        try:
            with self._waiting.under_way() if is_for_forecasts(scope["path"]) else nullcontext():
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
        method = scope["method"] if scope["method"] in METHODS else "other"
        self._metrics.observe_call(method, route, call.status, seconds)
        caller = _caller(scope)
        if is_frequent(route, call.status):
            self._traffic.count(route, caller)
            return
        log.info(
            "call", method=scope["method"], path=scope["path"], status=call.status, ms=round(seconds * 1000, 1),
            caller=caller,
        )  # fmt: skip


def _caller(scope: Scope) -> str | None:
    """The id of the key that came with a call, as far as it is known."""
    state = scope.get("state", {})
    principal: Principal | None = state.get("principal")
    caller: str | None = principal.key_id if principal else state.get("caller")
    return caller


def _new_id() -> str:
    """An id that no other call has. It is no secret, and the system's random numbers take as long as a small answer."""
    return f"{getrandbits(64):016x}"


class _Call:
    """One call's state."""

    def __init__(self, scope: Scope, send: Send, successor: str | None) -> None:
        wanted_id = header(scope, b"x-request-id")
        self.request_id = wanted_id if wanted_id and GIVEN_ID.fullmatch(wanted_id) else _new_id()
        self.started = time.perf_counter()
        self.status = 0
        self._scope, self._send, self._successor = scope, send, successor

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            names = {name for name, _ in headers}
            headers.append((b"x-request-id", self.request_id.encode("latin-1")))
            headers.extend(pair for pair in SECURITY_HEADERS if pair[0] not in names)
            if self._successor is not None:
                link = f'<{quote(self._successor)}>; rel="successor-version"'
                headers.extend((*DEPRECATED, (b"link", link.encode("ascii"))))
            message["headers"] = headers
        await self._send(message)

    async def answer_failure(self, receive: Receive) -> None:
        """Say that it is our fault, unless the answer has begun already."""
        if self.status:
            return
        detail = f"Something went wrong on our side; the service's log has it under request {self.request_id}."
        await problem_response(problem(500, "internal", detail))(self._scope, receive, self.send)


class KeyBeforeBody:
    """Refuses a call whose key is not valid before a byte of its body is read, and notes whose key it is.

    Args:
        app: what is inside.
        known: key or None → who called with it a moment ago; None where the database has to be asked.
        identify: (key or None, address) → who calls; raises a `LatcastError` for a key that is refused.
        keyless: whether a path is answered without a key, because its body holds a secret of its own.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        known: Callable[[str | None], Principal | None],
        identify: Callable[[str | None, str], Principal],
        keyless: Callable[[str], bool],
    ) -> None:
        self._app, self._known, self._identify, self._keyless = app, known, identify, keyless

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one call (ASGI)."""
        if scope["type"] == "http" and scope["method"] in WITH_BODY:
            secret = bearer(header(scope, b"authorization") or "")
            if secret is not None or not self._keyless(scope["path"]):
                try:
                    principal = self._known(secret) or await run_in_threadpool(
                        self._identify, secret, address_of(scope.get("client"))
                    )
                except LatcastError as error:
                    await error_response(error)(scope, receive, send)
                    return
                except DATABASE_AWAY as error:
                    await unavailable_response(error)(scope, receive, send)
                    return
                scope.setdefault("state", {})["principal"] = principal
        await self._app(scope, receive, send)

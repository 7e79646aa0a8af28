"""Errors as problem details (RFC 9457): every refusal of every route goes through here."""

import http
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DataError, IntegrityError
from starlette.exceptions import HTTPException

from latcast.errors import URN, AuthenticationError, RateLimitedError, UnavailableError, problem_type
from latcast.schema import LatcastError
from latcast.schema.printable import visible
from service.db.failures import DATABASE_AWAY, cause_of

__all__ = [
    "MEDIA_TYPE",
    "error_response",
    "install",
    "problem",
    "problem_of",
    "problem_response",
    "response_to",
    "unavailable_response",
]

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 2
UNREADABLE, NO_JSON = "There was an error parsing the body", "The body is not valid JSON."
"""What the framework says of a body that it cannot parse, and what we say."""
LONGEST_SENTENCE = 12_000
"""A reason of an agent's fits (`service.jobs.report_checks`), a body that is quoted does not."""
SHOWN_CHARACTERS = 200
"""Most of an address that a sentence repeats."""
log = structlog.get_logger(__name__)


def problem(status: int, slug: str, detail: str, **extras: Any) -> dict[str, Any]:
    """A problem detail; its sentence quotes foreign texts, so it is one line in which nothing acts in a terminal."""
    title = http.HTTPStatus(status).phrase
    sentence = _shortened(visible(" ".join(detail.split("\n"))), LONGEST_SENTENCE)
    return {"type": URN + slug, "title": title, "status": status, "detail": sentence, **extras}


def _shortened(text: str, most: int) -> str:
    """The text, without its middle where it is too long for anybody to read."""
    return text if len(text) <= most else f"{text[: most // 2]} … {text[-most // 2 :]}"


def problem_of(error: LatcastError) -> dict[str, Any]:
    """The problem that an error of the trees is."""
    kind = problem_type(error)
    return problem(kind.status, kind.slug, str(error), **{name: getattr(error, name) for name in kind.members})


def problem_response(content: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> JSONResponse:
    """A problem as a response."""
    return _ProblemResponse(dict(content), status_code=content["status"], headers=dict(headers or {}))


class _ProblemResponse(JSONResponse):
    """Escapes what is not ASCII, so that a text that was refused because UTF-8 cannot express it can be named."""

    media_type = MEDIA_TYPE

    def render(self, content: Any) -> bytes:
        return json.dumps(content, separators=(",", ":")).encode()


def install(app: FastAPI) -> None:
    """Make the application answer every error with a problem."""
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)


def _on_latcast(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, LatcastError)  # noqa: S101 - registered for this class
    return error_response(error)


def error_response(error: LatcastError) -> JSONResponse:
    """The problem that an error is, as a response with the headers that belong to it."""
    content = problem_of(error)
    if content["status"] == http.HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("unexpected error", exc_info=error)
    return problem_response(content, _headers(error))


def response_to(request: Request, error: Exception) -> JSONResponse:
    """The response that an error is where no route is there to raise it; one that is no problem is raised again."""
    for kind in type(error).__mro__:
        if (handler := _HANDLERS.get(kind)) is not None:
            return handler(request, error)
    raise error


def _headers(error: LatcastError) -> dict[str, str]:
    if isinstance(error, RateLimitedError):
        return {"Retry-After": str(max(1, round(error.retry_after_s)))}
    if isinstance(error, AuthenticationError):
        return {"WWW-Authenticate": "Bearer"}
    return {"Retry-After": str(RETRY_AFTER_S)} if isinstance(error, UnavailableError) else {}


def _on_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class
    path, method = request.url.path[:SHOWN_CHARACTERS], request.method[:SHOWN_CHARACTERS]
    detail = {
        404: f"There is nothing at {path}; /docs lists what there is.",
        405: f"{method} is not possible at {path}; /docs lists what is.",
        400: NO_JSON if error.detail == UNREADABLE else error.detail,
    }.get(error.status_code, str(error.detail))
    slug = http.HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
    return problem_response(problem(error.status_code, slug, detail), error.headers)


def _on_validation(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class
    # What was sent is not repeated: it may hold keys or models.
    errors = [{"where": _place(item["loc"]), "message": item["msg"]} for item in error.errors()[:20]]
    first = errors[0]
    detail = f"The request does not fit: {first['where']}: {first['message']}."
    return problem_response(problem(422, "input", detail, errors=errors))


def _place(path: Sequence[object]) -> str:
    """Where in a body; names of members are the caller's."""
    return ".".join(_shortened(visible(str(part)), SHOWN_CHARACTERS) for part in path)


def _on_database(_request: Request, error: Exception) -> JSONResponse:
    return unavailable_response(error)


def unavailable_response(error: Exception) -> JSONResponse:
    """The problem that one of `DATABASE_AWAY` is."""
    reason = str(getattr(error, "orig", error))
    log.error("database unavailable", error=type(error).__name__, reason=reason)
    cause = cause_of(error)
    detail = f"{cause.sentence} Nothing was stored; try again {'later' if cause.is_lasting else 'in a moment'}."
    return problem_response(problem(503, "unavailable", detail), {"Retry-After": str(cause.retry_after_s)})


def _on_integrity(_request: Request, error: Exception) -> JSONResponse:
    log.warning("conflicting writes", reason=str(getattr(error, "orig", error)))
    detail = "Somebody else changed the same thing at the same moment. Nothing was stored; try again."
    return problem_response(problem(409, "conflict", detail))


def _on_data(_request: Request, error: Exception) -> JSONResponse:
    log.warning("value refused by the database", reason=str(getattr(error, "orig", error)))
    return problem_response(problem(422, "input", "The request holds a value that the database cannot keep."))


_HANDLERS: Mapping[type[Exception], Callable[[Request, Exception], JSONResponse]] = {
    LatcastError: _on_latcast,
    HTTPException: _on_http,
    RequestValidationError: _on_validation,
    **dict.fromkeys(DATABASE_AWAY, _on_database),
    IntegrityError: _on_integrity,
    DataError: _on_data,
}
"""Errors that are problems, and what makes these of them; the nearest class counts."""

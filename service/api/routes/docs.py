"""The API's description, and a page that shows it: behind the key where keys are on, out of this package alone."""

import base64
import binascii
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from latcast.errors import AuthenticationError
from service.api.deps import PartsOf, address_of, identify

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
CHALLENGE = 'Basic realm="latcast: any name, and a key as the password", charset="UTF-8", Bearer'
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
KINDS = {"html": "text/html", "css": "text/css", "js": "text/javascript"}


def _whoever_has_a_key(request: Request, parts: PartsOf) -> None:
    """Let pass who sends a key, as programs send it or as browsers send a password.

    Raises:
        HTTPException: a key is needed, or the one that came is unknown or revoked (401).
        RateLimitedError: too many calls.
    """
    address = address_of(request.client)
    try:
        principal = identify(parts, _secret(request.headers.get("authorization", "")), address)
    except AuthenticationError as error:
        raise HTTPException(401, f"{error} Browsers ask for it: any name, the key as the password.",
                            {"WWW-Authenticate": CHALLENGE}) from error  # fmt: skip
    parts.limiter.take(principal.key_id or address)


def _secret(header: str) -> str | None:
    scheme, _, rest = header.strip().partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip() or None
    try:
        password = base64.b64decode(rest, validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return None
    return password or None if scheme.lower() == "basic" else None


HasKey = Annotated[None, Depends(_whoever_has_a_key)]


@router.get("/openapi.json")
def description(request: Request, _key: HasKey) -> JSONResponse:
    """The API's description; behind a proxy's prefix it names that."""
    plain: dict[str, Any] = request.app.openapi()
    prefix = request.scope.get("root_path", "").rstrip("/")
    servers: Sequence[dict[str, str]] = [{"url": prefix}] if prefix else plain.get("servers", [])
    return JSONResponse({**plain, "servers": list(servers)} if servers else plain)


@router.get("/redoc")
@router.get("/docs")
def page(_key: HasKey) -> Response:
    """A page that shows the description and makes calls."""
    return _file("docs.html")


@router.get("/docs/page.css")
def style(_key: HasKey) -> Response:
    """How the page looks."""
    return _file("page.css")


@router.get("/docs/page.js")
def script(_key: HasKey) -> Response:
    """What the page does."""
    return _file("page.js")


def _file(name: str) -> Response:
    kind = KINDS[name.rpartition(".")[2]]
    return Response(_content(name), media_type=kind, headers={"Content-Security-Policy": PAGE_POLICY})


@cache
def _content(name: str) -> bytes:
    return (files("service.api") / "pages" / name).read_bytes()

"""The dashboard: the files of `web/`, the same for everybody, below `/ui/`. What they show they get from the API."""

import base64
import hashlib
import re
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import RedirectResponse
from starlette.datastructures import MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["MOUNTED_AT", "policy", "router", "web_app", "web_dir"]

MOUNTED_AT = "/ui"
SHORTEST_GZIPPED = 1000
INLINE = re.compile(rb"<script[^>]*>(.+?)</script>", re.DOTALL)
router = APIRouter(include_in_schema=False)


@router.get("/")
@router.get(MOUNTED_AT)
def to_dashboard() -> RedirectResponse:
    """The way from the bare address; relative, so that it holds behind any prefix."""
    return RedirectResponse("ui/", status_code=307)


def web_dir() -> Path:
    """Folder of the dashboard's files: inside the installed package, else beside it in the source tree."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "_web"
    return installed if installed.is_dir() else package.parent / "web"


def web_app(folder: Path) -> ASGIApp:
    """Serves the files of a folder, `index.html` for the folder itself; packed where that saves something."""
    files = StaticFiles(directory=folder, html=True, follow_symlink=False)
    return _Headers(GZipMiddleware(files, minimum_size=SHORTEST_GZIPPED), policy((folder / "index.html").read_bytes()))


def policy(page: bytes) -> str:
    """What the page may do: run the scripts of its own origin and the import map that stands in it, call that origin.

    Args:
        page: `index.html`.
    """
    inline = [f"'sha256-{base64.b64encode(hashlib.sha256(text).digest()).decode()}'" for text in INLINE.findall(page)]
    scripts = " ".join(["'self'", *inline])
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )


class _Headers:
    """Adds the policy; browsers ask each time whether a file has changed, so that no old one meets a new API."""

    def __init__(self, app: ASGIApp, content_policy: str) -> None:
        self._app, self._policy = app, content_policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one call (ASGI)."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = self._policy
                headers["Cache-Control"] = "no-cache"
            await send(message)

        await self._app(scope, receive, with_headers)

"""Paths behind a proxy: the prefix that it took away is put back, and redirects name no host, which it alone knows."""

from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["BehindPrefix", "inside"]


class BehindPrefix:
    """Calls reach the application as ASGI has them: `path` begins with `root_path`, whether a proxy stripped it or not.

    Args:
        app: what answers.
        prefix: the setting `root_path`; empty where no proxy has one.
    """

    def __init__(self, app: ASGIApp, prefix: str = "") -> None:
        self._app, self._prefix = app, prefix.rstrip("/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one call (ASGI)."""

        async def without_host(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in (307, 308):
                headers = MutableHeaders(scope=message)
                place = urlsplit(headers.get("location", ""))
                if place.netloc:
                    headers["location"] = place._replace(scheme="", netloc="").geturl()
            await send(message)

        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await self._app(self._whole(scope) if self._prefix else scope, receive, without_host)

    def _whole(self, scope: Scope) -> Scope:
        path: str = scope["path"]
        if path != self._prefix and not path.startswith(f"{self._prefix}/"):
            path = self._prefix + path
        return {**scope, "path": path, "root_path": self._prefix}


def inside(scope: Scope) -> str:
    """The path below the prefix."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))

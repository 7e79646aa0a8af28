"""Which name was called, and from which web page: nothing that a page makes a browser send is taken for its owner's."""

import ipaddress
from collections.abc import Collection
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.door.heads import header
from service.api.door.prefix import inside
from service.api.problems import problem, problem_response
from service.fleet.access import is_loopback

__all__ = ["NamedHosts", "SameSite"]

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
MOST_HOST = 300
"""Names of hosts have at most 253 characters; a port follows."""
PROBES = ("/healthz", "/readyz")
"""Load balancers call them by address, and they tell nothing."""


class NamedHosts:
    """Refuses calls under a name that is not the service's: a page's owner may point a name of his at this host, and
    browsers then let the page read every answer (DNS rebinding).

    Loopback names and the address that the service listens on are always its own. A service that listens elsewhere
    than on loopback asks for keys, which no page has, and cannot guess its public names: it takes any until some are
    given.

    Args:
        app: what is inside.
        listens_on: address or name that the service is bound to.
        allowed: further names; `*.example.org` allows all below, `*` any.
    """

    def __init__(self, app: ASGIApp, *, listens_on: str, allowed: Collection[str]) -> None:
        self._app = app
        self._takes_any = "*" in allowed or not (allowed or is_loopback(listens_on))
        self._names = {_plain(name) for name in (listens_on, *allowed) if not name.startswith("*")}
        self._ends = tuple(_plain(name[1:]) for name in allowed if name.startswith("*."))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one call (ASGI)."""
        host = header(scope, b"host") if scope["type"] == "http" else None
        # Browsers always send one; what sends none is an old health check.
        if self._takes_any or host is None or inside(scope) in PROBES or self._is_own(host):
            await self._app(scope, receive, send)
            return
        detail = (
            f"This service is not known by the name {_shown(host)}. If it should be, name it in the setting "
            "`allowed_hosts` (LATCAST_ALLOWED_HOSTS); else call it at http://127.0.0.1."
        )
        await problem_response(problem(421, "misdirected-request", detail))(scope, receive, send)

    def _is_own(self, host: str) -> bool:
        name = _name_of(host[:MOST_HOST])
        return is_loopback(name) or name in self._names or name.endswith(self._ends)


class SameSite:
    """Refuses calls that change something when a page of another site made a browser send them without a key.

    Browsers name the page in `Origin`, and newer ones say in `Sec-Fetch-Site` how it is related to the service; a
    page can forge neither. A page cannot send a key either unless CORS allows it, so calls with keys pass.

    Args:
        app: what is inside.
        origins: origins whose pages may call.
    """

    def __init__(self, app: ASGIApp, *, origins: Collection[str]) -> None:
        self._app, self._origins = app, frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one call (ASGI)."""
        if scope["type"] != "http" or scope["method"] in SAFE_METHODS or self._may_pass(scope):
            await self._app(scope, receive, send)
            return
        detail = (
            "A web page of another site sent this call. If its pages may call the service, name its origin in the "
            "setting `cors_origins` (LATCAST_CORS_ORIGINS)."
        )
        await problem_response(problem(403, "cross-site", detail))(scope, receive, send)

    def _may_pass(self, scope: Scope) -> bool:
        origin, relation = header(scope, b"origin"), header(scope, b"sec-fetch-site")
        if origin is None and relation is None:
            return True
        has_key = (header(scope, b"authorization") or "").lower().startswith("bearer ")
        if has_key or (origin and origin in self._origins):
            return True
        if relation is not None:
            return relation in {"same-origin", "none"}
        return origin is None or _place_of(origin) == header(scope, b"host")


def _place_of(origin: str) -> str | None:
    """Host and port of an origin; None where it has none."""
    try:
        return urlsplit(origin).netloc or None
    except ValueError:  # brackets that do not close
        return None


@lru_cache(1000)
def _name_of(host: str) -> str:
    """The name in a Host header, without its port."""
    bare = host.partition("]")[0] if host.startswith("[") else host.rpartition(":")[0] or host
    return _plain(bare)


def _plain(name: str) -> str:
    """A name as names are compared."""
    bare = name.strip().strip("[]").rstrip(".").lower()
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        return bare


def _shown(host: str) -> str:
    return repr(host[:100])

"""Entity tags: what a caller has already is not sent again (RFC 9110, 8.8.3 and 13.1.2)."""

import hashlib
from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.door.heads import header

__all__ = ["EntityTags", "is_known", "tag_of"]

JSON = b"application/json"
DIGITS = 24


def tag_of(parts: Iterable[bytes]) -> str:
    """The weak tag of a state that these say."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return f'W/"{digest.hexdigest()[:DIGITS]}"'


def is_known(tag: str, if_none_match: str | None) -> bool:
    """Whether a caller that sends this `If-None-Match` has the state of the tag; compared weakly."""
    if if_none_match is None:
        return False
    named = [one.strip().removeprefix("W/") for one in if_none_match.split(",")]
    return tag.removeprefix("W/") in named or "*" in named


class EntityTags:
    """Gives every answer of JSON to a GET the tag of its bytes, and 304 to a caller that has them. Answers that have a
    tag of their own, and those that come in parts, pass.

    Args:
        app: what is inside.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one call (ASGI)."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        await self._app(scope, receive, _Answer(header(scope, b"if-none-match"), send).take)


class _Answer:
    """One answer, whose head waits for its body."""

    def __init__(self, if_none_match: str | None, send: Send) -> None:
        self._if_none_match, self._send = if_none_match, send
        self._head: Message | None = None

    async def take(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_plain_json(message):
            self._head = message
            return
        head, self._head = self._head, None
        if head is not None:
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                message = self._tagged(head, message)
            await self._send(head)
        await self._send(message)

    def _tagged(self, head: Message, body: Message) -> Message:
        """The body, which is empty where the caller has it; the head says so."""
        tag = tag_of([body.get("body", b"")])
        head["headers"] = [*head.get("headers", ()), (b"etag", tag.encode())]
        if not is_known(tag, self._if_none_match):
            return body
        head["status"] = 304
        head["headers"] = [(name, value) for name, value in head["headers"] if name.lower() not in OF_BODIES]
        return {**body, "body": b""}


OF_BODIES = frozenset({b"content-length", b"content-type"})


def _is_plain_json(head: Message) -> bool:
    headers = {name.lower(): value for name, value in head.get("headers", ())}
    is_json = headers.get(b"content-type", b"").partition(b";")[0].strip() == JSON
    return head["status"] == 200 and is_json and b"etag" not in headers

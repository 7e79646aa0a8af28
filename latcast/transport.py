"""Calls over HTTP: authorised, repeated where that does no harm, and refusals raised as the errors they are."""

import gzip
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2

from latcast.errors import (
    URN,
    RateLimitedError,
    ServiceError,
    UnavailableError,
    UnexpectedAnswerError,
    error_of_problem,
)
from latcast.proxies import proxy_for
from latcast.schema import InputError, LatcastError, to_plain
from latcast.schema.addresses import service_address
from latcast.schema.quoting import unquoted

__all__ = ["API", "KEPT", "NONE_KEPT", "Patience", "ServiceAddress", "ServiceTransport", "prepared", "secret_of"]

API = "/v1"
"""Prefix of the paths that the client speaks."""
ATTEMPTS = 4
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 10.0
KEPT = httpx2.Limits(max_connections=100, max_keepalive_connections=20)
NONE_KEPT = httpx2.Limits(max_connections=100, max_keepalive_connections=0)
"""How many connections there are at once, and how many of them stay open for later calls."""
PACKED_BYTES, PACK_LEVEL = 2_000, 6
"""JSON of more bytes is packed; numbers in text shrink to a third, and a phone's or a field's network is slow."""
PROBLEM_TYPE = "application/problem+json"
AWAY = frozenset({429, 502, 503, 504})
"""Statuses that say, whoever gives them, that the same call may be answered later."""
GAVE_UP = frozenset({502, 504})
"""Statuses by which a proxy says that it passed a call on, perhaps, and has no answer."""
UNANSWERED = (httpx2.ReadError, httpx2.ReadTimeout, httpx2.RemoteProtocolError, httpx2.WriteError, httpx2.WriteTimeout)
"""What fails once a call is on its way, so that the service may have got it."""
DISCONNECTED = (httpx2.ReadError, httpx2.RemoteProtocolError, httpx2.WriteError)
"""What a connection fails with that was closed, by a proxy that ends idle ones for example, as the call went out."""
MALFORMED = (httpx2.LocalProtocolError, httpx2.UnsupportedProtocol)
"""What is wrong with the call itself, as it will be the next time."""
NO_TLS = "WRONG_VERSION_NUMBER"
"""What OpenSSL says of an answer that is plain HTTP."""
LEFT = "What was asked for may have been done."


class ServiceAddress:
    """Where a service is, with which key, and what its answers mean; shared by the ways to send.

    Args:
        base_url: for example `http://127.0.0.1:8321`.
        key: API key; may be set later, and counts from the next call on.
        direct: calls travel by a way of the caller's, so no proxy is looked for.

    Raises:
        InputError: the address, the key or the environment's proxy cannot be used.
    """

    def __init__(self, base_url: str, key: str | None, *, direct: bool) -> None:
        self.base_url, self.key = service_address(base_url), key
        self._proxy = None if direct else proxy_for(self.base_url)
        try:
            self._host = httpx2.URL(self.base_url).host
        except httpx2.InvalidURL as error:
            raise InputError(f"The address {self.base_url!r} cannot be used: {error}") from error

    @property
    def key(self) -> str | None:
        """The API key of the calls to come, without blanks around it."""
        return self._key

    @key.setter
    def key(self, key: str | None) -> None:
        self._key = secret_of("key", key)

    def authorise(self, request: httpx2.Request) -> httpx2.Request:
        """The request with the key, where there is one."""
        if self.key:
            request.headers["Authorization"] = f"Bearer {self.key}"
        return request

    def plain_of(self, response: httpx2.Response) -> dict[str, Any]:
        """The JSON object that an answer holds.

        Raises:
            UnexpectedAnswerError: it holds anything else.
        """
        try:
            plain = response.json()
        except ValueError:
            plain = None
        if not isinstance(plain, dict):
            raise self.unexpected(response)
        return plain

    def failure(self, error: httpx2.RequestError, left: str = "") -> LatcastError:
        """What a call that got no answer fails with.

        Args:
            error: why there is none; what it says of headers is not repeated, since they hold the key.
            left: what may have been done all the same; empty where it does not matter.
        """
        if isinstance(error, MALFORMED):
            reason = str(error) if isinstance(error, httpx2.UnsupportedProtocol) else "it breaks the rules of HTTP."
            return InputError(f"The call cannot be sent to {self.base_url}: {reason}")
        reason = str(error).rstrip(".") or type(error).__name__
        if NO_TLS in reason:
            return UnavailableError(f"What answers at {self.base_url}{self._way} speaks no TLS: write http:// in place "
                                    "of https://.")  # fmt: skip
        if left and isinstance(error, UNANSWERED):
            return UnavailableError(f"No answer came from {self.base_url}{self._way}: {reason}. {left}")
        return UnavailableError(
            f"The service at {self.base_url} cannot be reached{self._way}: {reason}. {self._advice}"
        )

    @property
    def _way(self) -> str:
        return f" through {self._proxy}" if self._proxy else ""

    @property
    def _advice(self) -> str:
        if self._proxy is None:
            return "Is `latcast serve` up?"
        return f"Set NO_PROXY={self._host} to go without the proxy."

    def unexpected(self, response: httpx2.Response) -> UnexpectedAnswerError:
        """The error that an answer is which no latcast service gives."""
        said = f"{self.base_url} answered {_described(response)}{self._way}, as no latcast service does"
        if self._proxy is None:
            return UnexpectedAnswerError(f"{said}: is that its address, and does a proxy stand in between?")
        return UnexpectedAnswerError(f"{said}: is that its address? {self._advice}")

    def error_of(self, response: httpx2.Response, left: str = "") -> LatcastError:
        """The error that an answer stands for: a problem of the service's own, else what its status says."""
        error = _problem_of(response)
        if error is None and response.status_code not in AWAY:
            return self.unexpected(response)
        if error is None:
            error = self._away(response, left)
        if isinstance(error, RateLimitedError | UnavailableError):
            wait = response.headers.get("Retry-After", "")
            default = 1.0 if isinstance(error, RateLimitedError) else None
            error.retry_after_s = float(wait) if wait.isdigit() and len(wait) < 7 else default
        return error

    def _away(self, response: httpx2.Response, left: str) -> ServiceError:
        """The error of a status that says to come later, given by somebody who is not the service."""
        who = str(self._proxy) if self._proxy else "a proxy in front of it, or another server,"
        said = f"{self.base_url} answered {_described(response)}, which is not the service's own word"
        lost = f" {left}" if left and response.status_code in GAVE_UP else ""
        detail = f"{said}: {who} may have given it.{lost} Try again later."
        return RateLimitedError(detail) if response.status_code == 429 else UnavailableError(detail)


class ServiceTransport(ServiceAddress):
    """The connections to one service. Thread-safe; close it.

    Connections are kept for the next calls, but for those that may not be repeated: somebody in between may close an
    idle connection in the very moment of a call, and then nobody knows whether the service got it. Such a call has a
    connection of its own.

    Args:
        base_url: for example `http://127.0.0.1:8321`.
        key: API key; may be set later, and counts from the next call on.
        timeout_s: longest silence of the service within one call.
        transport: how requests travel; left out, through the proxy that the environment names for the address, if any.

    Raises:
        InputError: the address, the key or the environment's proxy cannot be used.
    """

    def __init__(
        self, base_url: str, key: str | None, *, timeout_s: float, transport: httpx2.BaseTransport | None
    ) -> None:
        super().__init__(base_url, key, direct=transport is not None)
        self._http, self._once = (
            httpx2.Client(
                base_url=self.base_url,
                auth=self.authorise,
                timeout=timeout_s,
                transport=transport
                or httpx2.HTTPTransport(proxy=self._proxy.url if self._proxy else None, limits=limits),
            )
            for limits in (KEPT, NONE_KEPT)
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
        self._once.close()

    def json(self, method: str, path: str, *, repeat: bool = False, left: str = LEFT, **request: Any) -> dict[str, Any]:
        """The body of a call's answer, which is a JSON object; see `send`."""
        return self.plain_of(self.send(method, path, repeat=repeat, left=left, **request))

    def pages(self, path: str, **params: Any) -> Iterator[dict[str, Any]]:
        """The items of every page of a list; parameters that are None are left out."""
        params = {name: value for name, value in params.items() if value is not None}
        while True:
            page = self.json("GET", path, params=params)
            yield from page["items"]
            if page["next_cursor"] is None:
                return
            params["cursor"] = page["next_cursor"]

    def send(
        self,
        method: str,
        path: str,
        *,
        repeat: bool = False,
        left: str = LEFT,
        patience_s: float = 0.0,
        **request: Any,
    ) -> httpx2.Response:
        """The answer of a call.

        Args:
            method: of HTTP; a GET is always repeated.
            path: below the API's prefix.
            repeat: call again while the service is away, because that can do no harm.
            left: a sentence on what a call that is not repeated may have left behind when its answer is lost.
            patience_s: how long, in s, a call that is repeated waits altogether where the service says when to come
                again; without it, the call is repeated a few times.
            **request: as `httpx2.Client.request` takes it.

        Raises:
            LatcastError: what the service refused, as the error that it is there.
            InputError: the call cannot be sent, whoever may be there.
            UnavailableError: the service cannot be reached, or its answer was lost.
            UnexpectedAnswerError: somebody else answered: a proxy, another server, a page to log in.
        """
        if not repeat and method != "GET":
            return self._send_once(self._once, method, path, left, **request)
        waiting, connections = Patience(patience_s), self._http
        while True:
            try:
                return self._send_once(connections, method, path, **request)
            except (UnavailableError, RateLimitedError) as error:
                time.sleep(waiting.pause_s(error))
            connections = self._once

    def _send_once(
        self, connections: httpx2.Client, method: str, path: str, left: str = "", **request: Any
    ) -> httpx2.Response:
        try:
            response = connections.request(method, API + path, **prepared(request))
        except httpx2.RequestError as error:
            raise self.failure(error, left) from error
        if not response.is_success:
            raise self.error_of(response, left)
        return response

    def download(self, path: str, file: Path) -> None:
        """Write the body of a GET into a file, piece by piece; a refusal leaves the file as it was.

        Raises:
            LatcastError: what the service refused.
            UnavailableError: the service cannot be reached.
        """
        try:
            with self._once.stream("GET", API + path) as response:
                if not response.is_success:
                    response.read()
                    raise self.error_of(response)
                with file.open("wb") as out:
                    for chunk in response.iter_bytes():
                        out.write(chunk)
        except httpx2.RequestError as error:
            raise self.failure(error) from error

    def readiness(self) -> dict[str, Any]:
        """The body of `/readyz`, which says what is wrong with a status of 503.

        Raises:
            UnavailableError: the service cannot be reached.
        """
        try:
            response = self._once.get("/readyz")
        except httpx2.RequestError as error:
            raise self.failure(error) from error
        return self.plain_of(response)


def secret_of(what: str, secret: str | None) -> str | None:
    """A key or token as a header takes it; None for one that is empty.

    Blanks, line ends and quotation marks around it, which come along from files and clipboards, are none of it.

    Args:
        what: it is, for the message, which never shows it.
        secret: as it was given.

    Raises:
        InputError: it holds what cannot be part of one.
    """
    stripped = unquoted(secret or "")
    if not all("!" <= character <= "~" for character in stripped):
        raise InputError(
            f"The {what} holds a blank, a line end or a character that is not ASCII, as none does: "
            "give it as `latcast keys` printed it."
        )
    return stripped or None


def prepared(request: dict[str, Any]) -> dict[str, Any]:
    """What httpx2 is given of a request: JSON and parameters without NumPy's numbers and arrays; `packed_json` is JSON
    that is sent as gzip where it is not small.
    """
    plain = request | {part: to_plain(request[part]) for part in ("json", "params") if part in request}
    if "packed_json" in plain:
        content = json.dumps(to_plain(plain.pop("packed_json")), allow_nan=False, separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json", **plain.get("headers", {})}
        if len(content) > PACKED_BYTES:
            content, headers["Content-Encoding"] = gzip.compress(content, PACK_LEVEL), "gzip"
        plain |= {"content": content, "headers": headers}
    return plain


class Patience:
    """How long one call waits from try to try, and when it gives up.

    Args:
        seconds: that it may wait altogether where the service says when to come again.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        self._left_s, self._attempts = seconds, 1

    def pause_s(self, error: UnavailableError | RateLimitedError) -> float:
        """Seconds until the next try.

        Args:
            error: why the last one failed; raised when there is to be no other.
        """
        announced = error.retry_after_s
        if announced is not None and announced <= self._left_s:
            pause_s = max(announced, FIRST_PAUSE_S)  # somebody who says "at once" again and again is left, too
            self._left_s -= pause_s
            return pause_s
        if self._attempts == ATTEMPTS:
            raise error
        self._attempts += 1
        if self._attempts == 2 and isinstance(error.__cause__, DISCONNECTED):
            return 0.0  # as likely as not the connection was idle, and closed as the call went out
        if announced is not None and isinstance(error, RateLimitedError):
            return min(announced, LONGEST_PAUSE_S)
        return float(min(FIRST_PAUSE_S * 2 ** (self._attempts - 1), LONGEST_PAUSE_S) * random.uniform(0.5, 1.0))


def _problem_of(response: httpx2.Response) -> LatcastError | None:
    """The error that a problem of the service's own is; None where the answer is none, whatever its status says."""
    if _media_type(response) != PROBLEM_TYPE:
        return None
    try:
        problem = response.json()
        if not problem["type"].startswith(URN) or problem["status"] != response.status_code:
            return None
        return error_of_problem(problem, status=response.status_code)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _described(response: httpx2.Response) -> str:
    kind = _media_type(response) or "no content type"
    if response.is_redirect and response.next_request is not None:
        return f"{response.status_code}, a redirect to {response.next_request.url.host}"
    return f"{response.status_code} with {kind}"


def _media_type(response: httpx2.Response) -> str:
    return str(response.headers.get("Content-Type", "")).partition(";")[0].strip().lower()

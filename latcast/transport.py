"""Calls over HTTP: authorised, repeated where that does no harm, and refusals raised as the errors they are."""

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2

from latcast.errors import URN, RateLimitedError, UnavailableError, UnexpectedAnswerError, error_of_problem
from latcast.schema import LatcastError, to_plain

__all__ = ["API", "ServiceTransport"]

API = "/v1"
"""Prefix of the paths that the client speaks."""
ATTEMPTS = 4
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 10.0
PROBLEM_TYPE = "application/problem+json"
AWAY = frozenset({429, 502, 503, 504})
"""Statuses that say, whoever gives them, that the same call may be answered later."""


class ServiceTransport:
    """The connections to one service. Thread-safe; close it.

    Args:
        base_url: for example `http://127.0.0.1:8321`.
        key: API key; may be set later, and counts from the next call on.
        timeout_s: longest silence of the service within one call.
        transport: how requests travel.
    """

    def __init__(
        self, base_url: str, key: str | None, *, timeout_s: float, transport: httpx2.BaseTransport | None
    ) -> None:
        self.base_url, self.key = base_url.rstrip("/"), key
        self._http = httpx2.Client(base_url=self.base_url, auth=self._authorise, timeout=timeout_s, transport=transport)

    def _authorise(self, request: httpx2.Request) -> httpx2.Request:
        if self.key:
            request.headers["Authorization"] = f"Bearer {self.key}"
        return request

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def json(self, method: str, path: str, *, repeat: bool = False, **request: Any) -> dict[str, Any]:
        """The body of a call's answer, which is a JSON object; see `send`."""
        return self.plain_of(self.send(method, path, repeat=repeat, **request))

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

    def pages(self, path: str, **params: Any) -> Iterator[dict[str, Any]]:
        """The items of every page of a list; parameters that are None are left out."""
        params = {name: value for name, value in params.items() if value is not None}
        while True:
            page = self.json("GET", path, params=params)
            yield from page["items"]
            if page["next_cursor"] is None:
                return
            params["cursor"] = page["next_cursor"]

    def send(self, method: str, path: str, *, repeat: bool = False, **request: Any) -> httpx2.Response:
        """The answer of a call.

        Args:
            method: of HTTP; a GET is always repeated.
            path: below the API's prefix.
            repeat: call again while the service is away, because that can do no harm.
            **request: as `httpx2.Client.request` takes it.

        Raises:
            LatcastError: what the service refused, as the error that it is there.
            UnavailableError: the service cannot be reached.
            UnexpectedAnswerError: somebody else answered: a proxy, another server, a page to log in.
        """
        attempts = ATTEMPTS if repeat or method == "GET" else 1
        for attempt in range(1, attempts):
            try:
                return self._send_once(method, path, **request)
            except (UnavailableError, RateLimitedError) as error:
                time.sleep(_pause_s(attempt, error))
        return self._send_once(method, path, **request)

    def _send_once(self, method: str, path: str, **request: Any) -> httpx2.Response:
        for part in ("json", "params"):
            if part in request:
                request[part] = to_plain(request[part])
        try:
            response = self._http.request(method, API + path, **request)
        except httpx2.RequestError as error:
            raise self._unreachable(error) from error
        if not response.is_success:
            raise self._error_of(response)
        return response

    def download(self, path: str, file: Path) -> None:
        """Write the body of a GET into a file, piece by piece; a refusal leaves the file as it was.

        Raises:
            LatcastError: what the service refused.
            UnavailableError: the service cannot be reached.
        """
        try:
            with self._http.stream("GET", API + path) as response:
                if not response.is_success:
                    response.read()
                    raise self._error_of(response)
                with file.open("wb") as out:
                    for chunk in response.iter_bytes():
                        out.write(chunk)
        except httpx2.RequestError as error:
            raise self._unreachable(error) from error

    def readiness(self) -> dict[str, Any]:
        """The body of `/readyz`, which says what is wrong with a status of 503.

        Raises:
            UnavailableError: the service cannot be reached.
        """
        try:
            response = self._http.get("/readyz")
        except httpx2.RequestError as error:
            raise self._unreachable(error) from error
        return self.plain_of(response)

    def _unreachable(self, error: Exception) -> UnavailableError:
        reason = str(error) or type(error).__name__
        return UnavailableError(f"The service at {self.base_url} cannot be reached: {reason}. Is `latcast serve` up?")

    def unexpected(self, response: httpx2.Response) -> UnexpectedAnswerError:
        """The error that an answer is which no latcast service gives."""
        return UnexpectedAnswerError(
            f"{self.base_url} answered {_described(response)}, as no latcast service does: is that its address, and "
            "does a proxy stand in between?"
        )

    def _error_of(self, response: httpx2.Response) -> LatcastError:
        """The error that an answer stands for: a problem of the service's own, else what its status says."""
        error = _problem_of(response)
        if error is None and response.status_code not in AWAY:
            return self.unexpected(response)
        if error is None:
            detail = f"{self.base_url} answered {response.status_code} without saying why; try again later."
            error = RateLimitedError(detail) if response.status_code == 429 else UnavailableError(detail)
        if isinstance(error, RateLimitedError):
            wait = response.headers.get("Retry-After", "1")
            error.retry_after_s = float(wait) if wait.isdigit() else 1.0
        return error


def _pause_s(attempt: int, error: LatcastError) -> float:
    if isinstance(error, RateLimitedError):
        return min(error.retry_after_s, LONGEST_PAUSE_S)
    return float(min(FIRST_PAUSE_S * 2**attempt, LONGEST_PAUSE_S) * random.uniform(0.5, 1.0))


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

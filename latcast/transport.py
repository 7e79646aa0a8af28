"""Calls over HTTP: authorised, repeated where that does no harm, and refusals raised as the errors they are."""

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2

from latcast.errors import RateLimitedError, UnavailableError, error_of_problem
from latcast.schema import LatcastError

__all__ = ["API", "ServiceTransport"]

API = "/v1"
"""Prefix of the paths that the client speaks."""
ATTEMPTS = 4
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 10.0


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
        """The body of a call's answer; see `send`."""
        plain: dict[str, Any] = self.send(method, path, repeat=repeat, **request).json()
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
        """
        attempts = ATTEMPTS if repeat or method == "GET" else 1
        for attempt in range(1, attempts):
            try:
                return self._send_once(method, path, **request)
            except (UnavailableError, RateLimitedError) as error:
                time.sleep(_pause_s(attempt, error))
        return self._send_once(method, path, **request)

    def _send_once(self, method: str, path: str, **request: Any) -> httpx2.Response:
        try:
            response = self._http.request(method, API + path, **request)
        except httpx2.TransportError as error:
            raise self._unreachable(error) from error
        if response.is_error:
            raise _error_of(response)
        return response

    def download(self, path: str, file: Path) -> None:
        """Write the body of a GET into a file, piece by piece; a refusal leaves the file as it was.

        Raises:
            LatcastError: what the service refused.
            UnavailableError: the service cannot be reached.
        """
        try:
            with self._http.stream("GET", API + path) as response:
                if response.is_error:
                    response.read()
                    raise _error_of(response)
                with file.open("wb") as out:
                    for chunk in response.iter_bytes():
                        out.write(chunk)
        except httpx2.TransportError as error:
            raise self._unreachable(error) from error

    def readiness(self) -> dict[str, Any]:
        """The body of `/readyz`, which says what is wrong with a status of 503.

        Raises:
            UnavailableError: the service cannot be reached.
        """
        try:
            response = self._http.get("/readyz")
        except httpx2.TransportError as error:
            raise self._unreachable(error) from error
        ready: dict[str, Any] = response.json()
        return ready

    def _unreachable(self, error: Exception) -> UnavailableError:
        reason = str(error) or type(error).__name__
        return UnavailableError(f"The service at {self.base_url} cannot be reached: {reason}. Is `latcast serve` up?")


def _pause_s(attempt: int, error: LatcastError) -> float:
    if isinstance(error, RateLimitedError):
        return min(error.retry_after_s, LONGEST_PAUSE_S)
    return float(min(FIRST_PAUSE_S * 2**attempt, LONGEST_PAUSE_S) * random.uniform(0.5, 1.0))


def _error_of(response: httpx2.Response) -> LatcastError:
    """The error that an answer stands for, whether it is a problem or not."""
    try:
        problem = response.json()
        error = error_of_problem(problem, status=response.status_code)
    except (ValueError, KeyError, TypeError):
        detail = f"The service answered {response.status_code} without saying why."
        error = error_of_problem({"detail": detail, "type": ""}, status=response.status_code)
    if isinstance(error, RateLimitedError):
        wait = response.headers.get("Retry-After", "1")
        error.retry_after_s = float(wait) if wait.isdigit() else 1.0
    return error

"""Calls over HTTP from an event loop, with the rules of `latcast.transport`."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2

from latcast.errors import RateLimitedError, UnavailableError
from latcast.transport import API, KEPT, LEFT, NONE_KEPT, Patience, ServiceAddress, prepared

__all__ = ["AsyncServiceTransport"]


class AsyncServiceTransport(ServiceAddress):
    """The connections to one service, for one event loop; close it.

    Args:
        base_url: for example `http://127.0.0.1:8321`.
        key: API key; may be set later, and counts from the next call on.
        timeout_s: longest silence of the service within one call.
        transport: how requests travel; left out, through the proxy that the environment names for the address, if any.

    Raises:
        InputError: the address, the key or the environment's proxy cannot be used.
    """

    def __init__(
        self, base_url: str, key: str | None, *, timeout_s: float, transport: httpx2.AsyncBaseTransport | None
    ) -> None:
        super().__init__(base_url, key, direct=transport is not None)
        self._http, self._once = (
            httpx2.AsyncClient(
                base_url=self.base_url,
                auth=self.authorise,
                timeout=timeout_s,
                transport=transport
                or httpx2.AsyncHTTPTransport(proxy=self._proxy.url if self._proxy else None, limits=limits),
            )
            for limits in (KEPT, NONE_KEPT)
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()
        await self._once.aclose()

    async def json(
        self, method: str, path: str, *, repeat: bool = False, left: str = LEFT, patience_s: float = 0.0, **request: Any
    ) -> dict[str, Any]:
        """The body of a call's answer, which is a JSON object; arguments and errors are `ServiceTransport.send`'s."""
        if not repeat and method != "GET":
            return self.plain_of(await self._send_once(self._once, method, path, left, **request))
        waiting, connections = Patience(patience_s), self._http
        while True:
            try:
                return self.plain_of(await self._send_once(connections, method, path, **request))
            except (UnavailableError, RateLimitedError) as error:
                await asyncio.sleep(waiting.pause_s(error))
            connections = self._once

    async def _send_once(
        self, connections: httpx2.AsyncClient, method: str, path: str, left: str = "", **request: Any
    ) -> httpx2.Response:
        try:
            response = await connections.request(method, API + path, **prepared(request))
        except httpx2.RequestError as error:
            raise self.failure(error, left) from error
        if not response.is_success:
            raise self.error_of(response, left)
        return response

    async def pages(self, path: str, **params: Any) -> AsyncIterator[dict[str, Any]]:
        """The items of every page of a list; parameters that are None are left out."""
        params = {name: value for name, value in params.items() if value is not None}
        while True:
            page = await self.json("GET", path, params=params)
            for item in page["items"]:
                yield item
            if page["next_cursor"] is None:
                return
            params["cursor"] = page["next_cursor"]

"""What is done for a caller that hangs up ends; calls that are answered end as they did."""

import asyncio
import time
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.requests import Request

from profilers.host.cancellation import WorkCancelledError, check_wanted
from service.api.door.cancelling import CancelledCalls

LONGEST_S = 10.0


def application() -> tuple[FastAPI, list[str]]:
    """An application whose route works until it is cancelled, and what became of that."""
    app, ends = FastAPI(), list[str]()
    app.add_middleware(CancelledCalls)

    @app.post("/work")
    def work(body: dict[str, Any]) -> str:
        until = time.monotonic() + (LONGEST_S if body["long"] else 0)
        try:
            while time.monotonic() < until:
                check_wanted()
                time.sleep(0.01)
        except WorkCancelledError:
            ends.append("cancelled")
            raise
        ends.append("done")
        return "done"

    @app.post("/gone")
    async def gone(request: Request) -> bool:
        await request.body()
        return await request.is_disconnected()

    return app, ends


def scope(path: str) -> dict[str, Any]:
    headers = [(b"content-type", b"application/json")]
    return {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"",
            "headers": headers, "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http",
            "server": ("a", 1), "client": ("b", 2), "root_path": ""}  # fmt: skip


def test_work_ends_when_its_caller_hangs_up_in_the_middle() -> None:
    app, ends = application()

    async def call() -> None:
        messages: list[dict[str, Any]] = [{"type": "http.request", "body": b'{"long": true}', "more_body": False}]

        async def receive() -> dict[str, Any]:
            if messages:
                return messages.pop()
            await asyncio.sleep(0.1)
            return {"type": "http.disconnect"}

        async def send(_message: Any) -> None:
            pass

        with pytest.raises(WorkCancelledError):
            await app(scope("/work"), receive, send)

    started = time.monotonic()
    asyncio.run(call())
    assert ends == ["cancelled"]
    assert time.monotonic() - started < LONGEST_S


def test_calls_that_are_waited_for_are_answered() -> None:
    app, ends = application()
    with TestClient(app) as http:
        assert http.post("/work", json={"long": False}).json() == "done"
        assert http.post("/gone", json={}).json() is False
    assert ends == ["done"]

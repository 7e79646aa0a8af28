"""The client on an event loop: forecasts of a search loop, measurements, and jobs that are waited for."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

import httpx2
import pytest

from latcast import AsyncClient, Client
from latcast.errors import UnavailableError
from latcast.loops import target
from latcast.schema import InputError

T = TypeVar("T")


class Service:
    """Answers as the service does; forecasts a text by its length, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.states = ["queued", "leased", "done"]

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        body = json.loads(request.content) if request.content[:1] == b"{" else request.content
        path = request.url.path.removeprefix("/v1")
        self.asked.append((request.method, path, body))
        return httpx2.Response(200, json=self.answer(path, body))

    def answer(self, path: str, body: Any) -> dict[str, Any]:
        if path == "/predict" and "texts" in body:
            return columns(body["texts"])
        if path == "/predict":
            return {"items": [{"latency_ms": 1.0}] * len(body["items"])}
        if path.endswith("/state"):
            return {"state": "s"}
        if path.startswith("/jobs/"):
            return {"state": self.states.pop(0) if len(self.states) > 1 else self.states[0]}
        pages = {"/targets": {"items": [{"id": "a"}], "next_cursor": None}, "/jobs": {"items": [{"id": "j"}]}}
        return pages.get(path, {"id": path.rpartition("/")[2], "hash": "g1"})


def columns(texts: list[str]) -> dict[str, Any]:
    lengths, count = [float(len(text)) for text in texts], len(texts)
    return {
        "latency_ms": lengths, "low_ms": lengths, "high_ms": [None] * count, "measured": [False] * count,
        "coverage": [1.0] * count, "errors": {}, "predictor": "p", "kind": "k", "adapted": True, "measurements": 3,
        "origin": "",
    }  # fmt: skip


def run(service: Service, work: Callable[[AsyncClient], Awaitable[T]]) -> T:
    async def inside() -> T:
        async with AsyncClient("http://service", transport=httpx2.MockTransport(service)) as client:
            return await work(client)

    return asyncio.run(inside())


def test_one_target_forecasts_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target, "AnswerMemory", partial(target.AnswerMemory, fresh_s=0.0, settle_s=0.0))

    async def search(client: AsyncClient) -> list[float]:
        asked = await client.target("a")
        first = await asked.predict(["x", "yy"], space="toy")
        again = await asked.predict(["yy", "zzz"], space="toy")
        return [*first.latency_ms, *again.latency_ms]

    service = Service()
    assert run(service, search) == [1.0, 2.0, 2.0, 3.0]
    texts = [body["texts"] for _, path, body in service.asked if path == "/predict"]
    assert texts == [["x", "yy"], ["zzz"]]


def test_a_target_is_found_by_what_people_call_it() -> None:
    listed = {
        "items": [
            {"id": "a1", "device_name": "pi", "label": "fp32"},
            {"id": "b2", "device_name": "pi", "label": "int8"},
        ]
    }

    class Two(Service):
        def answer(self, path: str, body: Any) -> dict[str, Any]:
            return {**listed, "next_cursor": None} if path == "/targets" else super().answer(path, body)

    assert run(Two(), lambda client: client.find_target("pi int8")).id == "b2"
    with Client("http://service", transport=httpx2.MockTransport(Two())) as client:
        assert client.find_target("a").id == "a1"
        with pytest.raises(InputError, match=r"a1.*b2"):
            client.find_target()


def test_several_targets_are_asked_together() -> None:
    answers = run(Service(), lambda client: client.predict_on(["a", "b"], ["x"], space="toy"))
    assert {name: list(one.latency_ms) for name, one in answers.items()} == {"a": [1.0], "b": [1.0]}


def test_items_and_targets_are_as_the_client_gives_them() -> None:
    assert run(Service(), lambda client: client.targets()) == [{"id": "a"}]
    assert run(Service(), lambda client: client.predict("a", [{"graph": "g"}])) == [{"latency_ms": 1.0}]


def test_measuring_asks_for_jobs_and_waits_for_them() -> None:
    seen: list[str] = []

    async def measure(client: AsyncClient) -> dict[str, Any]:
        (job,) = await client.profile("a", architectures=[("toy", "x")])
        return await client.wait(job["id"], poll_s=0.0, on_change=lambda job: seen.append(job["state"]))

    service = Service()
    assert run(service, measure)["state"] == "done"
    assert seen == ["queued", "leased", "done"]
    assert service.asked[0][2]["architectures"] == [{"space": "toy", "text": "x"}]


def test_waiting_gives_up() -> None:
    service = Service()
    service.states = ["queued"]
    with pytest.raises(UnavailableError, match="still queued"):
        run(service, lambda client: client.wait("j", timeout_s=-1.0))

"""Agents' calls in front of the routes: answered as the routes would, or left to them."""

import gzip
import json
import time
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from sqlalchemy.exc import IntegrityError, OperationalError

from latcast.schema import to_plain
from service.api.door.routes import QUICK_VALUES, Route
from service.fleet.access import create_key
from tests.service.helpers import TARGET, World, measurement

JSON, FOR_THE_ROUTE = "application/json", "application/json; charset=utf-8"
"""Two ways to say the same, of which the quick path knows one."""


class Agent:
    """An agent that calls by hand, and sees whether a route has answered."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world, self.key = world, world.agent().key
        self.routed: list[str] = []
        handle = Route.handle

        async def seen(route: Route, *arguments: Any) -> None:
            self.routed.append(route.path)
            await handle(route, *arguments)

        monkeypatch.setattr(Route, "handle", seen)

    def post(self, path: str, body: Any, kind: str = JSON, key: str | None = "", **headers: str) -> httpx2.Response:
        self.routed.clear()
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        key = self.key if key == "" else key
        allowed = {} if key is None else {"Authorization": f"Bearer {key}"}
        return self.world.http.post(path, content=content, headers={"Content-Type": kind, **allowed, **headers})

    def leased(self, kind: str = JSON) -> dict[str, Any]:
        """A job that there was."""
        self.world.client.profile(TARGET.id, graphs=[self.world.graph()])
        answer = self.post("/v1/jobs/lease", {"wait_s": 0}, kind)
        assert answer.status_code == 200
        return dict(answer.json())


@pytest.fixture
def agent(world: World, monkeypatch: pytest.MonkeyPatch) -> Agent:
    return Agent(world, monkeypatch)


def result_of(job: dict[str, Any], **changed: Any) -> dict[str, Any]:
    return {"lease_token": job["lease_token"], "measurement": {**to_plain(measurement(job["graph"])), **changed}}


def said(answer: httpx2.Response) -> tuple[Any, ...]:
    """What an answer says, but for what is new in each."""
    kept = {name: value for name, value in answer.headers.items() if name not in ("x-request-id", "content-length")}
    return answer.status_code, answer.content and answer.json(), kept


def test_a_job_is_leased_and_reported_without_a_route(agent: Agent) -> None:
    fields = {}
    for kind in (JSON, FOR_THE_ROUTE):
        job = agent.leased(kind)
        assert agent.routed == ([] if kind == JSON else ["/jobs/lease"])
        answer = agent.post(f"/v1/jobs/{job['id']}/result", result_of(job), kind)
        assert agent.routed == ([] if kind == JSON else ["/jobs/{job_id}/result"])
        receipt = answer.json()
        assert (answer.status_code, receipt["state"], receipt["job_id"]) == (200, "done", job["id"])
        assert agent.world.client.measurement(receipt["measurement_id"]) == measurement(job["graph"])
        fields[kind] = (list(job), list(receipt), said(answer)[2])
        nothing = agent.post("/v1/jobs/lease", {"wait_s": 0}, kind)
        assert (nothing.status_code, nothing.content) == (204, b"")
    assert fields[JSON] == fields[FOR_THE_ROUTE]


def test_a_packed_report_and_one_of_the_former_paths_are_taken_too(agent: Agent) -> None:
    job = agent.leased()
    body = gzip.compress(json.dumps(result_of(job)).encode())
    answer = agent.post(f"/jobs/{job['id']}/result", body, **{"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json()["state"], agent.routed) == (200, "done", [])
    assert answer.headers["deprecation"]
    again = agent.post(f"/v1/jobs/{job['id']}/result", body, **{"Content-Encoding": "gzip"})
    assert again.json() == answer.json(), "a repeat is answered as the first was"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda body: {**body, "lease_token": "another"},
        lambda body: {**body, "measurement": {**body["measurement"], "graph": "another"}},
        lambda body: {**body, "measurement": {**body["measurement"], "runs": []}},
        lambda body: {**body, "measurement": {**body["measurement"], "protocol_version": 10**6}},
        lambda body: {**body, "more": 1},
        lambda body: {"lease_token": body["lease_token"]},
        lambda _: [],
        lambda _: b"{",
        lambda _: b"[" * 1000 + b"]" * 1000,
        lambda _: b"\xff",
        lambda body: json.dumps(body).replace('"noisy": false', '"noisy": "\\ud800"').encode(),
        lambda body: json.dumps(body).replace("2.0, 2.0, 2.0", "NaN").encode(),
        lambda body: {**body, "measurement": {**body["measurement"], "sentinel_ms": [1.0] * (QUICK_VALUES + 1)}},
    ],
)  # fmt: skip
def test_a_report_that_is_refused_is_refused_in_the_routes_words(agent: Agent, spoil: Callable[[Any], Any]) -> None:
    job = agent.leased()
    path, body = f"/v1/jobs/{job['id']}/result", spoil(result_of(job))
    quick = said(agent.post(path, body))
    assert quick == said(agent.post(path, body, FOR_THE_ROUTE))
    assert quick[0] in (400, 409, 413, 422)
    assert agent.post(path, result_of(job)).json()["state"] == "done", "the lease holds"


def test_who_may_not_is_told_so_as_by_the_route(agent: Agent) -> None:
    job = agent.leased()
    with agent.world.database.write.begin() as session:
        _, admin = create_key(session, scope="admin")
    until = time.monotonic() + 10
    while agent.world.http.get("/v1/targets").status_code != 401 and time.monotonic() < until:
        time.sleep(0.05)  # with the first key the service is no longer open, once it has noticed
    for path, body in (("/v1/jobs/lease", {}), (f"/v1/jobs/{job['id']}/result", result_of(job))):
        for key, status in ((None, 401), ("latcast_unknown", 401), (admin, 403)):
            quick = agent.post(path, body, key=key)
            assert said(quick) == said(agent.post(path, body, FOR_THE_ROUTE, key=key))
            assert quick.status_code == status
    elsewhere = agent.post("/v1/jobs/nowhere/result", result_of(job))
    assert (elsewhere.status_code, agent.routed) == (404, [])
    assert said(elsewhere) == said(agent.post("/v1/jobs/nowhere/result", result_of(job), FOR_THE_ROUTE))


def test_rates_count_each_call_once(make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> None:
    agent = Agent(make_world(rate_per_second=0.001, rate_burst=4), monkeypatch)
    bodies = ({"wait_s": 0}, {"wait_s": 0, "more": 1}, {"wait_s": 0}, {"wait_s": 0})
    answers = [agent.post("/v1/jobs/lease", body).status_code for body in bodies]
    assert answers == [204, 422, 204, 204]
    refused = agent.post("/v1/jobs/lease", {"wait_s": 0})
    assert (refused.status_code, refused.json()["type"]) == (429, "urn:latcast:problem:rate-limited")
    assert refused.headers["retry-after"]


@pytest.mark.parametrize(
    ("error", "status"),
    [(OperationalError("", None, Exception("disk I/O error")), 503), (IntegrityError("", None, Exception()), 409)],
)
def test_what_the_database_refuses_is_a_problem(
    agent: Agent, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    async def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(agent.world.app.state.parts.writes, "lease", fail)
    quick = agent.post("/v1/jobs/lease", {"wait_s": 0})
    assert said(quick) == said(agent.post("/v1/jobs/lease", {"wait_s": 0}, FOR_THE_ROUTE))
    assert quick.status_code == status


def test_calls_are_counted_by_route(agent: Agent) -> None:
    job = agent.leased()
    agent.post(f"/v1/jobs/{job['id']}/result", result_of(job))
    said = agent.world.http.get("/metrics").text
    for route in ("/jobs/lease", "/jobs/{job_id}/result"):
        assert f'latcast_calls_total{{method="POST",route="{route}",status="200"}} 1.0' in said

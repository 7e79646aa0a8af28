"""The agent's work over REST: what it leases and reports, and a service that is away."""

import json
import math
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from latcast import Client, transport
from latcast.errors import BodyTooLargeError, NotFoundError
from latcast.schema import Failure, Measurement, ProfileSettings, to_plain
from profilers.agent.jobs import AgentRefusedError, Job, ReportRefusedError, SourceFailedError, SourceUnavailableError
from profilers.onnx_graph import load_graph
from service.agent.job_source import ServiceJobSource
from tests.service.helpers import TARGET, World, measurement


def test_work_goes_from_lease_to_report(world: World) -> None:
    source = ServiceJobSource(world.agent(), wait_s=0)
    assert source.lease() is None
    graphs = [world.graph(4), world.graph(5)]
    made = world.client.profile(TARGET.id, graphs=graphs, settings={"processes": 3})
    first = source.lease()
    assert first is not None
    assert (first.id, first.graph, first.settings.processes) == (made[0]["id"], graphs[0], 3)
    assert source.heartbeat(first)
    assert load_graph(source.model(first.graph)).hash == graphs[0]
    source.result(first, measurement(graphs[0]))
    second = source.lease()
    assert second is not None
    source.failure(second, Failure(stage="open", message="It cannot be opened."))
    assert [world.client.job(job["id"])["state"] for job in made] == ["done", "failed"]


def test_a_lease_that_was_lost_ends_heartbeats(world: World) -> None:
    source = ServiceJobSource(world.agent(), wait_s=0)
    (made,) = world.client.profile(TARGET.id, graphs=[world.graph()])
    job = source.lease()
    assert job is not None
    world.client.cancel(made["id"])
    assert not source.heartbeat(job)


@pytest.mark.parametrize("status", [429, 503, None])
def test_a_service_that_is_away_is_tried_again_later(status: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport.time, "sleep", lambda _s: None)

    def away(_request: httpx2.Request) -> httpx2.Response:
        if status is None:
            raise httpx2.ConnectError("refused")
        return httpx2.Response(status)

    source = ServiceJobSource(Client("http://service", transport=httpx2.MockTransport(away)))
    for call in (source.lease, lambda: source.model("g")):
        with pytest.raises(SourceUnavailableError):
            call()


def problem(status: int, slug: str) -> httpx2.Response:
    body = {"type": f"urn:latcast:problem:{slug}", "status": status, "detail": "This is what to do."}
    headers = {"Content-Type": "application/problem+json"}
    return httpx2.Response(status, content=json.dumps(body).encode(), headers=headers)


def source_that_answers(answer: httpx2.Response) -> ServiceJobSource:
    return ServiceJobSource(Client("http://service", transport=httpx2.MockTransport(lambda _request: answer)))


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport.time, "sleep", lambda _s: None)


JOB = Job(id="j", lease_token="t", graph="g", settings=ProfileSettings(backend="fake"))
REPORTS: list[Callable[[ServiceJobSource], None]] = [
    lambda source: source.result(JOB, measurement("g")),
    lambda source: source.failure(JOB, Failure(stage="run", message="NaN")),
]


@pytest.mark.parametrize(("status", "slug"), [(401, "authentication"), (403, "forbidden")])
def test_a_key_that_the_service_refuses_ends_the_agent(status: int, slug: str) -> None:
    source = source_that_answers(problem(status, slug))
    for call in (source.lease, lambda: source.model("g"), lambda: source.heartbeat(JOB)):
        with pytest.raises(AgentRefusedError, match="what to do"):
            call()


@pytest.mark.parametrize("report", REPORTS)
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (problem(409, "lease-lost"), ReportRefusedError),
        (problem(422, "input"), ReportRefusedError),
        (problem(401, "authentication"), AgentRefusedError),
        (problem(403, "forbidden"), SourceFailedError),
        (problem(404, "not-found"), SourceFailedError),
        (problem(409, "conflict"), SourceFailedError),
        (problem(413, "body-too-large"), SourceFailedError),
        (problem(500, "internal"), SourceFailedError),
        (problem(503, "unavailable"), SourceUnavailableError),
        (httpx2.Response(500, text="Internal Server Error"), SourceFailedError),
        (httpx2.Response(401, html="<html>"), SourceFailedError),
        (httpx2.Response(422, json={"detail": "no"}), SourceFailedError),
        (httpx2.Response(307, headers={"Location": "http://elsewhere"}), SourceFailedError),
        (httpx2.Response(200, html="<html>"), SourceFailedError),
        (httpx2.Response(200, json={}), SourceFailedError),
        (httpx2.Response(200, json={"job_id": "another"}), SourceFailedError),
    ],
)
def test_only_the_services_own_word_ends_a_report(
    report: Callable[[ServiceJobSource], None], answer: httpx2.Response, error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        report(source_that_answers(answer))
    assert type(caught.value) is error


def test_a_report_that_is_too_large_goes_without_its_kernels(world: World) -> None:
    """That of a graph of many kernels would else be tried for ever, and never be anywhere but in the spool."""
    agent, sent = world.agent(), []
    deliver = agent.result

    def too_large(job_id: str, lease_token: str, reported: Measurement) -> dict[str, Any]:
        sent.append(reported)
        if reported.kernels:
            raise BodyTooLargeError("The JSON holds more than 400,000 values; send several calls.")
        return deliver(job_id, lease_token, reported)

    agent.result = too_large  # type: ignore[method-assign]
    source, graph = ServiceJobSource(agent, wait_s=0), world.graph()
    world.client.profile(TARGET.id, graphs=[graph])
    job = source.lease()
    assert job is not None
    source.result(job, measurement(graph))
    (row,) = world.client.measurements(TARGET.id)
    stored = world.client.measurement(row["id"])
    assert stored.samples_ms == measurement(graph).samples_ms
    assert stored.kernels is None
    assert "takes no report of this size: The JSON holds more than 400,000 values" in stored.runs[0].no_kernels
    assert len(sent) == 2


def test_a_number_that_is_none_cannot_be_reported() -> None:
    source = source_that_answers(httpx2.Response(200, json={"job_id": "j"}))
    with pytest.raises(ReportRefusedError, match="JSON"):
        source.result(JOB, measurement("g", ms=math.nan))


@pytest.mark.parametrize(
    "job",
    [
        {},
        {"id": 3},
        {**to_plain(JOB), "lease_seconds": -1},
        {**to_plain(JOB), "of_the_future": 1},
        {**to_plain(JOB), "settings": None},
    ],
)
def test_a_job_that_cannot_be_read_is_given_back_and_no_end(job: dict[str, object]) -> None:
    asked: list[tuple[str, bytes]] = []

    def service(request: httpx2.Request) -> httpx2.Response:
        asked.append((request.url.path, request.content))
        return httpx2.Response(200, json=job)

    source = ServiceJobSource(Client("http://service", transport=httpx2.MockTransport(service)))
    with pytest.raises(SourceFailedError, match="cannot be read"):
        source.lease()
    given_back = [body for path, body in asked if path == "/v1/jobs/j/failure"]
    assert len(given_back) == ("lease_token" in job)
    assert all(b"cannot read this job" in body for body in given_back)


def test_a_graph_that_is_not_there_fails_the_job() -> None:
    with pytest.raises(NotFoundError):
        source_that_answers(problem(404, "not-found")).model("g")


def test_a_mistake_in_the_client_is_no_end() -> None:
    class Broken:
        def lease(self, **_: object) -> None:
            raise AttributeError("oops")

    with pytest.raises(SourceFailedError, match="AttributeError"):
        ServiceJobSource(Broken()).lease()  # type: ignore[arg-type]

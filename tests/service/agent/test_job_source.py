"""The agent's work over REST: what it leases and reports, and a service that is away."""

import httpx2
import pytest

from latcast import Client, transport
from latcast.errors import ForbiddenError
from latcast.schema import Failure
from profilers.agent.jobs import SourceUnavailableError
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


def test_a_refusal_is_final() -> None:
    problem = {"type": "urn:latcast:problem:forbidden", "detail": "This is not your work."}
    transport_ = httpx2.MockTransport(lambda _request: httpx2.Response(403, json=problem))
    with pytest.raises(ForbiddenError, match="not your work"):
        ServiceJobSource(Client("http://service", transport=transport_)).model("g")

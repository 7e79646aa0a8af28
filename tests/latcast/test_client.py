"""The SDK: each call as the service expects it, repeated only where that does no harm."""

import copy
import json
import pickle
from collections.abc import Callable
from pathlib import Path

import httpx2
import numpy as np
import pytest

from latcast import Client, item, transport
from latcast.errors import NotFoundError, UnavailableError, UnexpectedAnswerError
from latcast.schema import Device, InputError

DEVICE = Device(fingerprint="f", name="here", machine="x86_64", processor="p", physical_cores=1, logical_cores=1,
                memory_bytes=1, cache_bytes={}, features=(), system="Linux")  # fmt: skip
Handler = Callable[[httpx2.Request], httpx2.Response]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport.time, "sleep", lambda _s: None)


def client(handler: Handler) -> Client:
    return Client("http://service", "key-1", transport=httpx2.MockTransport(handler))


def problem(status: int, slug: str = "x", **headers: str) -> httpx2.Response:
    body = {"type": f"urn:latcast:problem:{slug}", "title": "t", "status": status, "detail": "What to do."}
    headers["Content-Type"] = "application/problem+json"
    return httpx2.Response(status, content=json.dumps(body).encode(), headers=headers)


def test_only_harmless_calls_are_repeated() -> None:
    calls: list[str] = []

    def away(request: httpx2.Request) -> httpx2.Response:
        calls.append(request.url.path)
        raise httpx2.ConnectError("refused")

    service = client(away)
    attempts: dict[str, Callable[[], object]] = {
        "/v1/targets": service.targets,
        "/v1/graphs": lambda: service.upload_graph(b""),
        "/v1/predict": lambda: service.predict("t", [item(graph="g")]),
        "/v1/jobs/j/heartbeat": lambda: service.heartbeat("j", "t"),
        "/v1/jobs": lambda: service.profile("t", graphs=["g"]),
        "/v1/targets/t/adapt": lambda: service.adapt("t"),
        "/v1/jobs/lease": service.lease,
    }
    for call in attempts.values():
        with pytest.raises(UnavailableError, match="latcast serve"):
            call()
    once = {"/v1/jobs", "/v1/targets/t/adapt", "/v1/jobs/lease"}
    assert {path: calls.count(path) for path in attempts} == {path: 1 if path in once else 4 for path in attempts}


def test_lease_is_a_job_or_nothing_and_a_lost_one_ends_heartbeats() -> None:
    assert client(lambda _request: httpx2.Response(204)).lease(wait_s=1) is None
    assert client(lambda _request: httpx2.Response(200, json={"id": "j"})).lease() == {"id": "j"}
    assert client(lambda _request: problem(409, "lease-lost")).heartbeat("j", "t") is False
    assert client(lambda _request: httpx2.Response(200, json={})).heartbeat("j", "t") is True


def test_waiting_for_a_job_reports_changes_and_gives_up() -> None:
    states = iter(["queued", "leased", "leased", "done"])
    seen: list[str] = []
    service = client(lambda _request: httpx2.Response(200, json={"state": next(states)}))
    assert service.wait("j", on_change=lambda job: seen.append(job["state"]))["state"] == "done"
    assert seen == ["queued", "leased", "done"]
    with pytest.raises(UnavailableError, match="still queued"):
        client(lambda _request: httpx2.Response(200, json={"state": "queued"})).wait("j", timeout_s=-1)


def test_key_goes_with_every_call_and_can_change() -> None:
    sent: list[str | None] = []

    def remember(request: httpx2.Request) -> httpx2.Response:
        sent.append(request.headers.get("authorization"))
        return httpx2.Response(200, json={"items": [], "next_cursor": None})

    service = client(remember)
    service.targets()
    service.key = "key-2"
    service.targets()
    service.key = None
    service.targets()
    assert sent == ["Bearer key-1", "Bearer key-2", None]


def test_a_page_is_no_model_and_no_job() -> None:
    page = client(lambda _request: httpx2.Response(200, html="<html>log in</html>"))
    for call in (lambda: page.model("g"), page.lease, page.readiness):
        with pytest.raises(UnexpectedAnswerError, match="200 with text/html"):
            call()
    headers = {"Content-Type": "application/octet-stream"}
    assert client(lambda _request: httpx2.Response(200, content=b"onnx", headers=headers)).model("g") == b"onnx"


def test_unreachable_service_is_not_ready() -> None:
    def away(_request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused")

    assert not client(away).is_ready()


def test_a_target_without_a_descriptor_has_none() -> None:
    assert client(lambda _request: problem(404, "not-found")).microbench("t") is None


def test_an_export_is_written_as_it_comes_and_a_refusal_leaves_the_file(tmp_path: Path) -> None:
    out = tmp_path / "rows.csv"
    client(lambda _request: httpx2.Response(200, content=b"a,b\n1,2\n")).export("t", out, file_format="csv")
    assert out.read_bytes() == b"a,b\n1,2\n"
    with pytest.raises(NotFoundError):
        client(lambda _request: problem(404, "not-found")).export("t", out)
    assert out.read_bytes() == b"a,b\n1,2\n"


def test_a_client_is_copied_and_pickled_with_connections_of_its_own() -> None:
    original = Client("http://service", "key-1", timeout_s=7.0)
    for twin in (pickle.loads(pickle.dumps(original)), copy.deepcopy(original), copy.copy(original)):  # noqa: S301
        assert (twin.base_url, twin.key, twin.timeout_s) == ("http://service", "key-1", 7.0)
        assert twin._service is not original._service
        twin.close()
    original.key = "key-2"
    assert pickle.loads(pickle.dumps(original)).key == "key-2"  # noqa: S301
    original.close()


def test_numbers_and_arrays_of_numpy_are_sent_as_numbers() -> None:
    sent: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(request)
        return httpx2.Response(200, json={"items": [], "id": "j"})

    service = client(answer)
    asked = [
        item(onnx=b"m", shapes={"x": np.array([1, 3])}, dims={"n": np.int64(2)}),
        item(space=np.str_("zoo"), text=np.str_("t")),
        {"onnx": "", "shapes": {"x": (np.int32(1), 3)}},
    ]
    service.predict("t", asked, level=np.float32(0.5))  # type: ignore[arg-type]
    service.adapt("t", samples=np.int64(5), seed=np.uint8(3))  # type: ignore[arg-type]
    service.upload_graph(b"m", shapes={"x": np.array([1, 3])}, dims={"n": np.int64(2)})
    service.explain("t", asked[0], level=np.float64(0.5), nearest=np.int64(2))
    predicted, adapted = json.loads(sent[0].content), json.loads(sent[1].content)
    assert [one.get("shapes") for one in predicted["items"]] == [{"x": [1, 3]}, None, {"x": [1, 3]}]
    assert predicted["items"][0]["dims"] == {"n": 2}
    assert predicted["level"] == 0.5
    assert (adapted["samples"], adapted["seed"]) == (5, 3)
    assert json.loads(sent[2].url.params["shapes"]) == {"x": [1, 3]}
    assert json.loads(sent[2].url.params["dims"]) == {"n": 2}
    assert dict(sent[3].url.params) == {"level": "0.5", "nearest": "2"}


def test_a_lost_answer_says_where_to_look_for_what_it_made() -> None:
    def lost(_request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ReadTimeout("timed out")

    service = client(lost)
    for call in (lambda: service.profile("t", graphs=["g"]), lambda: service.adapt("t")):
        with pytest.raises(UnavailableError, match=r"No answer came .*The job may exist: see `latcast jobs`"):
            call()
    for call in (lambda: service.create_key("client"), service.create_enrolment_token):
        with pytest.raises(UnavailableError, match="The key may exist: see `latcast keys list`"):
            call()


def test_an_enrolment_token_travels_without_the_line_end_of_its_file() -> None:
    sent: list[str | None] = []

    def remember(request: httpx2.Request) -> httpx2.Response:
        sent.append(json.loads(request.content)["enrolment_token"])
        return httpx2.Response(200, json={})

    for token in ("token\r\n", " token", None, ""):
        client(remember).register(DEVICE, [], enrolment_token=token)
    assert sent == ["token", "token", None, None]
    with pytest.raises(InputError, match="The enrolment token holds") as caught:
        client(remember).register(DEVICE, [], enrolment_token="to ken")
    assert "to ken" not in str(caught.value)

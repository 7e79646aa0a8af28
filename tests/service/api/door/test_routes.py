"""What is looked at before a route runs: key, scope, rate, type, size, number of values and depth of what was sent."""

import asyncio
import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest

from latcast.schema import to_plain
from service.api.door.bodies import SMALL_BYTES
from service.api.problems import MEDIA_TYPE
from tests.service.api.test_middleware import status_of_unread_body
from tests.service.helpers import CELL, DEVICE, TARGET, World, measurement, model

MakeWorld = Callable[..., World]
JSON = {"content-type": "application/json"}


def test_bodies_above_the_limit_are_refused_announced_or_not(make_world: MakeWorld) -> None:
    world = make_world(max_body_bytes=1000, max_model_bytes=5000)
    for path, size, status in (("/v1/jobs", 2000, 413), ("/v1/predict", 2000, 400), ("/v1/graphs", 6000, 413)):
        kind = {"content-type": "application/octet-stream"} if path == "/v1/graphs" else JSON
        for content in (b"{" * size, iter([b"{" * 500] * (size // 500))):
            response = world.http.post(path, content=content, headers=kind)
            assert response.status_code in {status, 413 if size == 2000 else status}, path
            assert response.headers["content-type"] == MEDIA_TYPE


def test_a_scope_that_does_not_reach_is_refused_before_the_body(keyed: tuple[World, dict[str, str]]) -> None:
    world, keys = keyed
    agent = ((b"authorization", f"Bearer {keys['agent']}".encode()),)
    for path in ("/v1/graphs", "/v1/predict", "/v1/jobs", "/jobs"):
        assert asyncio.run(status_of_unread_body(world.app, path, agent)) == 403, path


def test_the_rate_counts_before_the_body_and_once(make_world: MakeWorld) -> None:
    world = make_world(rate_per_second=0.001, rate_burst=3)
    statuses = [world.http.post("/v1/predict", content=b"{", headers=JSON).status_code for _ in range(3)]
    assert statuses == [422, 422, 422]
    assert world.http.post("/v1/predict", content=b"{", headers=JSON).status_code == 429
    for path in ("/v1/predict", "/v1/graphs"):
        assert asyncio.run(status_of_unread_body(world.app, path, (), client="testclient")) == 429


@pytest.mark.parametrize(
    "body", [b'{"items":[' + b"1," * 2000, b"[" * 2000, b'{"a":{' * 600, b'{"items":[' + b"[]," * 400_000]
)
def test_json_of_too_many_values_is_refused_before_it_is_parsed(make_world: MakeWorld, body: bytes) -> None:
    response = make_world(max_json_values=1000).http.post("/v1/predict", content=body, headers=JSON)
    assert response.status_code in {400, 413}
    assert "more than 1,000 values" in response.json()["detail"] or "nested deeper" in response.json()["detail"]


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/jobs", "/v1/devices/register", "/v1/jobs/x/result", "/v1/keys"])
def test_every_json_route_counts_values_and_depth(make_world: MakeWorld, path: str) -> None:
    world = make_world(max_json_values=1000, max_report_values=1000)
    headers = JSON
    if path.endswith("result"):
        headers = {**JSON, "authorization": f"Bearer {world.client.register(DEVICE, [TARGET])['agent_key']}"}
    for body, status in ((b"[" + b"1," * 2000 + b"1]", 413), (b'{"a":' * 100 + b"1" + b"}" * 100, 400)):
        assert world.http.post(path, content=body, headers=headers).status_code == status


def test_items_are_not_looked_at_one_by_one_when_there_are_too_many(make_world: MakeWorld) -> None:
    world = make_world(max_json_values=1_000_000)
    response = world.http.post("/v1/predict", json={"target": TARGET.id, "items": [1] * 10_001})
    assert response.status_code == 422
    assert "at most 10,000 items" in response.json()["detail"]


def asked(*items: Any) -> dict[str, Any]:
    return {"target": TARGET.id, "items": list(items)}


def test_large_bodies_are_answered_as_small_ones_are(make_world: MakeWorld) -> None:
    """What is parsed in a thread is the same and has the same errors."""
    world = make_world()
    many = [{"space": "toy", "text": "a" * (1 + place % 7)} for place in range(900)]
    assert len(json.dumps(asked(*many))) < SMALL_BYTES
    small = world.http.post("/v1/predict", json=asked(*many))
    large = world.http.post("/v1/predict", content=json.dumps(asked(*many), indent=40).encode(), headers=JSON)
    assert len(small.json()["items"]) == 900
    assert large.json() == small.json()
    for wrong in ({"items": []}, {"target": TARGET.id, "items": []}, {"target": 5, "items": [1]}, [], "x"):
        short = world.http.post("/v1/predict", json=wrong)
        long = world.http.post("/v1/predict", content=json.dumps(wrong).encode() + b" " * 2 * SMALL_BYTES, headers=JSON)
        assert (long.status_code, long.json()) == (short.status_code, short.json())
        assert long.status_code == 422
    for broken in (b"{", b'{"a": nope}', b"\xff"):
        short = world.http.post("/v1/predict", content=broken, headers=JSON)
        long = world.http.post("/v1/predict", content=broken + b" " * 2 * SMALL_BYTES, headers=JSON)
        assert (long.status_code, short.status_code) in {(422, 422), (400, 400)}


def test_unions_and_records_pass_when_they_are_large(world: World) -> None:
    """A body that is one of several kinds, and one that is a record of the vocabulary."""
    agent = world.agent([TARGET])
    graph = world.graph()
    wanted = {"kind": "profile", "target": TARGET.id, "graphs": [graph]}
    made = world.http.post("/v1/jobs", content=json.dumps(wanted).encode() + b" " * 2 * SMALL_BYTES, headers=JSON)
    assert made.status_code == 202
    job = agent.lease(wait_s=0)
    assert job is not None
    report = {"lease_token": job["lease_token"], "measurement": to_plain(measurement(graph))}
    headers = {**JSON, "authorization": f"Bearer {agent.key}"}
    content = json.dumps(report).encode() + b" " * 2 * SMALL_BYTES
    taken = world.http.post(f"/v1/jobs/{job['id']}/result", content=content, headers=headers)
    assert taken.json()["state"] == "done"


def test_json_has_to_say_that_it_is_json(world: World) -> None:
    body = json.dumps(asked({"space": "toy", "text": "abc"})).encode()
    for kind in ("application/x-www-form-urlencoded", "text/plain", "", "application/octet-stream"):
        response = world.http.post("/v1/predict", content=body, headers={"content-type": kind} if kind else {})
        assert response.status_code == 415, kind
        assert "Content-Type: application/json" in response.json()["detail"]
    for kind in ("application/json", "application/json; charset=utf-8", "application/vnd.x+json"):
        assert world.http.post("/v1/predict", content=body, headers={"content-type": kind}).status_code == 200, kind


def test_packed_bodies_are_unpacked(world: World) -> None:
    body = json.dumps(asked({"space": "toy", "text": "abc"})).encode()
    packed = {**JSON, "content-encoding": "gzip"}
    response = world.http.post("/v1/predict", content=gzip.compress(body), headers=packed)
    assert response.json()["items"][0]["latency_ms"] == 3.0
    octets = {"content-type": "application/octet-stream", "content-encoding": "gzip"}
    assert world.http.post("/v1/graphs", content=gzip.compress(model()), headers=octets).status_code == 201


def test_a_busy_kind_of_call_says_so_and_the_others_go_on(make_world: MakeWorld) -> None:
    world = make_world()
    pools = world.app.state.parts.pools
    pools.writes._limiter.total_tokens = 0
    pools.writes._patience_s = 0.01
    response = world.http.post("/v1/keys/enrolment", json={})
    assert response.status_code == 503
    assert response.headers["retry-after"]
    assert "`max_write_calls`" in response.json()["detail"]
    assert world.http.get("/v1/targets").status_code == 200
    assert world.http.post("/v1/predict", json=asked({"space": "toy", "text": CELL})).status_code == 200


def test_a_body_that_is_wrong_in_too_many_places_is_told_how_many(make_world: MakeWorld) -> None:
    world = make_world()
    texts = [1] * 9_000
    body = {"target": TARGET.id, "space": "zoo", "texts": texts, "graphs": texts}
    response = world.http.post("/v1/predict", json=body)
    assert response.status_code == 422
    assert "does not fit in 18,000 places" in response.json()["detail"]
    few = world.http.post("/v1/predict", json={"target": TARGET.id, "space": "zoo", "texts": texts}).json()
    assert few["detail"].startswith("The request does not fit: body.texts.0: Input should be a valid string")
    assert len(few["errors"]) == 20
    unknown = world.http.post("/v1/predict", json={f"m{at}": at for at in range(20_000)})
    assert unknown.status_code == 422
    assert "An object of the JSON has 20,000 members" in unknown.json()["detail"]


def test_large_jobs_are_told_apart_by_their_kind(make_world: MakeWorld) -> None:
    """What is checked in a thread goes by `kind`, as what is small does."""
    body = {"kind": "train", "predictor": "universal", "targets": ["t"] * 3_000, "spaces": [1] * 90}
    response = make_world().http.post("/v1/jobs", json=body)
    assert response.json()["detail"].startswith("The request does not fit: body.train.spaces.0")

"""Around every call: security headers, a request id, CORS, and bodies within their limits."""

from collections.abc import Callable

from service.api.problems import MEDIA_TYPE
from tests.service.helpers import World

MakeWorld = Callable[..., World]


def test_answers_carry_security_headers_and_a_request_id(world: World) -> None:
    for path in ("/v1/targets", "/nothing", "/healthz"):
        headers = world.http.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-request-id"]
    assert world.http.get("/healthz", headers={"x-request-id": "mine-1"}).headers["x-request-id"] == "mine-1"
    forged = world.http.get("/healthz", headers={"x-request-id": "a b<script>"}).headers["x-request-id"]
    assert "<" not in forged


def test_only_named_origins_may_call_from_pages(make_world: MakeWorld) -> None:
    asking = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    assert "access-control-allow-origin" not in make_world().http.options("/v1/predict", headers=asking).headers
    world = make_world(cors_origins="https://good.example, https://also.example")
    assert "access-control-allow-origin" not in world.http.options("/v1/predict", headers=asking).headers
    good = {**asking, "origin": "https://good.example"}
    assert world.http.options("/v1/predict", headers=good).headers["access-control-allow-origin"] == good["origin"]


def test_bodies_above_the_limit_are_refused_announced_or_not(make_world: MakeWorld) -> None:
    world = make_world(max_body_bytes=1000, max_model_bytes=5000)
    headers = {"content-type": "application/json"}
    for path, size, status in (("/v1/jobs", 2000, 413), ("/v1/predict", 2000, 422), ("/v1/graphs", 6000, 413)):
        for content in (b"{" * size, iter([b"{" * 500] * (size // 500))):
            response = world.http.post(path, content=content, headers=headers)
            assert response.status_code == status, path
            assert response.headers["content-type"] == MEDIA_TYPE
            if status == 413:
                assert "1,000 bytes" in response.json()["detail"] or "5,000 bytes" in response.json()["detail"]

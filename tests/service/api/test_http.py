"""What holds for every call: headers, CORS, health, metrics, the description."""

from collections.abc import Callable

from sqlalchemy import text

from latcast.errors import RateLimitedError
from service.api.rate_limits import RateLimiter
from service.db import tables
from service.db.session import Database, create_engine_for
from service.operations.logs import redact
from service.settings import Settings
from tests.service.helpers import TARGET, World, model

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


def test_ready_only_with_database_migrations_and_artifacts(world: World) -> None:
    assert world.client.readiness() == {
        "ready": True,
        "parts": {"database": "ok", "migrations": "ok", "artifacts": "ok"},
    }
    with world.database.write.begin() as session:
        session.add(tables.Artifact(digest="d", content=b"other bytes"))
        session.flush()
        session.add(tables.Predictor(kind="flops", artifact_digest="d", metrics={}))
    response = world.http.get("/readyz")
    assert response.status_code == 503
    assert "Corrupt artifacts: d" in response.json()["parts"]["artifacts"]
    with world.database.write.begin() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    assert "restart" in world.client.readiness()["parts"]["migrations"]
    assert not world.client.is_ready()
    assert world.http.get("/healthz").status_code == 200


def test_unreachable_database_is_not_ready(tmp_path) -> None:
    from service.operations.readiness import ArtifactCheck, readiness

    engine = create_engine_for(Settings(database_url="postgresql://nobody@127.0.0.1:1/none?connect_timeout=1"))
    assert "cannot be reached" in readiness(engine, ArtifactCheck())["database"]
    Database(engine).close()


def test_metrics_count_calls_forecasts_and_the_queue(world: World) -> None:
    world.agent()
    world.client.profile(TARGET.id, graphs=[world.graph()])
    world.client.predict(TARGET.id, [{"space": "toy", "text": "abc"}, {"space": "none", "text": "abc"}])
    metrics = world.http.get("/metrics").text
    assert 'latcast_jobs{kind="profile",state="queued"} 1.0' in metrics
    assert 'latcast_forecasts_total{source="predicted"} 1.0' in metrics
    assert 'latcast_forecasts_total{source="error"} 1.0' in metrics
    assert 'latcast_calls_total{method="POST",route="/predict",status="200"} 1.0' in metrics


def test_description_names_every_error_and_needs_no_key(make_world: MakeWorld) -> None:
    world = make_world(require_keys=True)
    description = world.http.get("/openapi.json").json()
    assert "application/problem+json" in str(description["paths"]["/v1/predict"]["post"]["responses"]["4XX"])
    assert world.http.get("/docs").status_code == 200


def test_rate_limiter_fills_its_buckets_with_time() -> None:
    now, waits = [0.0], []
    limiter = RateLimiter(2.0, 2, clock=lambda: now[0])

    def allowed() -> bool:
        try:
            limiter.take("a")
        except RateLimitedError as error:
            waits.append(error.retry_after_s)
            return False
        return True

    assert [allowed() for _ in range(3)] == [True, True, False]
    now[0] = 0.5
    assert [allowed() for _ in range(2)] == [True, False]
    now[0] = 100.0
    assert [allowed() for _ in range(3)] == [True, True, False]
    limiter.take("b")
    assert waits == [0.5, 0.5, 0.5]


def test_logs_hide_secrets_and_models() -> None:
    event = {"event": "call", "api_key": "k", "lease_token": "t", "Authorization": "b", "body": model(), "path": "/x"}
    hidden = redact(None, "info", event)
    assert hidden["path"] == "/x"
    assert {hidden[name] for name in ("api_key", "lease_token", "Authorization")} == {"[hidden]"}
    assert "bytes]" in str(hidden["body"])

"""What operators ask for: alive, ready, and metrics."""

from prometheus_client.parser import text_string_to_metric_families

from tests.service.helpers import World


def test_a_process_that_answers_is_alive_whatever_the_database_does(world: World) -> None:
    world.database.engine.dispose()
    assert world.http.get("/healthz").json() == {"status": "ok"}


def test_readiness_names_each_part(world: World) -> None:
    response = world.http.get("/readyz")
    assert response.status_code == 200
    assert response.json()["parts"] == {"database": "ok", "migrations": "ok", "artifacts": "ok"}


def test_metrics_are_text_that_prometheus_reads(world: World) -> None:
    world.client.targets()
    response = world.http.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    families = {family.name for family in text_string_to_metric_families(response.text)}
    assert {"latcast_calls", "latcast_call_seconds", "latcast_forecasts", "latcast_jobs"} <= families

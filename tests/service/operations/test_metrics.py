"""What Prometheus reads: calls, forecasts and the queue."""

from tests.service.helpers import TARGET, World


def test_metrics_count_calls_forecasts_and_the_queue(world: World) -> None:
    world.agent()
    world.client.profile(TARGET.id, graphs=[world.graph()])
    world.client.predict(TARGET.id, [{"space": "toy", "text": "abc"}, {"space": "none", "text": "abc"}])
    metrics = world.http.get("/metrics").text
    assert 'latcast_jobs{kind="profile",state="queued"} 1.0' in metrics
    assert 'latcast_forecasts_total{source="predicted"} 1.0' in metrics
    assert 'latcast_forecasts_total{source="error"} 1.0' in metrics
    assert 'latcast_calls_total{method="POST",route="/predict",status="200"} 1.0' in metrics

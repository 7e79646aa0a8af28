"""What Prometheus reads: calls, forecasts and the queue."""

import os
import subprocess
import sys
from pathlib import Path

from service.operations.metrics import MULTIPROCESS, Metrics
from tests.service.helpers import TARGET, World


def test_metrics_count_calls_forecasts_and_the_queue(world: World) -> None:
    world.agent()
    world.client.profile(TARGET.id, graphs=[world.graph()])
    world.client.predict(TARGET.id, [{"space": "toy", "text": "abc"}, {"space": "none", "text": "abc"}])
    metrics = world.http.get("/metrics").text
    assert 'latcast_jobs{kind="profile",state="queued"} 1.0' in metrics
    assert 'latcast_devices{state="online"} 1.0' in metrics
    assert 'latcast_forecast_seconds_count{answered="route",form="list"} 1.0' in metrics
    assert 'latcast_forecasts_total{source="predicted"} 1.0' in metrics
    assert 'latcast_forecasts_total{source="error"} 1.0' in metrics
    assert 'latcast_calls_total{method="POST",route="/predict",status="200"} 1.0' in metrics


def test_caches_are_read_when_they_are_asked_for() -> None:
    use = [3, 1]
    metrics = Metrics({"answers": lambda: (use[0], use[1])})
    assert b'latcast_cache_hits_total{cache="answers"} 3.0' in metrics.render({})
    use[:] = [5, 2]
    assert b'latcast_cache_misses_total{cache="answers"} 2.0' in metrics.render({})


def test_gauges_are_what_is_handed_in() -> None:
    gauges = {"latcast_things": ("Things.", ("state",), {("good",): 2.0}), "latcast_age": ("Age.", (), {(): 1.5})}
    said = Metrics().render(gauges)
    assert b'latcast_things{state="good"} 2.0' in said
    assert b"latcast_age 1.5" in said


def test_what_another_process_counted_is_added_to_ones_own(tmp_path: Path) -> None:
    counting = (
        "from service.operations.metrics import Metrics\n"
        "metrics = Metrics()\n"
        "metrics.observe_call('POST', '/jobs/lease', 200, 0.3)\n"
        "metrics.observe_call('POST', '/devices/register', 200, 0.3)\n"
    )
    environment = {**os.environ, MULTIPROCESS: str(tmp_path)}
    subprocess.run([sys.executable, "-c", counting], env=environment, check=True)
    own = Metrics(others=tmp_path)
    for _ in range(2):
        own.observe_call("POST", "/jobs/lease", 200, 20.0)
    own.observe_call("GET", "/targets", 200, 0.3)
    said = own.render({}).decode().splitlines()
    for route, method, count in (("/jobs/lease", "POST", 3), ("/devices/register", "POST", 1), ("/targets", "GET", 1)):
        labels = f'method="{method}",route="{route}"'
        assert f'latcast_calls_total{{{labels},status="200"}} {count}.0' in said
        assert f"latcast_call_seconds_count{{{labels}}} {count}.0" in said
    assert 'latcast_call_seconds_bucket{le="0.5",method="POST",route="/jobs/lease"} 1.0' in said
    assert len([line for line in said if line.startswith("# TYPE latcast_calls_total")]) == 1

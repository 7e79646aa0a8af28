"""`latcast measure`: networks are uploaded, measured by the target's agent, and answered."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from latcast.schema import Failure
from profilers.search_spaces.zoo.references import reference_networks
from service.cli.main import app
from tests.service.helpers import TARGET, World, measurement, model


@pytest.fixture
def served(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("service.cli.measure.remote.open_client", lambda *_: world.client_with(None))
    return world


@pytest.fixture
def working(served: World) -> Iterator[World]:
    """An agent that measures graphs of two inputs rows in 0.05 ms, and fails at others."""
    agent, stop = served.agent(), threading.Event()
    two_rows = served.client.upload_graph(model(batch="n"), shapes={"x": (2, 8)})["hash"]

    def work() -> None:
        while not stop.is_set():
            if (job := agent.lease(wait_s=0.05)) is None:
                continue
            if job["graph"] == two_rows:
                agent.result(job["id"], job["lease_token"], measurement(job["graph"], ms=0.05))
            else:
                agent.failure(job["id"], job["lease_token"], Failure(stage="run", message="It [broke]."))

    thread = threading.Thread(target=work)
    thread.start()
    yield served
    stop.set()
    thread.join()


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["measure", *arguments])


@pytest.mark.slow
def test_what_was_measured_comes_back_beside_what_failed(working: World, tmp_path: Path) -> None:
    path, bad = tmp_path / "m.onnx", tmp_path / "bad.onnx"
    path.write_bytes(model(batch="n"))
    bad.write_bytes(b"no model")
    done = run(str(path), str(bad), "--dim", "n=2,3", "--json", str(tmp_path / "out.json"))
    assert done.exit_code == 1, done.output
    assert "52.5 µs" in done.stdout
    assert "m.onnx (n=3): The job " in done.stderr
    assert "failed: It [broke]." in done.stderr
    assert "bad.onnx (n=2): These bytes are not an ONNX model" in done.stderr
    document = json.loads((tmp_path / "out.json").read_text())
    good = document["items"][0]
    taken = working.client.measurement(good["measurement"])
    assert taken.summary is not None
    assert (document["target"], good["dims"], good["latency_ms"]) == (TARGET.id, {"n": 2}, taken.summary.median_ms)
    assert taken.graph == good["graph"]
    assert [("error" in item) for item in document["items"]] == [False, True, True, True]


def test_jobs_are_left_to_run_and_their_ids_printed(served: World, tmp_path: Path) -> None:
    served.agent()
    graph = served.graph()
    done = run("--graph", graph, "--no-wait", "--processes", "2")
    assert done.exit_code == 0, done.output
    job = served.client.job(done.stdout.strip())
    assert (job["graph"], job["state"]) == (graph, "queued")
    assert job["request"]["settings"]["processes"] == 2


def test_reference_networks_are_measured_beside_others(served: World, tmp_path: Path) -> None:
    served.agent()
    path, out = tmp_path / "m.onnx", tmp_path / "out.json"
    path.write_bytes(model())
    done = run(str(path), "--references", "--no-wait", "--json", str(out))
    assert done.exit_code == 0, done.output
    items = json.loads(out.read_text())["items"]
    assert {item["network"] for item in items} == {str(path), *(one.text for one in reference_networks())}
    assert len({item["job"] for item in items}) == 11
    assert len(list(served.client.jobs(state="queued"))) == 11

"""A real server process reads and builds networks without ever importing `onnx`: its limited workers do."""

import base64
import json
import os
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from latcast.client import Client
from latcast.schema import InputError
from profilers.onnx_graph import load_graph
from tests.service.helpers import CELL, DEVICE, TARGET, measurement, model

REFUSING = """
    import sys
    from importlib.abc import MetaPathFinder
    from pathlib import Path

    noted, *arguments = sys.argv[1:]

    class Refuse(MetaPathFinder):
        def find_spec(self, name, path, target=None):
            if name.partition(".")[0] in ("onnx", "onnxruntime", "openvino"):
                with Path(noted).open("a") as file:
                    file.write(f"{name}\\n")
                raise ImportError(f"{name} must not be imported here")

    sys.meta_path.insert(0, Refuse())
"""
"""Notes and refuses every attempt to import a library for ONNX; child processes are not affected."""
SERVER = """
    from service.cli.main import main

    sys.argv = ["latcast", "serve", *arguments]
    main()
"""
SAMPLES = 3


class Server:
    """A running `latcast serve`, and a client of it."""

    def __init__(self, folder: Path, port: int) -> None:
        self.attempts, self._log = folder / "attempts", folder / "log"
        arguments = ["--port", str(port), "--data-dir", str(folder)]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", textwrap.dedent(REFUSING + SERVER), str(self.attempts), *arguments],
                env={**os.environ, "LATCAST_TICK_SECONDS": "0.05", "LATCAST_RATE_PER_SECOND": "0"},
                cwd=Path(__file__).parents[2],
                stdout=log,
                stderr=log,
            )
        self.client = Client(f"http://127.0.0.1:{port}", timeout_s=120)

    @property
    def log(self) -> str:
        """What the process printed."""
        return self._log.read_text()

    def wait_until_ready(self) -> None:
        """Wait for the first answer."""
        deadline = time.monotonic() + 60
        while not self.client.is_ready():
            assert self.process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.1)

    def stop(self) -> None:
        """End it."""
        self.client.close()
        self.process.terminate()
        self.process.wait(timeout=30)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server over a database of its own, with one registered target."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    running = Server(tmp_path_factory.mktemp("server"), port)
    try:
        running.wait_until_ready()
        running.client.register(DEVICE, [TARGET])
        yield running
    finally:
        running.stop()


@pytest.fixture(autouse=True)
def _never_imports_onnx(server: Server) -> Iterator[None]:
    yield
    assert not server.attempts.exists(), server.attempts.read_text() + server.log
    assert server.process.poll() is None, server.log


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def test_an_import_would_be_noticed(tmp_path: Path) -> None:
    script = textwrap.dedent(REFUSING) + "from profilers.onnx_graph import load_graph"
    ended = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "attempts")], capture_output=True, check=False, text=True
    )
    assert "onnx must not be imported here" in ended.stderr
    assert (tmp_path / "attempts").read_text().splitlines()[0] == "onnx"


def test_uploads_are_read_bound_and_stripped(server: Server) -> None:
    stored = server.client.upload_graph(model())
    assert stored["hash"] == load_graph(model()).hash
    assert load_graph(server.client.model(stored["hash"])).hash == stored["hash"]
    bound = server.client.upload_graph(model(batch="n"), shapes={"x": (5, 8)})
    assert server.client.graph(bound["hash"])["inputs"][0]["shape"] == [5, 8]
    for bad in (b"", b"junk", model()[:-20]):
        with pytest.raises(InputError):
            server.client.upload_graph(bad)


def test_texts_are_built(server: Server) -> None:
    stored = server.client.upload_architecture("nasbench201", CELL)
    assert server.client.graph(stored["hash"])["operators"]["Conv"] > 5
    with pytest.raises(InputError, match="not an architecture"):
        server.client.upload_architecture("nasbench201", "nonsense")


def test_forecasts_of_texts_models_and_hashes(server: Server) -> None:
    stored = server.client.upload_graph(model())["hash"]
    items: list[dict[str, Any]] = [
        {"space": "nasbench201", "text": CELL},
        {"space": "zoo", "text": "mobile"},
        {"graph": stored},
        {"onnx": encoded(model(6))},
        {"onnx": encoded(model(batch="n")), "shapes": {"x": [2, 8]}},
        {"onnx": encoded(b"junk")},
        {"space": "zoo", "text": "nonsense"},
    ]
    answers = server.client.predict(TARGET.id, items)
    assert ["error" in answer for answer in answers] == [False] * 5 + [True] * 2
    assert all(answer["latency_ms"] > 0 for answer in answers[:5])
    assert all(answer["source"] == "predicted" for answer in answers[:5])


def test_forecasts_are_explained(server: Server) -> None:
    for item in ({"space": "zoo", "text": "mobile"}, {"onnx": encoded(model())}):
        explained = server.client.explain(TARGET.id, item, nearest=2)
        assert explained["kernels"]
        assert explained["peaks"]["gflops"] > 0


def test_measuring_is_asked_for_by_text_and_by_hash(server: Server) -> None:
    stored = server.client.upload_graph(model())["hash"]
    jobs = server.client.profile(TARGET.id, graphs=[stored], architectures=[("nasbench201", CELL)])
    assert [job["state"] for job in jobs] == ["queued"] * 2
    assert {server.client.cancel(job["id"])["state"] for job in jobs} == {"cancelled"}


def test_records_are_shown_and_exported(server: Server, tmp_path: Path) -> None:
    assert [target["id"] for target in server.client.targets()] == [TARGET.id]
    assert {row["kind"] for row in server.client.predictors()} <= {"universal"}
    server.client.export(TARGET.id, tmp_path / "rows.csv", file_format="csv")
    assert server.client.is_ready()


@pytest.mark.slow
def test_an_adaptation_chooses_measures_and_fits(server: Server) -> None:
    job = server.client.adapt(TARGET.id, samples=SAMPLES)["id"]
    with Client(server.client.base_url, server.client.register(DEVICE, [TARGET])["agent_key"]) as agent:
        for done in range(SAMPLES):
            leased = agent.lease(wait_s=60)
            assert leased is not None, server.log
            assert load_graph(agent.model(leased["graph"])).hash == leased["graph"]
            agent.result(leased["id"], leased["lease_token"], measurement(leased["graph"], ms=1.0 + done))
    finished = server.client.wait(job, timeout_s=120)
    assert finished["state"] == "done", finished
    answer = server.client.predict(TARGET.id, [{"space": "zoo", "text": "mobile"}])[0]
    assert answer["adapted"], json.dumps(answer)
    assert server.client.explain(TARGET.id, {"space": "zoo", "text": "mobile"})["nearest"]
    pairs = server.client.quality(TARGET.id)
    assert len(pairs) == SAMPLES
    assert all(pair["graph"] and pair["predicted_ms"] > 0 for pair in pairs)

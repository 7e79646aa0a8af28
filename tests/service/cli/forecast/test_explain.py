"""`latcast explain`: what it prints and writes, and where it finds out about the target."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

pytest.importorskip("pyarrow", reason="the extra [service] is not installed")

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
from service.cli.forecast.explain_sources import from_service
from tests.service.helpers import DEVICE, TARGET, measurement, model

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
    app = typer.Typer()
    app.command()(explain)
    given = [str(folder / "m.onnx"), "--predictor", str(folder / "base.safetensors"), *arguments]
    if "--shape" not in arguments:
        given += ["--shape", "x=2,8"]
    result = CliRunner().invoke(app, given)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0
    return result.stdout


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
    assert "others" in text
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
    """A client of a service that measured some graphs."""

    def __init__(self, count: int) -> None:
        self.models = {load_graph(model(width)).hash: model(width) for width in range(4, 4 + count)}

    def measurements(self, target: str, **filters: str) -> list[dict[str, object]]:
        assert filters == {"outcome": "measured", "sort": "-id"}
        return [
            {"id": number, "graph": graph, "space": None, "text": None, "median_ms": 2.0}
            for number, graph in enumerate(self.models)
        ]

    def measurement(self, number: int) -> object:
        return measurement(list(self.models)[number])

    def model(self, graph: str) -> bytes:
        return self.models[graph]


def test_a_services_measurements_are_adapted_to(base: KernelSumPredictor) -> None:
    record = {"id": TARGET.id, "label": TARGET.label, "device_name": "bench"}
    known = from_service(Service(5), record, base)
    assert known.target == TARGET
    assert len(known.measured) == 5
    query = SimpleNamespace(target=TARGET, graph=known.measured[0].load())
    before, after = (predictor.predict([query]).median_ms[0] for predictor in (base, known.predictor))
    assert abs(np.log(after / 2.0)) < abs(np.log(before / 2.0))
    with pytest.raises(LatcastError, match="Nothing was measured"):
        from_service(Service(0), record, base)

"""`latcast bench onnx`: the document it writes, models that fail, and going on after an interrupt."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
import typer
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner

from latcast.schema import InputError, Target
from predictors.kinds.flops import FlopsPredictor
from predictors.testing.devices import DEVICES, measure
from predictors.testing.graphs import random_graph
from profilers.timing import sandbox
from service.cli.bench.group import bench
from tests.service.helpers import DEVICE

KEYS = {
    "models", "failed", "median_ape", "mape", "within_10", "within_20", "spearman", "coverage_90",
    "coverage_90_little_known", "repeatability",
    "host_drift",
}  # fmt: skip


def write_model(path: Path, layers: int) -> None:
    """A chain of small products with a dynamic batch."""
    weights = numpy_helper.from_array(np.eye(8, dtype=np.float32), "w")
    nodes = [helper.make_node("MatMul", [f"t{i}" if i else "x", "w"], [f"t{i + 1}"]) for i in range(layers)]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 8])],
        [helper.make_tensor_value_info(f"t{layers}", TensorProto.FLOAT, None)],
        [weights],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four models, three of which can be measured, and a predictor."""
    folder = tmp_path_factory.mktemp("models")
    lines = ["nonsense"]
    for layers in (1, 3, 6):
        write_model(folder / f"m{layers}.onnx", layers)
        lines.append(json.dumps({"name": f"m{layers}", "onnx": f"m{layers}.onnx", "shapes": {"x": [4, 8]}}))
    np.savez(folder / "odd.npz", x=np.zeros((4, 9), np.float32))
    lines.append(json.dumps({"name": "odd", "onnx": "m1.onnx", "feeds": "odd.npz"}))
    (folder / "models.jsonl").write_text("\n".join(lines))
    rng = np.random.default_rng(0)
    predictor = FlopsPredictor().fit(measure([random_graph(rng) for _ in range(30)], DEVICES, rng))
    predictor.to_artifact().save(folder / "base.safetensors")
    return folder


def invoke(*arguments: str, failing: Sequence[str] = ()) -> str:
    """Standard output of the command; it fails with the names of these models, and of no others."""
    app = typer.Typer()
    app.add_typer(bench, name="bench")
    result = CliRunner().invoke(app, ["bench", "onnx", *arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == bool(failing)
    assert [line.split(": ")[1] for line in result.stderr.splitlines() if line.startswith("latcast: ")] == [*failing]
    return result.stdout


def arguments(folder: Path, *more: str) -> list[str]:
    base = ["--manifest", str(folder / "models.jsonl"), "--predictor", str(folder / "base.safetensors")]
    return [*base, "--backend", "fake", "--shots", "2", "--seeds", "3", "--seconds", "0.1", *more]


@pytest.mark.slow
def test_the_document_and_what_is_kept(folder, tmp_path, monkeypatch):
    kept = tmp_path / "kept.jsonl"
    found = json.loads(
        invoke(*arguments(folder, "--measurements", str(kept), "--json", "-"), failing=["line 1", "odd"])
    )
    assert set(found) == KEYS
    assert {(one["name"], one["stage"]) for one in found["failed"]} == {("line 1", "manifest"), ("odd", "load")}
    assert found["models"]
    for model in found["models"]:
        assert set(model) == {"name", "measured_ms", "forecast_ms", "interval_ms", "known_share", "precision"}
        assert model["precision"] == "fp32"
        assert model["name"] in {"m1", "m3", "m6"}
        assert model["interval_ms"][0] < model["forecast_ms"] < model["interval_ms"][1]
        assert 0 <= model["known_share"] <= 1
    assert 0 <= found["within_10"] <= found["within_20"] <= 1
    assert found["repeatability"] >= 0
    assert len([line for line in kept.read_text().splitlines() if line]) == 6
    monkeypatch.setattr(sandbox, "alone_on_this_host", lambda *_: pytest.fail("measured again"))
    again = json.loads(
        invoke(*arguments(folder, "--measurements", str(kept), "--json", "-"), failing=["line 1", "odd"])
    )
    assert again == found


def test_a_model_that_cannot_be_measured_does_not_end_the_run(folder, tmp_path):
    lines = (folder / "models.jsonl").read_text().splitlines()
    out = tmp_path / "out.json"
    manifest = folder / "few.jsonl"
    manifest.write_text("\n".join([lines[1], json.dumps({"name": "gone", "onnx": "gone.onnx"})]))
    invoke(*arguments(folder), "--manifest", str(manifest), "--shots", "1", "--json", str(out), failing=["gone", "m1"])
    found = json.loads(out.read_text())
    stages = {one["name"]: one["stage"] for one in found["failed"]}
    assert stages == {"gone": "load", "m1": "forecast"}
    assert found["models"] == []
    assert found["median_ape"] is None
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--predictor", "nobody"], "nobody"),
        (["--sampler", "nobody"], "nobody"),
        (["--backend", "nobody"], "nobody"),
        (["--shots", "9"], "none to forecast"),
        (["--json", "/missing/folder/out.json"], "folder"),
        (["--holdout", "families"], "Give one of"),
    ],
)
def test_mistakes_are_told_before_anything_is_measured(folder, monkeypatch, more, words):
    monkeypatch.setattr(sandbox, "alone_on_this_host", lambda *_: pytest.fail("measured"))
    with pytest.raises(InputError, match=words):
        invoke(*arguments(folder), *more)


def test_either_a_manifest_or_a_holdout():
    with pytest.raises(InputError, match="--manifest"):
        invoke("--json", "-")
    with pytest.raises(InputError, match="nobody"):
        invoke("--holdout", "targets", "--predictor", "nobody")


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of cells on two backends, some measured twice."""
    pytest.importorskip("pyarrow", reason="the extra [service] is not installed")
    from predictors.data.measured import ROWS_FILE, TARGETS_FILE, MeasuredRow, MeasuredTarget
    from predictors.data.measured.records import About
    from predictors.data.measured.storage import write_rows, write_targets
    from profilers.onnx_graph import load_graph
    from profilers.search_spaces import get_space

    folder, space, rng = tmp_path_factory.mktemp("measured"), get_space("nasbench201"), np.random.default_rng(0)
    targets = [Target(device=DEVICE.fingerprint, backend=name) for name in ("fake", "other")]
    rows = []
    for number in range(12):
        cell = space.sample(rng)
        graph = load_graph(space.to_onnx(cell))
        rows += [
            MeasuredRow(space=cell.space, text=cell.text, graph=graph.hash, target=target.id, method="careful",
                        repeat=repeat, latency_ms=graph.flops / 1e7 * (1 + 0.02 * repeat) + 0.1, noise_log=0.01)
            for target in targets
            for repeat in range(2 if number < 4 else 1)
        ]  # fmt: skip
    write_rows(folder / ROWS_FILE, rows)
    write_targets(folder / TARGETS_FILE, [MeasuredTarget(target=one, device=DEVICE) for one in targets], About())
    return folder


def test_held_out_targets(measured, tmp_path):
    base = ["--holdout", "targets", "--data", str(measured), "--predictor", "flops:folds=2", "--shots", "5"]
    out = tmp_path / "out.json"
    assert invoke(*base, "--seeds", "2", "--json", str(out)) == ""
    found = json.loads(out.read_text())
    assert list(found) == ["fake fp32", "other fp32"]
    for document in found.values():
        assert set(document) == KEYS
        assert 0 < document["repeatability"] < 0.05
        assert document["models"]
    assert list(tmp_path.iterdir()) == [out]
    alone = json.loads(invoke(*base, "--seeds", "2", "--only", "other fp32"))
    assert alone == {"other fp32": found["other fp32"]}
    with pytest.raises(InputError, match="fake fp32"):
        invoke(*base, "--only", "tpu")


def test_a_table_of_others_is_judged_without_measuring(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "measure", None)
    lines = [f"pi,t{layers}.onnx,{layers * 0.5}" for layers in range(1, 9)]
    for layers in range(1, 9):
        write_model(folder / f"t{layers}.onnx", layers)
    table = folder / "others.csv"
    table.write_text("\n".join(["target,onnx,ms,batch", *(f"{line},4" for line in lines), "pi,absent.onnx,1,4"]))
    arguments = ("--predictor", str(folder / "base.safetensors"), "--seeds", "2", "--json", str(folder / "table.json"))
    invoke("--table", str(table), "--shots", "3", *arguments, failing=["row 9"])
    result = json.loads((folder / "table.json").read_text())
    assert set(result) >= KEYS - {"repeatability", "host_drift"}
    assert {model["name"] for model in result["models"]} < {f"pi: t{layers}.onnx, batch 4" for layers in range(1, 9)}
    assert len(result["models"]) >= 5  # who is in every support is forecast never
    assert [failed["name"] for failed in result["failed"]] == ["row 9"]
    with pytest.raises(InputError, match="has 8: add rows, or ask for fewer --shots"):
        invoke("--table", str(table), "--shots", "5", *arguments)

"""`latcast predictors export`: an artifact as it comes, or as an ONNX file made here."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from typer.testing import CliRunner, Result

from latcast.schema import Target
from predictors.base import LatencyDataset, Query
from predictors.registry import pretrained
from profilers.search_spaces import get_space
from service.cli.main import app
from tests.service.cli.doubles import LISTED, FakeClient

SPACE = get_space("nasbench201")


class Client(FakeClient):
    def __init__(self) -> None:
        super().__init__(targets=[[{**LISTED, "options": {}}]])

    def download_predictor(self, target: str, space: str, path: Path) -> None:
        assert (target, space) == (LISTED["id"], "nasbench201")
        adapted().to_artifact().save(path)


def adapted() -> Any:
    target, rng = Target(device="d", backend="b"), np.random.default_rng(0)
    drawn = [SPACE.sample(rng) for _ in range(10)]
    support = LatencyDataset(
        queries=[Query(target=target, architecture=one) for one in drawn],
        latency_ms=np.array([1.0 + one.text.count("conv") for one in drawn]),
    )
    return pretrained("universal-nasbench201").adapt(target, support)


def run(monkeypatch: pytest.MonkeyPatch, out: Path) -> Result:
    monkeypatch.setattr("service.cli.train.exporting.open_client", lambda *_: Client())
    return CliRunner().invoke(app, ["predictors", "export", str(out), "--space", "nasbench201"])


def test_an_onnx_file_forecasts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    out = tmp_path / "phone.onnx"
    assert run(monkeypatch, out).exit_code == 0
    choices = np.array([SPACE.choices(SPACE.parse(SPACE.example))], dtype=np.int64)
    found = onnxruntime.InferenceSession(str(out)).run(["latency_ms"], {"choices": choices})[0]
    query = Query(target=Target(device="d", backend="b"), architecture=SPACE.parse(SPACE.example))
    assert found == pytest.approx(adapted().predict([query]).median_ms, rel=1e-5)


def test_an_artifact_is_written_as_it_comes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    out = tmp_path / "phone.safetensors"
    assert "Wrote" in run(monkeypatch, out).stdout
    assert out.stat().st_size > 1000


def test_other_files_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    done = run(monkeypatch, tmp_path / "phone.txt")
    assert done.exit_code == 2
    assert ".safetensors" in done.output

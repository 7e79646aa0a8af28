"""Exports of adapted predictors forecast as the predictor does: in ONNX Runtime and in torch."""

from typing import Any

import numpy as np
import onnxruntime
import pytest

from latcast.schema import InputError, MissingEvidenceError, Target
from predictors.base import LatencyDataset, Prediction, Query
from predictors.kinds.universal import UniversalPredictor
from predictors.kinds.universal.cells.export import OUTPUTS, to_onnx, to_torch
from predictors.registry import pretrained
from profilers.search_spaces import get_space
from tests.predictors.tables import latencies

TARGET = Target(device="d", backend="b")


def adapted(space: str) -> tuple[Any, list[Query], np.ndarray]:
    """A predictor adapted to ten rows, and two hundred other architectures with their choices."""
    rng, searched = np.random.default_rng(0), get_space(space)
    drawn = [searched.sample(rng) for _ in range(210)]
    if space == "nasbench201":
        drawn += [searched.parse(searched.all().__next__())]  # type: ignore[attr-defined]  # of which nothing is left
    queries = [Query(target=TARGET, architecture=one) for one in drawn]
    support = LatencyDataset(queries=queries[:10], latency_ms=np.array(latencies(drawn[:10], 3)))
    base = pretrained(f"universal-{space}").adapt(TARGET, support)
    return base, queries[10:], np.array([searched.choices(one) for one in drawn[10:]], dtype=np.int64)


def columns(prediction: Prediction, level: float) -> list[np.ndarray]:
    low, high = prediction.interval_ms(level)
    assert prediction.log_std is not None
    return [prediction.median_ms, low, high, prediction.log_std]


@pytest.mark.parametrize("space", ["nasbench201", "fbnet"])
def test_an_onnx_file_forecasts_as_the_predictor_does(space: str) -> None:
    predictor, queries, choices = adapted(space)
    session = onnxruntime.InferenceSession(to_onnx(predictor, level=0.8), providers=["CPUExecutionProvider"])
    assert [output.name for output in session.get_outputs()] == list(OUTPUTS)
    found = session.run(None, {"choices": choices})
    for one, expected in zip(found, columns(predictor.predict(queries), 0.8), strict=True):
        np.testing.assert_allclose(one, expected, rtol=1e-5)


@pytest.mark.parametrize("space", ["nasbench201", "fbnet"])
def test_a_torch_module_forecasts_as_the_predictor_does(space: str) -> None:
    torch = pytest.importorskip("torch")
    predictor, queries, choices = adapted(space)
    found = to_torch(predictor)(torch.from_numpy(choices))
    for name, expected in zip(OUTPUTS, columns(predictor.predict(queries), 0.9), strict=True):
        np.testing.assert_allclose(found[name].numpy(), expected, rtol=1e-5)


def test_what_forecasts_for_no_device_or_reads_graphs_is_refused() -> None:
    with pytest.raises(MissingEvidenceError, match="Adapt"):
        to_onnx(pretrained("universal-fbnet"))  # type: ignore[arg-type]
    graphs = pretrained("universal-graphs")
    assert isinstance(graphs, UniversalPredictor)
    with pytest.raises(InputError, match="whole graphs"):
        to_onnx(graphs)

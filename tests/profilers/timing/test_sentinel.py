"""The sentinel: a fixed model whose latency only the host can change."""

import onnx
import pytest

from latcast.schema import ProfileSettings
from profilers.backends.fake import FakeBackend
from profilers.backends.onnxruntime import OnnxRuntimeBackend
from profilers.onnx_graph import load_graph
from profilers.timing.sentinel import RUNS, WARMUP_RUNS, drift, prepared_sentinel, sentinel_latency_ms, sentinel_model


def test_the_model_is_valid_and_always_the_same() -> None:
    onnx.checker.check_model(onnx.load_model_from_string(sentinel_model()), full_check=True)
    graph = load_graph(sentinel_model())
    assert graph.operators["Conv"] == 3
    assert 10e6 < graph.macs < 25e6
    sentinel_model.cache_clear()
    assert load_graph(sentinel_model()).hash == graph.hash


def test_it_is_prepared_where_the_precision_wants_that() -> None:
    assert prepared_sentinel(sentinel_model(), FakeBackend, "fp32") == sentinel_model()
    quantised = onnx.load_model_from_string(prepared_sentinel(sentinel_model(), OnnxRuntimeBackend, "int8_static"))
    assert "QuantizeLinear" in {node.op_type for node in quantised.graph.node}


def test_its_latency_is_the_median_after_warming_up() -> None:
    runs: list[float] = []
    times_ns = [1_000_000] * WARMUP_RUNS + [3_000_000] * (RUNS // 2) + [5_000_000] * (RUNS - RUNS // 2)
    readings = iter([reading for taken in times_ns for reading in (0, taken)])
    latency_ms = sentinel_latency_ms(
        sentinel_model(), FakeBackend(sleep=runs.append), ProfileSettings(backend="fake"), clock=lambda: next(readings)
    )
    assert latency_ms == 4.0
    assert len(runs) == WARMUP_RUNS + RUNS


@pytest.mark.parametrize(
    ("before_ms", "after_ms", "share"), [(1.0, 1.1, 0.1), (1.1, 1.0, 0.1), (2.0, 2.0, 0.0), (0.0, 1.0, 0.0)]
)
def test_drift_is_the_same_in_both_directions(before_ms: float, after_ms: float, share: float) -> None:
    assert drift(before_ms, after_ms) == pytest.approx(share)

"""What is particular to ONNX Runtime."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from latcast.schema import InvalidModelError, LatcastError, ProfileSettings
from profilers.backends import onnxruntime as backend_module
from profilers.backends.onnxruntime import OnnxRuntimeBackend
from profilers.feeds import feed_specs, make_feeds
from profilers.onnx_graph import load_graph
from profilers.testing.backends import BackendSuite

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"


class TestOnnxRuntime(BackendSuite):
    backend = OnnxRuntimeBackend()


def test_levels_of_optimisation_fuse_differently() -> None:
    model = (LIGHT / "light_squeezenet.onnx").read_bytes()
    feeds = make_feeds(feed_specs(load_graph(model)))
    counts = []
    for level in ("disabled", "extended"):
        with OnnxRuntimeBackend().open(model, ProfileSettings(options={"optimisation": level})) as session:
            counts.append(len(session.kernels(feeds)))
    assert counts[0] > counts[1]


def test_the_runtimes_words_come_without_its_codes() -> None:
    with pytest.raises(InvalidModelError, match="refuses the model: Failed to load model"):
        OnnxRuntimeBackend().open(b"garbage", ProfileSettings()).__enter__()


def test_the_runtimes_words_come_without_lines_of_its_source() -> None:
    model = onnx.load(LIGHT / "light_squeezenet.onnx")
    model.ir_version = 99
    with pytest.raises(InvalidModelError, match=r"refuses the model: Unsupported model IR version: 99, max supported"):
        OnnxRuntimeBackend().open(model.SerializeToString(), ProfileSettings()).__enter__()


def loop(trips: int) -> bytes:
    condition = helper.make_tensor_value_info("go", TensorProto.BOOL, [])
    state = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [8]) for name in ("h", "g")]
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Sin", ["h"], ["g"])],
        "body",
        [helper.make_tensor_value_info("i", TensorProto.INT64, []), condition, state[0]],
        [helper.make_tensor_value_info("on", TensorProto.BOOL, []), state[1]],
    )
    sizes = [numpy_helper.from_array(np.array(trips), "n"), numpy_helper.from_array(np.array(True), "yes")]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [8]) for name in ("x", "y")]
    graph = helper.make_graph(
        [helper.make_node("Loop", ["n", "yes", "x"], ["y"], body=body)], "g", ends[:1], ends[1:], sizes
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def test_loops_are_profiled_as_often_as_the_trace_has_room(monkeypatch: pytest.MonkeyPatch) -> None:
    model = loop(20)
    feeds = make_feeds(feed_specs(load_graph(model)))
    with OnnxRuntimeBackend().open(model, ProfileSettings()) as session:
        assert [record.operator for record in session.kernels(feeds)] == ["Loop"]
    monkeypatch.setattr(backend_module, "MOST_TRACE_BYTES", 1000)
    with (
        OnnxRuntimeBackend().open(model, ProfileSettings()) as session,
        pytest.raises(LatcastError, match=r"because its loops run often: their kernels are not timed"),
    ):
        session.kernels(feeds)


@pytest.mark.parametrize(("trace_bytes", "runs"), [(10, (3, 40)), (2**27 // 10, (3, 7)), (2**27 // 3, (1, 2))])
def test_runs_that_a_trace_has_room_for(trace_bytes: int, runs: tuple[int, int]) -> None:
    assert backend_module._affordable(trace_bytes) == runs

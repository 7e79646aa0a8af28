"""The conformance suite that every backend passes, shipped with the code. Needs pytest and onnx.

```python
class TestMine(BackendSuite):
    backend = MyBackend()
```
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from latcast.schema import FeedSpec, InputError, InvalidModelError, ProfileSettings
from profilers.backends.base import Backend, Session
from profilers.feeds import make_feeds
from profilers.host.device import describe_device
from profilers.timing.sandbox import measure

__all__ = ["BackendSuite", "small_models"]

IMAGE = FeedSpec(name="x", dtype="float32", shape=(1, 4, 9, 9))
TOKENS = FeedSpec(name="ids", dtype="int64", shape=(2, 5), low=0, high=6)


def _tensor(name: str, shape: tuple[int, ...]) -> TensorProto:
    rng = np.random.default_rng(len(name) + sum(shape))
    return numpy_helper.from_array(rng.normal(0, 0.3, shape).astype(np.float32), name)


def _model(spec: FeedSpec, nodes: list[NodeProto], shape: tuple[int, ...], weights: list[TensorProto]) -> ModelProto:
    element = TensorProto.FLOAT if spec.dtype == "float32" else TensorProto.INT64
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(spec.name, element, spec.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def small_models() -> Iterator[tuple[str, FeedSpec, ModelProto]]:
    """Name, input and model of a few networks that every runtime ought to run."""
    node = helper.make_node
    convolutions = [
        node("Conv", ["x", "w1", "b1"], ["c1"], pads=[1, 1, 1, 1]),
        node("Relu", ["c1"], ["r1"]),
        node("Conv", ["r1", "w2"], ["c2"], group=8, strides=[2, 2]),
        node("Add", ["c2", "c2"], ["a"]),
        node("GlobalAveragePool", ["a"], ["p"]),
        node("Flatten", ["p"], ["y"]),
    ]
    weights = [_tensor("w1", (8, 4, 3, 3)), _tensor("b1", (8,)), _tensor("w2", (8, 1, 3, 3))]
    yield "convolutions", IMAGE, _model(IMAGE, convolutions, (1, 8), weights)
    attention = [
        node("Gather", ["table", "ids"], ["e"]),
        node("Transpose", ["e"], ["t"], perm=[0, 2, 1]),
        node("MatMul", ["e", "t"], ["s"]),
        node("Softmax", ["s"], ["m"], axis=-1),
        node("MatMul", ["m", "e"], ["y"]),
    ]
    yield "attention", TOKENS, _model(TOKENS, attention, (2, 5, 8), [_tensor("table", (7, 8))])


def _reference(model: ModelProto, spec: FeedSpec) -> np.ndarray[Any, Any]:
    outputs: Any = ReferenceEvaluator(model).run(None, make_feeds([spec]))
    return np.asarray(outputs[0])


class BackendSuite:
    """What `Backend` and `Session` promise. A backend whose runtime this machine lacks skips, with its reason.

    Attributes:
        backend: under test.
        rtol, atol: how far outputs may be from the reference evaluator's, as `numpy.testing.assert_allclose` has it.
        computes: False for a backend that gives shapes but no values.
    """

    backend: ClassVar[Backend]
    rtol: ClassVar[float] = 1e-3
    atol: ClassVar[float] = 1e-4
    computes: ClassVar[bool] = True

    @pytest.fixture(autouse=True)
    def _needs_the_runtime(self) -> None:
        available = self.backend.probe()
        if not available.ok:
            pytest.skip(available.reason)

    def settings(self, **changes: Any) -> ProfileSettings:
        """Settings for this backend."""
        return ProfileSettings(backend=self.backend.name, **changes)

    def _run(self, model: ModelProto, spec: FeedSpec, **changes: Any) -> dict[str, np.ndarray[Any, Any]]:
        with self.backend.open(model.SerializeToString(), self.settings(**changes)) as session:
            return session.run(make_feeds([spec]))

    def test_probe_says_version_and_precisions(self) -> None:
        available = self.backend.probe()
        assert available.version
        assert available.precisions

    def test_outputs_match_the_reference_evaluator(self) -> None:
        for name, spec, model in small_models():
            expected = _reference(model, spec)
            for threads in range(1, min(2, self.backend.most_threads or 2) + 1):
                output = self._run(model, spec, threads=threads)["y"]
                assert (output.shape, output.dtype) == (expected.shape, expected.dtype), name
                if self.computes:
                    np.testing.assert_allclose(output, expected, rtol=self.rtol, atol=self.atol, err_msg=name)

    def test_a_session_lists_the_inputs_to_feed(self) -> None:
        for _, spec, model in small_models():
            with self.backend.open(model.SerializeToString(), self.settings()) as session:
                inputs = [(tensor.name, tensor.dtype, tensor.shape) for tensor in session.inputs]
            assert inputs == [(spec.name, spec.dtype, spec.shape)]

    def test_a_file_is_the_same_as_its_bytes(self, tmp_path: Path) -> None:
        for name, spec, model in small_models():
            path = tmp_path / f"{name}.onnx"
            path.write_bytes(model.SerializeToString())
            expected = self._run(model, spec)["y"]
            with self.backend.open_file(path, self.settings()) as session:
                np.testing.assert_array_equal(session.run(make_feeds([spec]))["y"], expected)
        with self.backend.open_file(path, self.settings()) as session:
            records = session.kernels(make_feeds([spec]))
            assert records is None or any(record.outputs for record in records)
            self._still_runs(session, spec)
        assert path.read_bytes() == model.SerializeToString()

    def test_files_that_are_no_model_are_refused_without_their_path(self, tmp_path: Path) -> None:
        path = tmp_path / "private.onnx"
        for bad in (b"", b"\x00\x01not a model", b"\x08\x07"):
            path.write_bytes(bad)
            with pytest.raises(InvalidModelError) as refused, self.backend.open_file(path, self.settings()):
                pass
            assert "private" not in str(refused.value)

    def test_a_session_runs_again_and_again(self) -> None:
        _, spec, model = next(small_models())
        with self.backend.open(model.SerializeToString(), self.settings()) as session:
            first, second = (session.run(make_feeds([spec]))["y"] for _ in range(2))
        np.testing.assert_array_equal(first, second)

    def test_kernels_have_times_and_lead_back_to_the_model(self) -> None:
        for name, spec, model in small_models():
            with self.backend.open(model.SerializeToString(), self.settings()) as session:
                records = session.kernels(make_feeds([spec]))
                if records is None:
                    pytest.skip("The backend offers no kernel times.")
                self._still_runs(session, spec)
            tensors = {output for node in model.graph.node for output in node.output}
            assert records, name
            assert all(record.time_us >= 0 for record in records)
            assert {output for record in records for output in record.outputs} <= tensors
            last = {output for node in model.graph.node[-2:] for output in node.output}  # a Flatten may cost nothing
            assert any(last.intersection(record.outputs) for record in records), name

    def _still_runs(self, session: Session, spec: FeedSpec) -> None:
        assert "y" in session.run(make_feeds([spec]))

    def test_unknown_options_and_precisions_are_refused(self) -> None:
        _, _, model = next(small_models())
        for changes in ({"options": {"no such option": "1"}}, {"precision": "fp3"}):
            with pytest.raises(InputError), self.backend.open(model.SerializeToString(), self.settings(**changes)):
                pass

    def test_default_options_are_accepted(self) -> None:
        _, spec, model = next(small_models())
        assert "y" in self._run(model, spec, options=self.backend.default_options)

    def test_bytes_that_are_no_model_are_refused(self) -> None:
        for bad in (b"", b"\x00\x01not a model", b"\x08\x07"):
            with pytest.raises(InvalidModelError), self.backend.open(bad, self.settings()):
                pass

    def test_sessions_release_their_memory(self) -> None:
        psutil = pytest.importorskip("psutil")
        spec = FeedSpec(name="x", dtype="float32", shape=(1, 2048))
        layer = helper.make_node("MatMul", ["x", "w"], ["y"])
        model = _model(spec, [layer], (1, 2048), [_tensor("w", (2048, 2048))]).SerializeToString()
        process, held = psutil.Process(), []
        for _ in range(8):
            with self.backend.open(model, self.settings()) as session:
                session.run(make_feeds([spec]))
            held.append(process.memory_info().rss)
        weights_bytes = 4 * 2048 * 2048
        assert held[-1] - held[1] < 3 * weights_bytes

    def test_a_timeout_is_a_failure_and_not_an_exception(self) -> None:
        _, _, model = next(small_models())
        settings = self.settings(timeout_s=0.01, processes=1, sentinel=False)
        failure = measure(model.SerializeToString(), device=describe_device(), settings=settings).failure
        assert failure is not None
        assert failure.stage == "timeout"

    def test_a_measurement_in_a_child_has_samples(self) -> None:
        _, _, model = next(small_models())
        settings = self.settings(processes=1, max_seconds=0.02, warmup_seconds=0.02)
        measurement = measure(model.SerializeToString(), device=describe_device(), settings=settings)
        assert measurement.failure is None
        assert measurement.summary is not None
        assert measurement.summary.median_ms > 0

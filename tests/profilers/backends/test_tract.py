"""What is particular to tract."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from latcast.schema import InputError, InvalidModelError, ProfileSettings
from profilers.backends.tract import TractBackend
from profilers.testing.backends import BackendSuite

SETTINGS = ProfileSettings(backend="tract")

needs_tract = pytest.mark.skipif(not TractBackend().probe().ok, reason=TractBackend().probe().reason)


class TestTract(BackendSuite):
    backend = TractBackend()


def lstm(steps: int, hidden: int) -> bytes:
    rng = np.random.default_rng(0)
    shapes = {"w": (1, 4 * hidden, 8), "r": (1, 4 * hidden, hidden), "b": (1, 8 * hidden), "m": (hidden, 3)}
    weights = [numpy_helper.from_array(rng.normal(0, 0.2, s).astype(np.float32), n) for n, s in shapes.items()]
    nodes = [
        helper.make_node("LSTM", ["x", "w", "r", "b"], ["states", "", "last"], hidden_size=hidden),
        helper.make_node("MatMul", ["states", "m"], ["y"]),
    ]
    value = helper.make_tensor_value_info
    x, y = value("x", TensorProto.FLOAT, (steps, 1, 8)), value("y", TensorProto.FLOAT, (steps, 1, 1, 3))
    graph = helper.make_graph(nodes, "g", [x], [y], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


@needs_tract
def test_a_recurrent_network_begins_anew_in_every_run() -> None:
    feeds = {"x": np.ones((5, 1, 8), np.float32)}
    with TractBackend().open(lstm(5, 4), SETTINGS) as session:
        first, second = session.run(feeds)["y"], session.run(feeds)["y"]
    np.testing.assert_array_equal(first, second)


@pytest.mark.slow
@needs_tract
def test_a_loop_is_counted_once_and_its_body_not_beside_it() -> None:
    with TractBackend().open(lstm(30, 16), SETTINGS) as session:
        records = session.kernels({"x": np.ones((30, 1, 8), np.float32)})
    by_output: dict[str, float] = {}
    for record in records:
        for output in record.outputs[:1]:
            by_output[output] = by_output.get(output, 0) + record.time_us
    assert set(by_output) == {"states", "y"}
    assert by_output["states"] > by_output["y"]


@needs_tract
def test_more_than_one_thread_is_refused() -> None:
    settings = ProfileSettings(backend="tract", threads=2)
    with pytest.raises(InputError, match="one thread, not in 2"), TractBackend().open(lstm(2, 2), settings):
        pass


@needs_tract
@pytest.mark.parametrize(
    ("node", "words"),
    [
        (helper.make_node("Nonsense", ["x"], ["y"]), "it has no operator Nonsense."),
        (helper.make_node("MatMul", ["x", "x"], ["y"]), "MatMul.*Inconsistent matmul"),
    ],
)
def test_a_refusal_names_the_operator_and_no_stack(node: onnx.NodeProto, words: str) -> None:
    value = helper.make_tensor_value_info
    x, y = value("x", TensorProto.FLOAT, (2, 3)), value("y", TensorProto.FLOAT, (2, 3))
    model = helper.make_model(helper.make_graph([node], "g", [x], [y]), opset_imports=[helper.make_opsetid("", 17)])
    with (
        pytest.raises(InvalidModelError, match=words) as caught,
        TractBackend().open(model.SerializeToString(), SETTINGS),
    ):
        pass
    assert "Stack backtrace" not in str(caught.value)

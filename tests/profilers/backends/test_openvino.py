"""What is particular to OpenVINO."""

import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from latcast.schema import InvalidModelError, ProfileSettings
from profilers.backends.openvino import BF16_FEATURES, OpenVinoBackend
from profilers.feeds import make_feeds
from profilers.host.device import describe_device
from profilers.testing.backends import BackendSuite, small_models

FP32 = ProfileSettings(backend="openvino")
BF16 = ProfileSettings(backend="openvino", precision="bf16")

needs_openvino = pytest.mark.skipif(not OpenVinoBackend().probe().ok, reason=OpenVinoBackend().probe().reason)
needs_bf16 = pytest.mark.skipif(
    not BF16_FEATURES & set(describe_device().features), reason="The processor has no bfloat16 that OpenVINO uses."
)


class TestOpenVino(BackendSuite):
    backend = OpenVinoBackend()


def model_of(*nodes: onnx.NodeProto) -> bytes:
    value = helper.make_tensor_value_info
    x, y = value("x", TensorProto.FLOAT, (2, 3)), value("y", TensorProto.FLOAT, (2, 3))
    graph = helper.make_graph(list(nodes), "g", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


@needs_openvino
@needs_bf16
def test_bfloat16_is_less_exact_than_float32_and_not_far_off() -> None:
    _, spec, model = next(small_models())
    found = []
    for settings in (FP32, BF16):
        with OpenVinoBackend().open(model.SerializeToString(), settings) as session:
            found.append(session.run(make_feeds([spec]))["y"])
    assert not np.array_equal(*found)
    np.testing.assert_allclose(*found, rtol=0.05, atol=0.02)


@needs_openvino
@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ([helper.make_node("Nonsense", ["x"], ["y"])], "it has no operator Nonsense."),
        ([helper.make_node("Odd", ["x"], ["a"], domain="my"), helper.make_node("Det", ["a"], ["y"])], "Det, my.Odd"),
        ([helper.make_node("MatMul", ["x", "x"], ["y"])], "it cannot convert MatMul. .*Incompatible MatMul"),
    ],
)
def test_a_refusal_names_the_operator(nodes: list[onnx.NodeProto], words: str) -> None:
    with pytest.raises(InvalidModelError, match=words) as caught, OpenVinoBackend().open(model_of(*nodes), FP32):
        pass
    assert "src/" not in str(caught.value)


@needs_openvino
def test_outputs_that_are_inputs_or_each_other_keep_their_names() -> None:
    value = helper.make_tensor_value_info
    names = ("copy", "z", "again")
    nodes = [
        helper.make_node("Identity", ["x"], ["copy"]),
        helper.make_node("Relu", ["x"], ["z"]),
        helper.make_node("Identity", ["z"], ["again"]),
    ]
    outputs = [value(name, TensorProto.FLOAT, (2, 3)) for name in names]
    graph = helper.make_graph(nodes, "g", [value("x", TensorProto.FLOAT, (2, 3))], outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    x = np.full((2, 3), -1.0, np.float32)
    with OpenVinoBackend().open(model.SerializeToString(), FP32) as session:
        found = session.run({"x": x})
    assert {name: float(found[name].max()) for name in names} == {"copy": -1.0, "z": 0.0, "again": 0.0}


@needs_openvino
def test_openvino_is_imported_without_its_telemetry() -> None:
    script = (
        "import sys\n"
        "from profilers.backends.openvino import _import_runtime\n"
        "_import_runtime()\n"
        "assert sys.modules['openvino_telemetry'] is None\n"
        "assert 'openvino.tools.ovc.telemetry_stub' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)

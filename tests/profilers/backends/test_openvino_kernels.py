"""OpenVINO's kernels lead back to the nodes of the model."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from latcast.schema import ProfileSettings
from profilers.backends.openvino import OpenVinoBackend
from profilers.feeds import feed_specs, make_feeds
from profilers.onnx_graph import load_graph

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"
FP32 = ProfileSettings(backend="openvino")

needs_openvino = pytest.mark.skipif(not OpenVinoBackend().probe().ok, reason=OpenVinoBackend().probe().reason)


@needs_openvino
def test_nearly_all_kernels_lead_back_to_nodes() -> None:
    model = (LIGHT / "light_shufflenet.onnx").read_bytes()
    graph = load_graph(model)
    with OpenVinoBackend().open(model, FP32) as session:
        records = session.kernels(make_feeds(feed_specs(graph))) or ()
    produced = {graph.tensors[i].name for node in graph.nodes for i in node.outputs if i >= 0}
    leading_back = [record for record in records if produced.intersection(record.outputs)]
    assert {record.operator for record in records if not record.outputs} <= {"Reorder", "Convert"}
    assert sum("Convolution" in record.operator for record in leading_back) == 49
    assert len({record.outputs for record in leading_back}) == len(leading_back)
    assert all(record.output_shapes and record.dtype for record in leading_back)


@needs_openvino
def test_recurrent_kernels_lead_back_in_both_directions() -> None:
    rng = np.random.default_rng(0)
    shapes = {"w1": (2, 12, 4), "r1": (2, 12, 4), "w2": (1, 16, 4), "r2": (1, 16, 4)}
    weights = [numpy_helper.from_array(rng.normal(0, 0.2, s).astype(np.float32), n) for n, s in shapes.items()]
    nodes = [
        helper.make_node("GRU", ["x", "w1", "r1"], ["", "last"], hidden_size=4, direction="bidirectional"),
        helper.make_node("LSTM", ["last", "w2", "r2"], ["y"], hidden_size=4),
    ]
    value = helper.make_tensor_value_info
    x, y = value("x", TensorProto.FLOAT, (60, 1, 4)), value("y", TensorProto.FLOAT, (2, 1, 1, 4))
    graph = helper.make_graph(nodes, "g", [x], [y], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with OpenVinoBackend().open(model.SerializeToString(), FP32) as session:
        records = session.kernels({"x": np.ones((60, 1, 4), np.float32)}) or ()
    sequences = [record.outputs for record in records if record.operator.endswith("Sequence")]
    assert sequences == [("last",), ("last",), ("y",)]

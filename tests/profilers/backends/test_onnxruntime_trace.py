"""ONNX Runtime's trace leads back to the nodes of the model."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from latcast.schema import ProfileSettings
from profilers.backends.onnxruntime import OnnxRuntimeBackend
from profilers.backends.onnxruntime_trace import read_kernels
from profilers.feeds import feed_specs, make_feeds
from profilers.onnx_graph import load_graph
from profilers.testing.backends import small_models

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"


@pytest.mark.parametrize("level", ["disabled", "basic", "extended", "all"])
def test_nearly_all_of_the_time_is_in_kernels_that_lead_back_to_nodes(level: str) -> None:
    model = (LIGHT / "light_shufflenet.onnx").read_bytes()
    graph = load_graph(model)
    settings = ProfileSettings(options={"optimisation": level})
    with OnnxRuntimeBackend().open(model, settings) as session:
        records = session.kernels(make_feeds(feed_specs(graph)))
    produced = {graph.tensors[i].name for node in graph.nodes for i in node.outputs if i >= 0}
    leading_back = [r for r in records if produced.intersection(r.outputs)]
    invented = {r.operator for r in records if not r.outputs}
    assert invented <= {"ReorderInput", "ReorderOutput"}
    assert sum(r.operator in ("Conv", "FusedConv") for r in leading_back) == 49
    assert len({r.outputs for r in leading_back}) == len(leading_back)
    assert all(r.output_shapes and r.dtype for r in leading_back)


def test_kernels_that_the_runtime_made_up_lead_back_to_what_they_are_parts_of() -> None:
    def weight(name: str, *shape: int) -> onnx.TensorProto:
        values = np.random.default_rng(0).normal(0, 0.3, shape).astype(np.float32)
        return onnx.numpy_helper.from_array(values, name)

    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["m"]),  # becomes a Gemm between two reshapes
        helper.make_node("Add", ["m", "b"], ["a"]),
        helper.make_node("HardSwish", ["a"], ["h"]),  # a function of two operators
        helper.make_node("HardSwish", ["h"], ["y"]),
    ]
    shape = (2, 4, 8)
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "g", [value("x", TensorProto.FLOAT, shape)], [value("y", TensorProto.FLOAT, shape)],
        [weight("w", 8, 8), weight("b", 8)],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with OnnxRuntimeBackend().open(model.SerializeToString(), ProfileSettings()) as session:
        records = session.kernels({"x": np.ones(shape, np.float32)})
    assert {"Gemm", "HardSigmoid", "Mul"} <= {record.operator for record in records}
    assert all(record.outputs for record in records)
    assert {record.outputs for record in records if record.operator == "HardSigmoid"} == {("h",), ("y",)}


def test_a_loop_is_counted_once_and_its_body_not_beside_it() -> None:
    model, feeds = looping(trips=7)
    with OnnxRuntimeBackend().open(model, ProfileSettings(options={"optimisation": "disabled"})) as session:
        records = session.kernels(feeds)
    assert [record.operator for record in records] == ["Relu", "Loop"]
    assert records[1].outputs == ("y",)


def looping(trips: int) -> tuple[bytes, dict[str, np.ndarray[Any, Any]]]:
    def info(name: str, element: int, shape: tuple[int, ...]) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, element, shape)

    body = helper.make_graph(
        [helper.make_node("Sin", ["v"], ["w"]), helper.make_node("Identity", ["go_on"], ["go_on_out"])],
        "body",
        [info("i", TensorProto.INT64, ()), info("go_on", TensorProto.BOOL, ()), info("v", TensorProto.FLOAT, (4, 4))],
        [info("go_on_out", TensorProto.BOOL, ()), info("w", TensorProto.FLOAT, (4, 4))],
    )
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["r"]), helper.make_node("Loop", ["trips", "yes", "r"], ["y"], body=body)],
        "g",
        [info("x", TensorProto.FLOAT, (4, 4))],
        [info("y", TensorProto.FLOAT, (4, 4))],
        [
            helper.make_tensor("trips", TensorProto.INT64, (), [trips]),
            helper.make_tensor("yes", TensorProto.BOOL, (), [True]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString(), {"x": np.ones((4, 4), np.float32)}


def event(name: str, start: int, duration: int, operator: str) -> dict[str, Any]:
    shapes = {"input_type_shape": [{"float": [1, 2]}], "output_type_shape": [{"float": [1, 3]}]}
    arguments = {"op_name": operator, **shapes}
    return {"cat": "Node", "name": f"{name}_kernel_time", "ts": start, "dur": duration, "args": arguments}


def test_a_trace_is_averaged_robustly_without_its_first_runs(tmp_path: Path) -> None:
    durations = [900, 10, 11, 12, 13, 800, 11, 12, 10]
    events = [event("y", 1000 * i, duration, "Relu") for i, duration in enumerate(durations)]
    (tmp_path / "trace").write_text(json.dumps([{"cat": "Session", "name": "model_run"}, *events]))
    onnx.save(next(small_models())[2], tmp_path / "m.onnx")
    (record,) = read_kernels(tmp_path / "trace", tmp_path / "m.onnx", tensors=frozenset({"y"}), warmup=1)
    assert record.time_us == 11.5
    assert (record.outputs, record.dtype) == (("y",), "float32")
    assert (record.input_shapes, record.output_shapes) == (((1, 2),), ((1, 3),))


@pytest.mark.parametrize(
    ("name", "operator", "outputs"),
    [
        ("conv_out_nchwc", "Conv", ("conv_out",)),
        ("conv_out_bn_nchwc_token_12", "Conv", ("conv_out",)),
        ("conv_out", "Concat", ("conv_out",)),
        ("conv_out/MatMulAddFusion", "Gemm", ("conv_out",)),
        ("conv_out/QuickGeluFusion/", "QuickGelu", ("conv_out",)),
        ("elsewhere/MatMulAddFusion", "Gemm", ()),
        ("ReorderOutput_token_3", "ReorderOutput", ()),
        ("made up", "Conv", ()),
    ],
)
def test_names_after_layout_changes_lead_back_to_tensors(
    name: str, operator: str, outputs: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "trace").write_text(json.dumps([event(name, 0, 5, operator)]))
    onnx.save(next(small_models())[2], tmp_path / "m.onnx")
    (record,) = read_kernels(tmp_path / "trace", tmp_path / "m.onnx", tensors=frozenset({"conv_out"}), warmup=0)
    assert record.outputs == outputs

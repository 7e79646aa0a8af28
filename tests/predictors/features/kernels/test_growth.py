"""Work and memory grow with nodes and edges, not with their square: lines executed are counted, not seconds."""

import sys
import tracemalloc
from collections.abc import Callable
from math import log2
from pathlib import Path
from types import FrameType
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

import predictors
import profilers
from latcast.schema import ModelLimitError
from predictors.features.coverage import OperatorRanges
from predictors.features.flat import flat_features
from predictors.features.kernels import ExecutionTraits, predict_kernels
from predictors.features.kernels.rewrite import plan
from profilers.onnx_graph import load_graph

WATCHED = tuple(str(Path(package.__path__[0])) for package in (predictors, profilers))
TRAITS = {
    "onnxruntime": ExecutionTraits(),
    "static": ExecutionTraits(precision="int8_static"),
    "openvino": ExecutionTraits(backend="openvino"),
}
LARGEST_EXPONENT = 1.2


def model(nodes: list[onnx.NodeProto], result: str, constants: list[onnx.TensorProto], *shape: int) -> bytes:
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x", "y")]
    outputs = [helper.make_tensor_value_info(result, TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, constants)
    opsets = [helper.make_opsetid("", 17)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString())


def chain(size: int) -> bytes:
    nodes = [helper.make_node("Relu", [f"t{i}" if i else "x"], [f"t{i + 1}"]) for i in range(size)]
    return model(nodes, f"t{size}", [], 4, 8)


def fan(size: int) -> bytes:
    nodes = [helper.make_node("LeakyRelu", ["x"], [f"t{i}"], alpha=i / size) for i in range(size)]
    return model(nodes, "t0", [], 4, 8)


def fan_of_products(size: int) -> bytes:
    gate = helper.make_node("Sigmoid", ["x"], ["s"])
    products = [helper.make_node("Mul", ["x", "s"] if i % 2 else ["s", "x"], [f"t{i}"]) for i in range(size)]
    return model([gate, *products], "t0", [], 4, 8)


def shared_input(size: int) -> bytes:
    nodes = [helper.make_node("Mul", [f"t{i}" if i else "x", "y"], [f"t{i + 1}"]) for i in range(size)]
    return model(nodes, f"t{size}", [], 4, 8)


def slices(size: int) -> bytes:
    """Overlapping slices, so that they are no Split."""
    constants, nodes = [helper.make_tensor("axis", TensorProto.INT64, [1], [1])], []
    for i in range(size):
        constants.append(helper.make_tensor(f"from{i}", TensorProto.INT64, [1], [i]))
        constants.append(helper.make_tensor(f"to{i}", TensorProto.INT64, [1], [i + 3]))
        nodes.append(helper.make_node("Slice", ["x", f"from{i}", f"to{i}", "axis"], [f"t{i}"]))
    return model(nodes, "t0", constants, 2, 5 * size)


def normalised(size: int) -> bytes:
    """A convolution that takes in all normalisations after it."""
    constants = [helper.make_tensor("w", TensorProto.FLOAT, [16, 16, 1, 1], [1.0] * 256)]
    constants += [helper.make_tensor(f"v{i}", TensorProto.FLOAT, [16], [1.0] * 16) for i in range(4)]
    operands = ["v0", "v1", "v2", "v3"]
    nodes = [helper.make_node("BatchNormalization", [f"t{i}", *operands], [f"t{i + 1}"]) for i in range(size)]
    return model([helper.make_node("Conv", ["x", "w"], ["t0"]), *nodes], f"t{size}", constants, 1, 16, 4, 4)


def scaled(size: int) -> bytes:
    """A product that takes in all scalar factors before it."""
    constants = [helper.make_tensor("k", TensorProto.FLOAT, [], [2.0])]
    nodes = [helper.make_node("Mul", [f"t{i}" if i else "x", "k"], [f"t{i + 1}"]) for i in range(size)]
    return model([*nodes, helper.make_node("MatMul", [f"t{size}", "y"], ["z"])], "z", constants, 8, 8)


def loop(size: int) -> bytes:
    steps = [helper.make_node("Relu", [f"b{i}" if i else "v"], [f"b{i + 1}"]) for i in range(size)]
    inputs = [("trip", TensorProto.INT64, []), ("go", TensorProto.BOOL, []), ("v", TensorProto.FLOAT, [4, 8])]
    outputs = [("on", TensorProto.BOOL, []), (f"b{size}", TensorProto.FLOAT, [4, 8])]
    body = helper.make_graph(
        [*steps, helper.make_node("Identity", ["go"], ["on"])],
        "body",
        [helper.make_tensor_value_info(*info) for info in inputs],
        [helper.make_tensor_value_info(*info) for info in outputs],
    )
    constants = [helper.make_tensor("trips", TensorProto.INT64, [], [3])]
    constants += [helper.make_tensor("start", TensorProto.BOOL, [], [True])]
    return model([helper.make_node("Loop", ["trips", "start", "x"], ["z"], body=body)], "z", constants, 4, 8)


SHAPES = [chain, fan, fan_of_products, shared_input, slices, normalised, scaled, loop]


def lines_executed(work: Callable[[], object]) -> int:
    """Lines of the watched packages, each turn of a loop or comprehension anew."""
    lines = 0

    def count(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal lines
        lines += event == "line"
        return count

    def watch(frame: FrameType, event: str, _: Any) -> Any:
        return count if frame.f_code.co_filename.startswith(WATCHED) else None

    before = sys.gettrace()
    sys.settrace(watch)
    try:
        work()
    finally:
        sys.settrace(before)
    return lines


def most_memory(work: Callable[[], object]) -> int:
    """Bytes at the peak."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def cost(content: bytes, traits: ExecutionTraits) -> tuple[int, int]:
    """Lines executed from bytes to features, and the most memory that the kernels take."""
    graphs = []

    def features() -> None:
        graphs.append(load_graph(content))
        predict_kernels(graphs[0], traits)
        flat_features(graphs)
        OperatorRanges.of(graphs).coverage(graphs[0])

    lines = lines_executed(features)
    return lines, most_memory(lambda: predict_kernels(graphs[0], traits))


def assert_near_linear(shape: Callable[[int], bytes], traits: ExecutionTraits, small: int, large: int) -> None:
    (lines, memory), (more_lines, more_memory) = (cost(shape(size), traits) for size in (small, large))
    doublings = log2(large / small)
    assert log2(more_lines / lines) / doublings < LARGEST_EXPONENT
    assert log2(more_memory / memory) / doublings < LARGEST_EXPONENT


@pytest.mark.parametrize("traits", TRAITS.values(), ids=TRAITS)
@pytest.mark.parametrize("shape", SHAPES)
def test_work_and_memory_grow_near_linearly(shape: Callable[[int], bytes], traits: ExecutionTraits) -> None:
    assert_near_linear(shape, traits, 250, 1000)


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_large_graphs_grow_near_linearly(shape: Callable[[int], bytes]) -> None:
    assert_near_linear(shape, TRAITS["onnxruntime"], 2000, 16_000)


def test_too_many_steps_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "MOST_STEPS", 9)
    with pytest.raises(ModelLimitError, match="steps = 9"):
        predict_kernels(load_graph(chain(10)))

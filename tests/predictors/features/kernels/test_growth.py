"""Work and memory grow with nodes and edges, not with their square: operations are counted, not seconds.

Lines executed tell everything, and take half a minute for each shape of 64,000 nodes; there, calls are counted.
"""

import cProfile
import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from math import log2
from pathlib import Path
from types import FrameType
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

import predictors
import profilers
from latcast.schema import Graph, KernelTiming, ModelLimitError
from predictors.features.coverage import OperatorRanges
from predictors.features.flat import flat_features
from predictors.features.kernels import ExecutionTraits, attribute_timings, predict_kernels
from predictors.features.kernels.rewrite import plan
from profilers.onnx_graph import bind_shapes, load_graph, strip_weights
from profilers.onnx_graph.isolated.encoding import decode_graph, encode_graph

WATCHED = tuple(str(Path(package.__path__[0])) for package in (predictors, profilers))
TRAITS = {
    "onnxruntime": ExecutionTraits(),
    "static": ExecutionTraits(precision="int8_static"),
    "openvino": ExecutionTraits(backend="openvino"),
}
LARGEST_EXPONENT = 1.2
Costs = Callable[[bytes, ExecutionTraits], dict[str, int]]
NEVER_SEEN = count()
"""Numbers of graphs whose features no cache has."""


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
    """Overlapping slices, so that they are no Split; the end of one is the beginning of another."""
    places = [helper.make_tensor(f"at{i}", TensorProto.INT64, [1], [i]) for i in range(size + 3)]
    axis = helper.make_tensor("axis", TensorProto.INT64, [1], [1])
    nodes = [helper.make_node("Slice", ["x", f"at{i}", f"at{i + 3}", "axis"], [f"t{i}"]) for i in range(size)]
    return model(nodes, "t0", [*places, axis], 2, 5 * size)


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


def functions(size: int) -> bytes:
    """Functions, each of which calls the next one twice; the last has all nodes that are not calls."""
    depth = 4
    calls = [("local", f"f{level + 1}") for level in range(depth)]
    made = [_function(level, [inner] * 2) for level, inner in enumerate(calls)]
    made.append(_function(depth, [("", "Relu")] * (size >> depth)))
    graph = onnx.load_from_string(model([helper.make_node("f0", ["x"], ["y1"], domain="local")], "y1", [], 4, 8))
    graph.functions.extend(made)
    graph.opset_import.append(helper.make_opsetid("local", 1))
    return bytes(graph.SerializeToString())


def _function(level: int, steps: list[tuple[str, str]]) -> onnx.FunctionProto:
    names = ["a", *(f"m{i}" for i in range(len(steps) - 1)), "b"]
    nodes = [
        helper.make_node(operator, [names[i]], [names[i + 1]], domain=domain)
        for i, (domain, operator) in enumerate(steps)
    ]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]
    return helper.make_function("local", f"f{level}", ["a"], ["b"], nodes, opsets)


SHAPES = [chain, fan, fan_of_products, shared_input, slices, normalised, scaled, loop, functions]


def lines_executed(work: Callable[[], object]) -> int:
    """Lines of the watched packages, each turn of a loop or comprehension anew."""
    lines = 0

    def tally(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal lines
        lines += event == "line"
        return tally

    def watch(frame: FrameType, event: str, _: Any) -> Any:
        return tally if frame.f_code.co_filename.startswith(WATCHED) else None

    before = sys.gettrace()
    sys.settrace(watch)
    try:
        work()
    finally:
        sys.settrace(before)
    return lines


def calls_made(work: Callable[[], object]) -> int:
    """Calls of all functions, those in C and turns of generators included; cheaper to count than lines."""
    before, profile = sys.gettrace(), cProfile.Profile()
    sys.settrace(None)
    try:
        profile.runcall(work)
    finally:
        sys.settrace(before)
    return sum(entry.callcount for entry in profile.getstats())


def most_memory(work: Callable[[], object]) -> int:
    """Bytes at the peak."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def timings_of(graph: Graph) -> list[KernelTiming]:
    """A time of each node, then one that fits several kernels, and one that fits none."""
    shapes = [[graph.tensors[output].shape or () for output in node.outputs] for node in graph.nodes]
    named = [
        KernelTiming(operator=node.operator, share=0.0, time_ms=1.0, node=index, output_shapes=tuple(shapes[index]))
        for index, node in enumerate(graph.nodes)
    ]
    return [*named, *(replace(one, node=None) for one in named), *(replace(one, operator="Odd") for one in named)]


def passes_of(content: bytes, traits: ExecutionTraits) -> dict[str, Callable[[], object]]:
    """Every pass from bytes to features."""
    graph = load_graph(content)
    timings, shapes = (
        timings_of(graph),
        {graph.tensors[place].name: graph.tensors[place].shape for place in graph.inputs},
    )
    return {
        "reading": lambda: load_graph(content),
        "binding": lambda: bind_shapes(content, shapes),
        "stripping": lambda: strip_weights(content),
        "crossing a pipe": lambda: decode_graph(encode_graph(graph)),
        "kernels": lambda: predict_kernels(graph, traits),
        "flat features": lambda: flat_features([replace(graph, hash=f"g1-{next(NEVER_SEEN)}")]),
        "coverage": lambda: OperatorRanges.of([graph]).coverage(graph),
        "attribution": lambda: attribute_timings(graph, timings, traits),
    }


def lines_and_memory(content: bytes, traits: ExecutionTraits) -> dict[str, int]:
    """Lines that each pass executes, and bytes that the kernels take at most."""
    passes = passes_of(content, traits)
    lines = {name: lines_executed(work) for name, work in passes.items()}
    return lines | {"memory of kernels": most_memory(passes["kernels"])}


def calls_of_passes(content: bytes, traits: ExecutionTraits) -> dict[str, int]:
    """Calls that each pass makes."""
    return {name: calls_made(work) for name, work in passes_of(content, traits).items()}


def assert_near_linear(
    shape: Callable[[int], bytes], traits: ExecutionTraits, small: int, large: int, costs: Costs = lines_and_memory
) -> None:
    few, many = (costs(shape(size), traits) for size in (small, large))
    exponents = {name: log2(many[name] / few[name]) / log2(large / small) for name in few}
    assert {name: exponent for name, exponent in exponents.items() if exponent >= LARGEST_EXPONENT} == {}


@pytest.mark.slow
@pytest.mark.parametrize("traits", TRAITS.values(), ids=TRAITS)
@pytest.mark.parametrize("shape", SHAPES)
def test_work_and_memory_grow_near_linearly(shape: Callable[[int], bytes], traits: ExecutionTraits) -> None:
    assert_near_linear(shape, traits, 250, 1000)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "small"),
    [(chain, 8000), (fan, 32_000), (shared_input, 8000), (slices, 32_000), (loop, 8000), (functions, 8000)],
)
def test_the_largest_graphs_grow_near_linearly(shape: Callable[[int], bytes], small: int) -> None:
    """Nodes of fans and slices all differ: up to some 16,000 it is kept what they do and cost, from one pass to the
    next; so both sizes of these lie beyond. Of the others what is kept helps small and large ones alike.
    """
    assert_near_linear(shape, TRAITS["onnxruntime"], small, 64_000, calls_of_passes)


def test_too_many_steps_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "MOST_STEPS", 9)
    with pytest.raises(ModelLimitError, match="steps = 9"):
        predict_kernels(load_graph(chain(10)))

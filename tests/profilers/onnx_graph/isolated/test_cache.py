"""What is kept between models changes nothing but the time."""

import json
import os
import struct
import time
from array import array
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from onnx import ModelProto, TensorProto, defs, helper, numpy_helper, shape_inference

from latcast.schema import Graph, InvalidModelError, Node, TensorSpec
from profilers.host.messages import receive_message, send_message
from profilers.onnx_graph import load_graph, operations, outcomes
from profilers.onnx_graph.isolated.cache import KnownModels
from profilers.onnx_graph.isolated.encoding import decode_graph, encode_graph
from profilers.onnx_graph.limits import Limits
from profilers.onnx_graph.parsing import read_model
from profilers.onnx_graph.records import make_node, make_tensor
from profilers.onnx_graph.shapes.standard import STANDARD
from profilers.onnx_graph.values import Value
from tests.strategies import onnx_protos

_SETTINGS = settings(max_examples=40, deadline=None)
F = TensorProto.FLOAT


@_SETTINGS
@given(onnx_protos())
def test_a_model_gives_the_same_graph_whatever_was_read_before(proto: ModelProto):
    model = proto.SerializeToString()
    after_others = load_graph(model)
    operations._read.cache_clear()
    outcomes._outcomes.cache_clear()
    assert load_graph(model) == after_others == load_graph(model)


@_SETTINGS
@given(onnx_protos())
def test_graphs_cross_the_pipe_unchanged(proto: ModelProto):
    graph = load_graph(proto.SerializeToString())
    assert decode_graph(encode_graph(graph)) == graph


@pytest.mark.parametrize(
    "damage", [b"", b"[]", b"\x02" + bytes(7) + b"[]", b"\xff" * 8 + b"[]", b"\x88\x13" + bytes(6) + b"[" * 5000]
)
def test_a_corrupt_worker_is_not_believed(damage: bytes):
    with pytest.raises(InvalidModelError, match="malformed"):
        decode_graph(damage)


def small_graph() -> Graph:
    """A branch in a small graph, so that there are bodies too."""
    value = helper.make_tensor_value_info
    constant = helper.make_tensor("c", F, (2,), [1.0, 2.0])
    branches = [
        helper.make_graph([helper.make_node(name, ["x"], [f"{name}_out"])], name, [], [value(f"{name}_out", F, (2,))])
        for name in ("Relu", "Abs")
    ]
    nodes = [
        helper.make_node("If", ["b"], ["y"], then_branch=branches[0], else_branch=branches[1]),
        helper.make_node("Add", ["y", "c"], ["z"]),
        helper.make_node("Clip", ["z", "", ""], ["w"]),
        helper.make_node("LeakyRelu", ["w"], ["v"], alpha=0.5),
    ]
    inputs = [value("x", F, (2,)), value("b", TensorProto.BOOL, ())]
    graph = helper.make_graph(nodes, "g", inputs, [value("v", F, (2,))], [constant])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return load_graph(proto.SerializeToString())


def is_sound(graph: Graph) -> bool:
    """Whether nobody who reads the graph can stumble over it."""
    count = len(graph.tensors)
    indices = [*graph.inputs, *graph.outputs, *graph.initializers, *graph.outer]
    read = [at for node in graph.nodes for at in (*node.inputs, *node.outputs)]
    work = [getattr(node, name) for node in graph.nodes for name in ("macs", "flops", "input_bytes", "trips")]
    texts = [*(node.operator for node in graph.nodes), *(item.name for item in graph.tensors), graph.hash]
    return (
        all(0 <= at < count for at in indices)
        and all(-1 <= at < count for at in read)
        and all(number >= 0 for number in work)
        and all(isinstance(text, str) for text in texts)
        and all(min(item.shape or (0,)) >= 0 and isinstance(item.dtype, str) for item in graph.tensors)
        and all(is_sound(body) for node in graph.nodes for body in node.bodies)
    )


def read_or_refuse(numbers: list[int], texts: object) -> bool:
    """Whether what a corrupt worker sent was refused; what is not has to be sound."""
    packed = json.dumps(texts).encode()
    try:
        graph = decode_graph(struct.pack("<Q", len(packed)) + packed + array("q", numbers).tobytes())
    except InvalidModelError:
        return True
    assert is_sound(graph)
    return False


def test_corrupt_numbers_are_not_believed():
    """Each number in turn too small, too large or missing."""
    numbers, texts = parts_of(encode_graph(small_graph()))
    assert not read_or_refuse(numbers, texts)
    for place, number in enumerate(numbers):
        for wrong in (-2, number + 1, 2**40):
            read_or_refuse([*numbers[:place], wrong, *numbers[place + 1 :]], texts)
        read_or_refuse([*numbers[:place], *numbers[place + 1 :]], texts)
    assert read_or_refuse([*numbers, 0], texts)


@pytest.mark.parametrize("wrong", [None, 7, -1.5, "x", [], [3], ["x"], [["x"]], {"x": 1}, True])
def test_corrupt_texts_are_not_believed(wrong: object):
    """Each text, list and attribute in turn replaced by something else."""
    numbers, texts = parts_of(encode_graph(small_graph()))
    for path in paths_of(texts):
        read_or_refuse(numbers, replaced(texts, path, wrong))


def parts_of(encoded: bytes) -> tuple[list[int], Any]:
    """(numbers, texts)."""
    end = 8 + struct.unpack_from("<Q", encoded)[0]
    return array("q", encoded[end:]).tolist(), json.loads(encoded[8:end])


def paths_of(texts: Any) -> Iterator[tuple[Any, ...]]:
    """Where in a JSON tree something stands."""
    keys = texts if isinstance(texts, dict) else range(len(texts)) if isinstance(texts, list) else ()
    for key in keys:
        yield (key,)
        yield from ((key, *rest) for rest in paths_of(texts[key]))


def replaced(texts: Any, path: tuple[Any, ...], value: object) -> Any:
    """The tree with another value at one place."""
    if not path:
        return value
    changed = texts.copy()
    changed[path[0]] = replaced(texts[path[0]], path[1:], value)
    return changed


def test_records_are_those_of_the_schema():
    assert make_tensor("x", "float32", (1, 2)) == TensorSpec(name="x", dtype="float32", shape=(1, 2))
    made = make_node(
        operator="Relu", domain="d", name="n", inputs=(1,), outputs=(2,), attributes={"a": 1}, work=(3, 4, 5, 6, 7),
        bodies=(), trips=8,
    )  # fmt: skip
    assert made == Node(
        operator="Relu", domain="d", name="n", inputs=(1,), outputs=(2,), attributes={"a": 1}, macs=3, flops=4,
        parameter_bytes=5, input_bytes=6, output_bytes=7, bodies=(), trips=8,
    )  # fmt: skip
    assert all(hasattr(made, field.name) for field in fields(Node))


_CASES = [
    ("Relu", [(2, 3)], {}), ("Add", [(2, 3), (3,)], {}), ("Mul", [(2, 1, 4), (3, 1)], {}), ("Less", [(2, 3), ()], {}),
    ("BatchNormalization", [(2, 3, 4), (3,), (3,), (3,), (3,)], {}),
    ("Conv", [(1, 4, 9, 7), (6, 2, 3, 3)], {"group": 2, "strides": [2, 1], "pads": [1, 0, 2, 1], "dilations": [1, 2]}),
    ("Conv", [(1, 4, 9), (6, 4, 3)], {}), ("MaxPool", [(1, 4, 9, 9)], {"kernel_shape": [3, 3], "strides": [2, 2]}),
    ("MaxPool", [(1, 4, 9, 9)], {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}),
    ("AveragePool", [(1, 4, 9, 9)], {"kernel_shape": [3, 3], "pads": [1] * 4}),
    ("Conv", [(1, 4, 9, 9), (6, 4, 3, 3)], {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    ("GlobalAveragePool", [(2, 3, 5, 6)], {}), ("Gemm", [(3, 5), (7, 5)], {"transB": 1}),
    ("Gemm", [(5, 3), (5, 7)], {"transA": 1}), ("MatMul", [(2, 1, 3, 5), (4, 5, 7)], {}),
    ("MatMul", [(5,), (5, 7)], {}),
    ("Transpose", [(2, 3, 4)], {"perm": [2, 0, 1]}), ("Transpose", [(2, 3, 4)], {}),
    ("Concat", [(2, 3), (2, 5)], {"axis": -1}), ("Concat", [(2, 3), (4, 3)], {"axis": 0}),
]  # fmt: skip


@pytest.mark.parametrize(("operator", "shapes", "attributes"), _CASES)
def test_standard_rules_say_what_onnx_says(operator, shapes, attributes):
    names = [f"x{at}" for at in range(len(shapes))]
    node = helper.make_node(operator, names, ["y"], **attributes)
    types = {name: helper.make_tensor_type_proto(F, shape) for name, shape in zip(names, shapes, strict=True)}
    schema = defs.get_schema(operator, max_inclusive_version=17)
    found = shape_inference.infer_node_outputs(schema, node, types, opset_imports=[helper.make_opsetid("", 17)])["y"]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [node], "g", [value(name, F, shape) for name, shape in zip(names, shapes, strict=True)], [value("y", F, None)]
    )
    source = read_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), Limits())
    inputs = [Value(name, "float32", shape) for name, shape in zip(names, shapes, strict=True)]
    ours = STANDARD[operator](inputs, source.graph.nodes[0].operation)
    wanted = Value.from_type("y", found)
    assert ours is None or ours == [(wanted.dtype, wanted.dims)]


def test_constants_of_one_shape_are_told_apart():
    """Two Reshapes that differ in nothing but the values of the shape."""

    def model(*shape: int) -> bytes:
        value = helper.make_tensor_value_info
        graph = helper.make_graph(
            [helper.make_node("Reshape", ["x", "s"], ["y"])], "g", [value("x", F, (2, 6))], [value("y", F, None)],
            [numpy_helper.from_array(np.array(shape), "s")],
        )  # fmt: skip
        opsets = [helper.make_opsetid("", 17)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()

    for shape in ((3, 4), (4, 3), (3, 4), (12, 1)):
        (node,) = (graph := load_graph(model(*shape))).nodes
        assert graph.tensors[node.outputs[0]].shape == shape


def test_known_models_are_told_apart_by_bytes_and_shapes():
    known: KnownModels[int] = KnownModels(size=2)
    big = bytes(2**18)
    assert known.get(b"a") is None
    assert known.keep(b"a", None, 1) == 1
    known.keep(big, {"x": (1, 2)}, 2)
    assert known.get(bytes(2**18), {"x": [1, 2]}) == 2
    assert known.get(big) is None
    assert known.get(b"a", {}) == 1
    known.keep(b"c", None, 3)
    assert known.get(big, {"x": (1, 2)}) is None  # asked for the longest ago


def test_messages_arrive_whole_or_not_at_all():
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    soon = time.monotonic() + 0.05
    try:
        send_message(writing, ({"a": 1}, b"payload"), soon)
        assert receive_message(reading, largest=100, deadline=soon) == ({"a": 1}, b"payload")
        with pytest.raises(TimeoutError):
            receive_message(reading, largest=100, deadline=soon)
        with pytest.raises(TimeoutError):
            send_message(writing, ({}, bytes(2**20)), soon)
    finally:
        os.close(writing)
        with pytest.raises(ValueError, match="too large"):
            receive_message(reading, largest=100, deadline=time.monotonic() + 1)
        os.close(reading)

"""Graphs cross a pipe unchanged, and what a corrupt worker says is not believed."""

import json
import struct
from array import array
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from onnx import ModelProto, TensorProto, helper

from latcast.schema import (
    Graph,
    InvalidModelError,
)
from profilers.onnx_graph import (
    load_graph,
)
from profilers.onnx_graph.isolated.encoding import decode_graph, encode_graph
from tests.profilers.onnx_graph.models import F
from tests.strategies import onnx_protos

_SETTINGS = settings(max_examples=40, deadline=None)


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

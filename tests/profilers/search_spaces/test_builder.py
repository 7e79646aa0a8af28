"""Graphs as they are recorded, what they cost, and texts of all spaces without ever importing onnx."""

import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from profilers.search_spaces.builder import GraphBuilder, Style

WITHOUT_ONNX = """
import sys
import numpy as np
from profilers.search_spaces import get_space, space_names

for name in space_names():
    space = get_space(name)
    drawn = space.sample(np.random.default_rng(0))
    assert space.parse(drawn.text) == drawn
    space.encode(drawn)
    space.is_degenerate(drawn)
    next(space.neighbours(drawn))
print(len(space_names()), "onnx" in sys.modules)
"""


def test_work_and_bytes_are_counted_while_recording() -> None:
    net = GraphBuilder("g")
    x = net.input("x", (2, 8))
    y = net.op("MatMul", [x, net.weight(8, 4)], (2, 4), macs=64)
    assert (net.macs, net.parameter_bytes, net.activation_bytes) == (64, 4 * 32, 4 * (16 + 8))
    assert (y.shape, y.dtype) == ((2, 4), "float32")


def test_equal_constants_are_written_once_unless_they_are_nodes() -> None:
    shared, nodes = GraphBuilder("g"), GraphBuilder("g", Style(constant_nodes=True))
    assert shared.constant([1, 2]) is shared.constant([1, 2])
    assert shared.constant([1, 2]).name != shared.constant([1.0, 2.0], "float32").name
    assert nodes.constant([1, 2]).name != nodes.constant([1, 2]).name
    assert [node.operator for node in nodes.recorded().nodes] == ["Constant", "Constant"]


def test_a_node_may_omit_inputs_and_have_several_outputs() -> None:
    net = GraphBuilder("g")
    x = net.input("x", (4,))
    first, second = net.ops("Split", [x, None], [(2,), (2,)], dtype=("float32", "int64"))
    assert net.recorded().nodes[0].inputs == ("x", "")
    assert (first.dtype, second.dtype) == ("float32", "int64")
    assert first.name != second.name


@pytest.mark.parametrize("opset", [11, 17])
def test_bodies_belong_to_the_model_and_have_names_of_their_own(opset: int) -> None:
    net = GraphBuilder("g", Style(opset=opset))
    x, condition = net.input("x", (2,)), net.input("condition", (), dtype="bool")
    then, otherwise = net.body(), net.body()
    for body, operator in ((then, "Relu"), (otherwise, "Neg")):
        body.output(body.op(operator, [x]))
    net.output(net.op("If", [condition], (2,), then_branch=then, else_branch=otherwise))
    model = onnx.load_model_from_string(net.to_bytes())
    onnx.checker.check_model(model, full_check=True)
    assert model.opset_import[0].version == opset
    bodies = [attribute.g for attribute in model.graph.node[0].attribute]
    assert {body.node[0].op_type for body in bodies} == {"Relu", "Neg"}
    assert len({body.node[0].output[0] for body in bodies}) == 2


@pytest.mark.parametrize(("dtype", "role"), [("float32", "scale"), ("int8", "uniform")])
def test_a_weight_has_a_role(dtype: str, role: str) -> None:
    graph = GraphBuilder("g")
    graph.weight(2, 3, role="scale", dtype=dtype)
    assert graph.recorded().weights == [("weight_0", (2, 3), role, dtype)]


def test_texts_need_no_onnx() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_ONNX], capture_output=True, check=True, text=True, cwd=Path(__file__).parents[3]
    )
    count, imported = ended.stdout.split()
    assert int(count) >= 5
    assert imported == "False"

"""How constants are read decides what may be stripped and with what it is refilled."""

import numpy as np
import pytest
from onnx import helper, numpy_helper

from profilers.onnx_graph import Limits
from profilers.onnx_graph.parsing import parse_model
from profilers.onnx_graph.source import SourceTensor
from latcast.onnx_files.usage import Need, Use, constant_uses, function_uses, values_matter
from tests.profilers.onnx_graph.models import F, made


def uses(nodes: list[object], **constants: np.ndarray) -> dict[str, Use]:
    model = made(nodes, [("x", F, (4, 8))], [("y", F)], list(constants.items()))
    return constant_uses(parse_model(model, Limits()).graph)


def constant(values: np.ndarray) -> SourceTensor:
    proto = numpy_helper.from_array(values, "c")
    return SourceTensor(proto, "c", tuple(proto.dims))


def test_a_weight_says_nothing_and_a_shape_all() -> None:
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Reshape", ["h", "s"], ["y"])]
    found = uses(nodes, w=np.ones((8, 8), np.float32), s=np.array([-1]))
    assert found["w"] == Use(Need.NOTHING, Need.EXACT, "normal", (-2,))
    assert values_matter(constant(np.array([-1])), found["s"])
    assert not values_matter(constant(np.ones((8, 8), np.float32)), found["w"])


def test_a_transposed_weight_has_its_fan_in_on_the_other_axis() -> None:
    nodes = [helper.make_node("Transpose", ["w"], ["t"]), helper.make_node("MatMul", ["x", "t"], ["y"])]
    assert uses(nodes, w=np.ones((8, 8), np.float32))["w"].fan_in_axes == (-1,)
    nodes = [helper.make_node("Gemm", ["x", "w"], ["y"], transB=1)]
    assert uses(nodes, w=np.ones((8, 8), np.float32))["w"].fan_in_axes == (-1,)


def test_two_readers_join_to_the_stricter_need_and_the_safer_role() -> None:
    nodes = [helper.make_node("Mul", ["x", "c"], ["h"]), helper.make_node("Div", ["h", "c"], ["y"])]
    found = uses(nodes, c=np.ones(8, np.float32))["c"]
    assert (found.floats, found.role) == (Need.SMALL, "positive")


@pytest.mark.parametrize(("size", "matters"), [(16, True), (17, False)])
def test_a_small_operand_keeps_its_values(size: int, matters: bool) -> None:
    found = Use(Need.SMALL, Need.EXACT, "normal")
    assert values_matter(constant(np.ones(size, np.float32)), found) is matters


def test_what_nobody_reads_does_not_matter() -> None:
    assert not values_matter(constant(np.array([1])), None)
    assert "unread" not in uses([helper.make_node("Relu", ["x"], ["y"])], unread=np.ones(3, np.float32))


def test_constants_of_a_function_are_read_too() -> None:
    model = made([helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(np.array([2]), "c")),
                  helper.make_node("Reshape", ["x", "c"], ["y"])], [("x", F, (2,))], [("y", F)])  # fmt: skip
    nodes = parse_model(model, Limits()).graph.nodes
    assert function_uses(nodes)["c"].integers == Need.EXACT

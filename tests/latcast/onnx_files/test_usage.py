"""How constants are read decides what may be stripped and with what it is refilled."""

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from latcast.onnx_files.usage import Need, Use, constant_uses, model_uses, stripped_role, values_matter
from profilers.onnx_graph import Limits
from profilers.onnx_graph.parsing import parse_model
from profilers.onnx_graph.source import SourceTensor
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
    nodes = [helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(np.array([2]), "c")),
             helper.make_node("Reshape", ["a", "c"], ["b"])]  # fmt: skip
    function = helper.make_function("custom", "f", ["a"], ["b"], nodes, [helper.make_opsetid("", 17)])
    proto = onnx.load_from_string(made([helper.make_node("f", ["w"], ["y"], domain="custom")], [("x", F, (2,))],
                                       [("y", F)], [("w", np.ones(32, np.float32))]))  # fmt: skip
    proto.functions.append(function)
    proto.opset_import.append(helper.make_opsetid("custom", 1))
    source = parse_model(proto.SerializeToString(), Limits())
    found = model_uses(source.graph, source.functions)
    assert found["c"].integers == Need.EXACT
    assert found["w"].floats == Need.EXACT


def test_what_is_stripped_never_matters() -> None:
    for use in (None, Use(Need.NOTHING, Need.NOTHING, "uniform"), Use(Need.SMALL, Need.EXACT, "normal"),
                Use(Need.EXACT, Need.EXACT, "normal")):  # fmt: skip
        for values in (np.ones(17, np.float32), np.ones(17, np.int8), np.ones(17, np.int64), np.ones(16, np.float16)):
            tensor = constant(values)
            if stripped_role(tensor, use) is not None:
                assert not values_matter(tensor, use)

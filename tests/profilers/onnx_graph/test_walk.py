"""One pass over a graph: constants disappear, nodes are recorded with their work, names are unique."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from latcast.schema import InvalidModelError
from profilers.onnx_graph import load_graph
from tests.profilers.onnx_graph.models import I64, F, made, relu, shapes_of


def test_what_is_computed_of_constants_is_no_node() -> None:
    nodes = [helper.make_node("Mul", ["a", "a"], ["b"]), helper.make_node("Add", ["x", "b"], ["y"])]
    graph = load_graph(made(nodes, [("x", F, (3,))], [("y", F)], [("a", np.ones(3, np.float32))]))
    assert graph.operators == {"Add": 1}
    assert [graph.tensors[at].name for at in graph.initializers] == ["b"]


def test_random_and_dequantised_values_are_nodes() -> None:
    nodes = [helper.make_node("RandomNormal", [], ["r"], shape=[3]), helper.make_node("Add", ["x", "r"], ["y"])]
    assert load_graph(made(nodes, [("x", F, (3,))], [("y", F)])).operators == {"RandomNormal": 1, "Add": 1}


@pytest.mark.parametrize(
    ("attributes", "dtype", "shape"),
    [
        ({"value_int": 3}, "int64", ()),
        ({"value_floats": [1.0, 2.0]}, "float32", (2,)),
        ({"value_string": "a"}, "string", ()),
        ({"value": numpy_helper.from_array(np.ones((2, 2), np.float32))}, "float32", (2, 2)),
    ],
)
def test_constant_nodes_are_constants(attributes: dict[str, object], dtype: str, shape: tuple[int, ...]) -> None:
    nodes = [helper.make_node("Constant", [], ["c"], **attributes), relu()]
    code = TensorProto.STRING if dtype == "string" else F if dtype == "float32" else I64
    graph = load_graph(made(nodes, [("x", F, (3,))], [("y", F), ("c", code)]))
    assert graph.operators == {"Relu": 1}
    assert {tensor.name: tensor.dtype for tensor in graph.tensors}["c"] == dtype
    assert shapes_of(graph)["c"] == shape


@pytest.mark.parametrize("attributes", [{}, {"value_int": 1, "value_float": 1.0}, {"odd": 1}])
def test_a_constant_node_has_one_value(attributes: dict[str, object]) -> None:
    with pytest.raises(InvalidModelError, match="Constant node"):
        load_graph(made([helper.make_node("Constant", [], ["c"], **attributes), relu()], [("x", F, (3,))], [("y", F)]))


def test_a_shape_that_inference_leaves_open_is_taken_from_the_declaration() -> None:
    node = helper.make_node("NoSuchOperator", ["x"], ["h"], domain="com.microsoft")
    model = made([node, relu("h")], [("x", F, (3,))], [("y", F)], domains=["com.microsoft"])
    with pytest.raises(InvalidModelError, match="unknown"):
        load_graph(model)
    graph = helper.make_graph(
        [node, relu("h")], "g", [helper.make_tensor_value_info("x", F, (3,))],
        [helper.make_tensor_value_info("y", F, None)], value_info=[helper.make_tensor_value_info("h", F, (5, 7))],
    )  # fmt: skip
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    declared = helper.make_model(graph, opset_imports=imports, ir_version=9)
    assert shapes_of(load_graph(declared.SerializeToString()))["y"] == (5, 7)


def test_an_omitted_input_is_none() -> None:
    nodes = [helper.make_node("Clip", ["x", "", "high"], ["y"])]
    (node,) = load_graph(made(nodes, [("x", F, (3,))], [("y", F)], [("high", np.float32(6))])).nodes
    assert node.inputs[1] == -1


def _stored(nodes, inputs, constants, *, opset=21):
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in inputs],
        [helper.make_tensor_value_info("y", F, None)],
        [value if isinstance(value, TensorProto) else numpy_helper.from_array(value, name)
         for name, value in constants.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    loaded = load_graph(model.SerializeToString())
    return loaded.macs, loaded.parameters, loaded.parameter_bytes


def test_parameters_are_counted_by_type_and_once():
    """MACs, elements and bytes written out by hand: tied, int8, int4, half, grouped, recurrent."""
    node, f32 = helper.make_node, np.float32
    tied = [node("Gather", ["E", "i"], ["h"]), node("Transpose", ["E"], ["t"], perm=[1, 0]),
            node("MatMul", ["h", "t"], ["y"])]  # fmt: skip
    expected = (16 * 64 * 1000, {"float32": 1000 * 64}, 1000 * 64 * 4)
    assert _stored(tied, [("i", TensorProto.INT64, [1, 16])], {"E": np.ones((1000, 64), f32)}) == expected
    quantised = [node("DequantizeLinear", ["q", "s"], ["w"]), node("MatMul", ["x", "w"], ["y"])]
    scale, x = f32(0.1), [("x", F, [2, 48])]
    expected = (2 * 48 * 32, {"int8": 48 * 32, "float32": 1}, 48 * 32 + 4)
    assert _stored(quantised, x, {"q": np.ones((48, 32), np.int8), "s": scale}) == expected
    packed = TensorProto(name="q", dims=[48, 31], data_type=TensorProto.INT4, raw_data=bytes(48 * 31 // 2))
    expected = (2 * 48 * 31, {"int4": 48 * 31, "float32": 1}, 48 * 31 // 2 + 4)
    assert _stored(quantised, x, {"q": packed, "s": scale}) == expected
    half = [node("Cast", ["h"], ["w"], to=F), node("MatMul", ["x", "w"], ["y"])]
    expected = (2 * 48 * 32, {"float16": 48 * 32}, 48 * 32 * 2)
    assert _stored(half, x, {"h": np.ones((48, 32), np.float16)}) == expected
    grouped = [node("Conv", ["x", "w", "b"], ["y"], group=4)]
    expected = (8 * 2 * 9 * 6 * 6, {"float32": 8 * 2 * 9 + 8}, (8 * 2 * 9 + 8) * 4)
    constants = {"w": np.ones((8, 2, 3, 3), f32), "b": np.ones(8, f32)}
    assert _stored(grouped, [("x", F, [1, 8, 8, 8])], constants) == expected
    recurrent = [node("GRU", ["x", "w", "r"], ["y"], hidden_size=16)]
    weights = 3 * 16 * 8 + 3 * 16 * 16
    constants = {"w": np.ones((1, 48, 8), f32), "r": np.ones((1, 48, 16), f32)}
    assert _stored(recurrent, [("x", F, [10, 1, 8])], constants) == (10 * weights, {"float32": weights}, weights * 4)

"""Constants: large ones stay a type and a shape, small ones are read, lying ones refused."""

import tracemalloc

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from latcast.schema import (
    InvalidModelError,
)
from profilers.onnx_graph import (
    load_graph,
)
from tests.profilers.onnx_graph.models import I64, F, made, proto_of, relu, shapes_of


def test_big_constants_are_specs():
    nodes = [helper.make_node("ConstantOfShape", ["s"], ["big"]), helper.make_node("Add", ["x", "big"], ["y"])]
    graph = load_graph(made(nodes, [("x", F, (1,))], [("y", F)], [("s", np.array([12_000, 12_000]))]))
    assert graph.nodes[0].parameter_bytes == 4 * 12_000 * 12_000
    assert graph.parameters == {"int64": 2}
    assert [node.operator for node in graph.nodes] == ["Add"]


def test_a_constant_without_elements_is_known():
    """Exporters reshape to a scalar by an empty shape, which is stored without any bytes."""
    empty = TensorProto(name="s", dims=[0], data_type=I64)
    nodes = [helper.make_node("Reshape", ["x", "s"], ["y"])]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", F, (1,))],
        [helper.make_tensor_value_info("y", F, None)],
        [empty],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    assert shapes_of(load_graph(model.SerializeToString()))["y"] == ()


def test_weights_may_simply_be_left_out():
    """A network whose weights are gone has the same graph; a shape that is gone is missed."""

    def model(weight: TensorProto, *, shape: bool):
        nodes = [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Reshape", ["h", "s"], ["y"])]
        target = (
            numpy_helper.from_array(np.array([8, -1]), "s") if shape else TensorProto(name="s", dims=[2], data_type=I64)
        )
        graph = helper.make_graph(
            nodes, "g", [helper.make_tensor_value_info("x", F, (2, 8))],
            [helper.make_tensor_value_info("y", F, None)], [weight, target],
        )  # fmt: skip
        opsets = [helper.make_opsetid("", 17)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()

    without = TensorProto(name="w", dims=[8, 4], data_type=F)
    full = numpy_helper.from_array(np.ones((8, 4), np.float32), "w")
    assert load_graph(model(without, shape=True)) == load_graph(model(full, shape=True))
    with pytest.raises(InvalidModelError, match="holds 0 of the 2 values"):
        load_graph(model(without, shape=False))


def test_a_big_constant_takes_no_memory():
    shape = numpy_helper.from_array(np.array([12_000, 12_000]), "s")
    model = proto_of([helper.make_node("ConstantOfShape", ["s"], ["b"]), relu()], initializers=[shape])
    tracemalloc.start()
    load_graph(model.SerializeToString())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**22


NUMBERS = sorted(set(TensorProto.DataType.values()) - {TensorProto.UNDEFINED, TensorProto.STRING})


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("elements", [1, 3, 5, 8])
@pytest.mark.parametrize("code", NUMBERS)
def test_weights_of_every_type_are_counted_however_they_are_packed(code: int, elements: int, raw: bool) -> None:
    """Two or four elements share a byte in types of 4 and 2 bits; types of 6 are packed in raw data alone."""
    weight = helper.make_tensor("q", code, [elements], [1] * elements)
    if raw:
        weight = numpy_helper.from_array(numpy_helper.to_array(weight), "q")
    nodes = [helper.make_node("Shape", ["q"], ["n"]), helper.make_node("Tile", ["x", "n"], ["y"])]
    model = proto_of(nodes, shape=(2,), initializers=[weight])
    graph = load_graph(model.SerializeToString())
    assert sum(graph.parameters.values()) == elements
    short = proto_of(nodes, shape=(2,), initializers=[TensorProto.FromString(weight.SerializeToString())])
    short.graph.initializer[0].dims[0] = 8 * elements + 8
    with pytest.raises(InvalidModelError, match="'q' holds"):
        load_graph(short.SerializeToString())


def test_sparse_weights_count_as_the_dense_ones_that_a_runtime_makes_of_them() -> None:
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    values = numpy_helper.from_array(np.ones(5, np.float32), "w")
    places = numpy_helper.from_array(np.arange(5), "w_places")
    model = proto_of(nodes, shape=(2, 8))
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [8, 4]))
    graph = load_graph(model.SerializeToString())
    assert graph.parameters == {"float32": 8 * 4}
    assert graph.macs == 2 * 8 * 4

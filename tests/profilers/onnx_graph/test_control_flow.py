"""Branches, loops and scans: which bodies run, how often, and what comes out."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from latcast.schema import (
    InvalidModelError,
)
from profilers.onnx_graph import (
    load_graph,
)
from tests.profilers.onnx_graph.models import I64, F, made, shapes_of


def _branch(name, shape):
    weight = numpy_helper.from_array(np.ones(shape, np.float32), f"{name}_w")
    node = helper.make_node("MatMul", ["a", f"{name}_w"], [f"{name}_y"])
    return helper.make_graph(
        [node], name, [], [helper.make_tensor_value_info(f"{name}_y", F, None)], initializer=[weight]
    )


@pytest.mark.parametrize(("shape", "sizes"), [((2, 3), (2, 5)), ((2, 4), (2, 6))])
def test_a_branch_that_does_not_fit_cannot_run(shape, sizes):
    branches = {"then_branch": _branch("then", (3, 5)), "else_branch": _branch("other", (4, 6))}
    node = helper.make_node("If", ["c"], ["y"], **branches)
    model = made([node], [("c", TensorProto.BOOL, ()), ("a", F, ("n", "m"))], [("y", F)])
    graph = load_graph(model, shapes={"a": shape})
    assert graph.tensors[graph.outputs[0]].shape == sizes
    assert len(graph.nodes[0].bodies) == 1
    assert graph.macs == shape[0] * shape[1] * sizes[1]


def test_a_model_of_which_no_branch_fits_is_refused():
    branches = {"then_branch": _branch("then", (3, 5)), "else_branch": _branch("other", (4, 6))}
    node = helper.make_node("If", ["c"], ["y"], **branches)
    model = made([node], [("c", TensorProto.BOOL, ()), ("a", F, ("n", "m"))], [("y", F)])
    with pytest.raises(InvalidModelError, match="MatMul"):
        load_graph(model, shapes={"a": (2, 7)})


def _loop(trips, *, keep=True):
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("MatMul", ["c", "w"], ["c2"]),
         helper.make_node("Identity", ["c2"], ["out"])],
        "body",
        [helper.make_tensor_value_info("i", I64, []), helper.make_tensor_value_info("go", TensorProto.BOOL, []),
         helper.make_tensor_value_info("c", F, None)],
        [helper.make_tensor_value_info("go_on", TensorProto.BOOL, []), helper.make_tensor_value_info("c2", F, None),
         helper.make_tensor_value_info("out", F, None)],
    )  # fmt: skip
    node = helper.make_node("Loop", ["trips", "start", "x"], ["last", "all"], body=body)
    constants = [("trips", np.int64(trips)), ("start", np.bool_(keep)), ("w", np.ones((4, 4), np.float32))]
    return made([node], [("x", F, (2, 4))], [("last", F), ("all", F)], constants)


def test_loop_body_counts_once_for_each_trip():
    graph = load_graph(_loop(7))
    (node,) = graph.nodes
    (body,) = node.bodies
    assert node.trips == 7
    assert node.macs == 7 * 2 * 4 * 4 == 7 * body.macs
    assert shapes_of(graph)["all"] == (7, 2, 4)
    assert [body.tensors[at].name for at in body.outer] == ["w"]
    assert graph.parameter_bytes >= 64


def test_if_costs_its_dearer_branch():
    def branch(name, operator):
        output = helper.make_tensor_value_info(name, F, (2, 3))
        return helper.make_graph([helper.make_node(operator, ["x"], [name])], name, [], [output])

    node = helper.make_node("If", ["c"], ["y"], then_branch=branch("t", "Erf"), else_branch=branch("e", "Relu"))
    graph = load_graph(made([node], [("x", F, (2, 3)), ("c", TensorProto.BOOL, ())], [("y", F)]))
    erf, relu = (load_graph(made([helper.make_node(op, ["x"], ["y"])], [("x", F, (2, 3))], [("y", F)])).flops
                 for op in ("Erf", "Relu"))  # fmt: skip
    assert graph.flops == max(erf, relu) > relu
    assert graph.operators == {"If": 1, "Relu": 1, "Erf": 1}
    assert shapes_of(graph)["y"] == (2, 3)


def test_scan_runs_along_its_sequence():
    body = helper.make_graph(
        [helper.make_node("Add", ["s", "v"], ["s2"]), helper.make_node("Relu", ["s2"], ["o"])],
        "body",
        [helper.make_tensor_value_info("s", F, None), helper.make_tensor_value_info("v", F, None)],
        [helper.make_tensor_value_info("s2", F, None), helper.make_tensor_value_info("o", F, None)],
    )
    node = helper.make_node("Scan", ["s0", "x"], ["sn", "ys"], body=body, num_scan_inputs=1)
    graph = load_graph(made([node], [("s0", F, (3,)), ("x", F, (5, 3))], [("sn", F), ("ys", F)]))
    assert graph.nodes[0].trips == 5
    assert graph.nodes[0].flops == 5 * 6
    assert shapes_of(graph)["ys"] == (5, 3)


def test_scan_of_opset_8_has_batches_first():
    body = helper.make_graph(
        [helper.make_node("Add", ["s", "v"], ["s2"]), helper.make_node("Relu", ["s2"], ["o"])],
        "body",
        [helper.make_tensor_value_info(name, F, None) for name in ("s", "v")],
        [helper.make_tensor_value_info(name, F, None) for name in ("s2", "o")],
    )
    node = helper.make_node("Scan", ["", "s0", "x"], ["sn", "ys"], body=body, num_scan_inputs=1)
    inputs, outputs = [("s0", F, (2, 3)), ("x", F, (2, 5, 3))], [("sn", F), ("ys", F)]
    graph = load_graph(made([node], inputs, outputs, opset=8))
    assert (graph.nodes[0].trips, graph.nodes[0].flops) == (2 * 5, 2 * 5 * 6)
    assert (shapes_of(graph)["sn"], shapes_of(graph)["ys"]) == ((2, 3), (2, 5, 3))

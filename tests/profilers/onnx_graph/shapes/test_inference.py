"""Shapes and constants: against onnx's own inference, and where onnx gives up."""

import numpy as np
import pytest
from hypothesis import given, settings
from onnx import ModelProto, TensorProto, checker, helper, numpy_helper, shape_inference

from latcast.schema import InvalidModelError, UnboundDimensionError, UnsupportedOperatorError
from profilers.onnx_graph import bind_shapes, load_graph
from tests.strategies import onnx_protos


def _model(nodes, inputs, outputs, initializers=(), *, opset=17, domains=()):
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, dtype, shape) for name, dtype, shape in inputs],
        [helper.make_tensor_value_info(name, dtype, None) for name, dtype in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in initializers],
    )
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    return helper.make_model(graph, opset_imports=imports, ir_version=9).SerializeToString()


F, I64 = TensorProto.FLOAT, TensorProto.INT64


def _shapes(graph):
    return {tensor.name: tensor.shape for tensor in graph.tensors}


@settings(max_examples=60, deadline=None)
@given(onnx_protos())
def test_shapes_agree_with_onnx(proto: ModelProto):
    checker.check_model(proto)
    inferred = shape_inference.infer_shapes(proto, data_prop=True)
    graph = load_graph(proto.SerializeToString())
    ours = _shapes(graph)
    for info in (*inferred.graph.value_info, *inferred.graph.output):
        dims = tuple(dim.dim_value for dim in info.type.tensor_type.shape.dim)
        assert ours[info.name] == dims
    assert len(graph.nodes) == len(proto.graph.node)


def test_shape_arithmetic_is_folded():
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["n"]),
        helper.make_node("Unsqueeze", ["n", "axes"], ["n1"]),
        helper.make_node("Concat", ["n1", "minus"], ["target"], axis=0),
        helper.make_node("Reshape", ["x", "target"], ["y"]),
    ]
    constants = [("zero", np.int64(0)), ("axes", np.array([0])), ("minus", np.array([-1]))]
    graph = load_graph(_model(nodes, [("x", F, (2, 3, 4))], [("y", F)], constants))
    assert [node.operator for node in graph.nodes] == ["Reshape"]
    assert _shapes(graph)["y"] == (2, 12)


def test_big_constants_are_specs():
    nodes = [helper.make_node("ConstantOfShape", ["s"], ["big"]), helper.make_node("Add", ["x", "big"], ["y"])]
    graph = load_graph(_model(nodes, [("x", F, (1,))], [("y", F)], [("s", np.array([12_000, 12_000]))]))
    assert graph.parameter_bytes == 4 * 12_000 * 12_000
    assert [node.operator for node in graph.nodes] == ["Add"]


@pytest.mark.parametrize(
    ("operator", "inputs", "attributes", "expected"),
    [
        ("FusedConv", [(1, 3, 8, 8), (4, 3, 3, 3), (4,)], {"activation": "Relu", "pads": [1] * 4}, (1, 4, 8, 8)),
        ("FusedMatMul", [(2, 3, 5), (2, 7, 5)], {"transB": 1}, (2, 3, 7)),
        ("Gelu", [(2, 3)], {}, (2, 3)),
        ("BiasGelu", [(2, 3), (3,)], {}, (2, 3)),
        ("SkipLayerNormalization", [(2, 3, 4), (2, 3, 4), (4,), (4,)], {}, (2, 3, 4)),
        ("Attention", [(2, 5, 8), (8, 24), (24,)], {"num_heads": 2}, (2, 5, 8)),
        ("MultiHeadAttention", [(2, 5, 8), (2, 6, 8), (2, 6, 8)], {"num_heads": 2}, (2, 5, 8)),
        ("MatMulNBits", [(2, 5, 64), (10, 2, 16), (20,)], {"K": 64, "N": 10, "bits": 4, "block_size": 32}, (2, 5, 10)),
        ("NhwcMaxPool", [(1, 8, 8, 3)], {"kernel_shape": [2, 2], "strides": [2, 2]}, (1, 4, 4, 3)),
        ("GroupQueryAttention", [(1, 5, 32), (1, 5, 16), (1, 5, 16)], {"num_heads": 4, "kv_num_heads": 2}, (1, 5, 32)),
        ("PackedAttention", [(7, 8), (8, 24), (24,)], {"num_heads": 2}, (7, 8)),
        ("GatedRelativePositionBias", [(2, 5, 8)], {"num_heads": 2}, (2, 2, 5, 5)),
        ("TorchEmbedding", [(100, 16), (2, 5)], {}, (2, 5, 16)),
        ("QLinearReduceMean", [(2, 3, 4, 4)], {"axes": [2, 3], "keepdims": 0}, (2, 3)),
        ("BiasSplitGelu", [(2, 9, 8), (8,)], {}, (2, 9, 4)),
        ("CDist", [(5, 3), (7, 3)], {}, (5, 7)),
        ("UnfoldTensor", [(2, 10)], {"size": 4, "step": 2}, (2, 4, 4)),
        ("Rfft", [(2, 16)], {"signal_ndim": 1, "onesided": 1, "normalized": 0}, (2, 9, 2)),
        ("NoSuchOperator", [(2, 3)], {}, None),
    ],
)
def test_fused_operators(operator, inputs, attributes, expected):
    names = [f"x{at}" for at in range(len(inputs))]
    node = helper.make_node(operator, names, ["y"], domain="com.microsoft", **attributes)
    data = [(name, F, shape) for name, shape in zip(names, inputs, strict=True)]
    graph = load_graph(_model([node], data, [("y", F)], domains=["com.microsoft"]))
    assert _shapes(graph)["y"] == expected


@pytest.mark.parametrize(
    ("operator", "shape", "attributes", "expected"),
    [
        ("QLinearGlobalAveragePool", (1, 16, 7, 7), {}, (1, 16, 1, 1)),
        ("QLinearGlobalAveragePool", (1, 7, 7, 16), {"channels_last": 1}, (1, 1, 1, 16)),
        ("QLinearAveragePool", (1, 16, 8, 8), {"kernel_shape": [2, 2], "strides": [2, 2]}, (1, 16, 4, 4)),
    ],
)
@pytest.mark.parametrize("dtype", [TensorProto.UINT8, TensorProto.INT8])
def test_pools_in_8_bits(operator, shape, attributes, expected, dtype):
    zero = np.uint8(0) if dtype == TensorProto.UINT8 else np.int8(0)
    node = helper.make_node(operator, ["x", "s", "z", "s", "z"], ["y"], domain="com.microsoft", **attributes)
    constants = [("s", np.float32(0.1)), ("z", zero)]
    graph = load_graph(_model([node], [("x", dtype, shape)], [("y", dtype)], constants, domains=["com.microsoft"]))
    assert _shapes(graph)["y"] == expected
    assert graph.tensors[graph.outputs[0]].dtype == graph.tensors[graph.inputs[0]].dtype


def test_initializers_that_are_inputs_are_constants_until_version_4_of_the_format():
    weight = numpy_helper.from_array(np.ones((8, 4), np.float32), "w")
    x, y = helper.make_tensor_value_info("x", F, (2, 8)), helper.make_tensor_value_info("y", F, None)
    given = helper.make_tensor_value_info("w", F, (8, 4))

    def load(version: int, *, listed: bool):
        node = helper.make_node("MatMul", ["x", "w"], ["y"])
        graph = helper.make_graph([node], "g", [x, given] if listed else [x], [y], [weight])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=version)
        return load_graph(model.SerializeToString())

    plain = load(9, listed=False)
    assert load(3, listed=True) == plain
    overridable = load(9, listed=True)
    assert [graph.tensors[at].name for graph in (plain, overridable) for at in graph.inputs] == ["x", "x"]
    assert (len(plain.initializers), plain.outer) == (1, ())
    assert (len(overridable.initializers), [overridable.tensors[at].name for at in overridable.outer]) == (0, ["w"])
    assert overridable.hash != plain.hash


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
    assert _shapes(load_graph(model.SerializeToString()))["y"] == ()


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


def test_data_dependent_shapes_are_none():
    nodes = [helper.make_node("NonZero", ["x"], ["i"]), helper.make_node("Transpose", ["i"], ["y"])]
    graph = load_graph(_model(nodes, [("x", F, (3, 4))], [("y", I64)]))
    assert _shapes(graph)["i"] is None
    assert _shapes(graph)["y"] is None


def test_shapes_flow_past_what_onnx_does_not_know():
    nodes = [
        helper.make_node("FastGelu", ["x"], ["g"], domain="com.microsoft"),
        helper.make_node("MatMul", ["g", "w"], ["y"]),
    ]
    model = _model(
        nodes, [("x", F, (2, 3))], [("y", F)], [("w", np.ones((3, 5), np.float32))], domains=["com.microsoft"]
    )
    assert _shapes(load_graph(model))["y"] == (2, 5)


def _dynamic():
    node = helper.make_node("Add", ["a", "b"], ["y"])
    return _model([node], [("a", F, ("n", 3)), ("b", F, (1, "m"))], [("y", F)])


def test_unbound_dimensions_are_listed():
    with pytest.raises(UnboundDimensionError) as caught:
        load_graph(_dynamic())
    assert caught.value.dimensions == (("a", 0, "n"), ("b", 1, "m"))


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        ({"c": (1,)}, "no input"),
        ({"a": (1, 3, 1)}, "2 dimensions"),
        ({"a": (2, 4)}, "fixes a\\[1\\] at 3"),
        ({"a": (-1, 3)}, "no integer in"),
        ({"a": (2**40, 3)}, "no integer in"),
    ],
)
def test_bad_shapes_are_explained(shapes, words):
    with pytest.raises(InvalidModelError, match=words):
        load_graph(_dynamic(), shapes=shapes)


def test_binding_gives_the_same_graph_as_static_shapes():
    shapes = {"a": (2, 3), "b": (1, 3)}
    bound = bind_shapes(_dynamic(), shapes)
    assert load_graph(bound) == load_graph(_dynamic(), shapes=shapes)


def test_a_size_may_be_zero_as_of_a_cache_that_is_empty_yet():
    node = helper.make_node("Concat", ["past", "now"], ["y"], axis=0)
    model = _model([node], [("past", F, ("n", 4)), ("now", F, (1, 4))], [("y", F)])
    assert _shapes(load_graph(model, shapes={"past": (0, 4)}))["y"] == (1, 4)


def test_one_symbol_has_one_size():
    node = helper.make_node("Add", ["a", "b"], ["y"])
    model = _model([node], [("a", F, ("n",)), ("b", F, ("n",))], [("y", F)])
    with pytest.raises(InvalidModelError, match="one symbol has one size"):
        load_graph(model, shapes={"a": (2,), "b": (1,)})


@pytest.mark.parametrize("symbol", ["?", "-1", "unk", "None"])
def test_a_symbol_that_names_nothing_may_have_many_sizes(symbol):
    node = helper.make_node("Relu", ["a"], ["y"])
    model = _model([node], [("a", F, (symbol, symbol))], [("y", F)])
    assert load_graph(model, shapes={"a": (2, 3)}).tensors[0].shape == (2, 3)


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
    model = _model([node], [("c", TensorProto.BOOL, ()), ("a", F, ("n", "m"))], [("y", F)])
    graph = load_graph(model, shapes={"a": shape})
    assert graph.tensors[graph.outputs[0]].shape == sizes
    assert len(graph.nodes[0].bodies) == 1
    assert graph.macs == shape[0] * shape[1] * sizes[1]


def test_a_model_of_which_no_branch_fits_is_refused():
    branches = {"then_branch": _branch("then", (3, 5)), "else_branch": _branch("other", (4, 6))}
    node = helper.make_node("If", ["c"], ["y"], **branches)
    model = _model([node], [("c", TensorProto.BOOL, ()), ("a", F, ("n", "m"))], [("y", F)])
    with pytest.raises(InvalidModelError, match="MatMul"):
        load_graph(model, shapes={"a": (2, 7)})


def test_misfitting_shapes_name_the_node():
    node = helper.make_node("MatMul", ["a", "b"], ["y"], name="proj")
    with pytest.raises(InvalidModelError, match="'proj'"):
        load_graph(_model([node], [("a", F, (2, 3)), ("b", F, (4, 5))], [("y", F)]))


def test_unknown_operators_are_named():
    node = helper.make_node("Frobnicate", ["a"], ["y"])
    with pytest.raises(UnsupportedOperatorError, match="Frobnicate"):
        load_graph(_model([node], [("a", F, (2, 3))], [("y", F)]))


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
    return _model([node], [("x", F, (2, 4))], [("last", F), ("all", F)], constants)


def test_loop_body_counts_once_for_each_trip():
    graph = load_graph(_loop(7))
    (node,) = graph.nodes
    (body,) = node.bodies
    assert node.trips == 7
    assert node.macs == 7 * 2 * 4 * 4 == 7 * body.macs
    assert _shapes(graph)["all"] == (7, 2, 4)
    assert [body.tensors[at].name for at in body.outer] == ["w"]
    assert graph.parameter_bytes >= 64


def test_if_costs_its_dearer_branch():
    def branch(name, operator):
        output = helper.make_tensor_value_info(name, F, (2, 3))
        return helper.make_graph([helper.make_node(operator, ["x"], [name])], name, [], [output])

    node = helper.make_node("If", ["c"], ["y"], then_branch=branch("t", "Erf"), else_branch=branch("e", "Relu"))
    graph = load_graph(_model([node], [("x", F, (2, 3)), ("c", TensorProto.BOOL, ())], [("y", F)]))
    erf, relu = (load_graph(_model([helper.make_node(op, ["x"], ["y"])], [("x", F, (2, 3))], [("y", F)])).flops
                 for op in ("Erf", "Relu"))  # fmt: skip
    assert graph.flops == max(erf, relu) > relu
    assert graph.operators == {"If": 1, "Relu": 1, "Erf": 1}
    assert _shapes(graph)["y"] == (2, 3)


def test_scan_runs_along_its_sequence():
    body = helper.make_graph(
        [helper.make_node("Add", ["s", "v"], ["s2"]), helper.make_node("Relu", ["s2"], ["o"])],
        "body",
        [helper.make_tensor_value_info("s", F, None), helper.make_tensor_value_info("v", F, None)],
        [helper.make_tensor_value_info("s2", F, None), helper.make_tensor_value_info("o", F, None)],
    )
    node = helper.make_node("Scan", ["s0", "x"], ["sn", "ys"], body=body, num_scan_inputs=1)
    graph = load_graph(_model([node], [("s0", F, (3,)), ("x", F, (5, 3))], [("sn", F), ("ys", F)]))
    assert graph.nodes[0].trips == 5
    assert graph.nodes[0].flops == 5 * 6
    assert _shapes(graph)["ys"] == (5, 3)


def test_local_functions_are_inlined():
    function = helper.make_function(
        "mine", "Twice", ["a"], ["b"], [helper.make_node("Add", ["a", "a"], ["b"])], [helper.make_opsetid("", 17)]
    )
    graph = helper.make_graph(
        [helper.make_node("Twice", ["x"], ["y"], domain="mine")], "g",
        [helper.make_tensor_value_info("x", F, (2,))], [helper.make_tensor_value_info("y", F, (2,))],
    )  # fmt: skip
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]
    model = helper.make_model(graph, functions=[function], opset_imports=imports, ir_version=9)
    assert load_graph(model.SerializeToString()).operators == {"Add": 1}

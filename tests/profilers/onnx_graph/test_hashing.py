"""What enters the content hash, and what does not."""

import copy

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnx import AttributeProto, ModelProto, TensorProto, helper, numpy_helper

from profilers.onnx_graph import load_graph, refill_weights, strip_weights
from tests.strategies import onnx_protos

_SETTINGS = settings(max_examples=40, deadline=None)
F = TensorProto.FLOAT


def _hash(proto: ModelProto) -> str:
    return load_graph(proto.SerializeToString()).hash


def _renamed(proto: ModelProto) -> ModelProto:
    """Every tensor and node under another name, bodies included."""
    proto = copy.deepcopy(proto)
    names: dict[str, str] = {}

    def new(name: str) -> str:
        return names.setdefault(name, f"other{len(names)}") if name else name

    def rename(graph) -> None:
        for item in (*graph.input, *graph.output, *graph.initializer):
            item.name = new(item.name)
        for node in graph.node:
            node.name = new(node.name)
            node.input[:] = [new(name) for name in node.input]
            node.output[:] = [new(name) for name in node.output]
            for attribute in node.attribute:
                if attribute.type == AttributeProto.GRAPH:
                    rename(attribute.g)

    rename(proto.graph)
    return proto


def _shuffled(proto: ModelProto, draw) -> ModelProto:
    """The nodes in another topological order."""
    proto = copy.deepcopy(proto)
    waiting = list(proto.graph.node)
    known = {item.name for item in (*proto.graph.input, *proto.graph.initializer)} | {""}
    order = []
    while waiting:
        ready = [node for node in waiting if _reads(node) <= known]
        node = draw(st.sampled_from(ready))
        waiting = [other for other in waiting if other is not node]
        known |= set(node.output)
        order.append(copy.deepcopy(node))
    del proto.graph.node[:]
    proto.graph.node.extend(order)
    proto.graph.initializer.sort(key=lambda tensor: tensor.name[::-1])
    return proto


def _reads(node) -> set[str]:
    bodies = [item.g for item in node.attribute if item.type == AttributeProto.GRAPH]
    return set(node.input) | {name for body in bodies for inner in body.node for name in inner.input}


@_SETTINGS
@given(onnx_protos(), st.data())
def test_names_and_node_order_do_not_enter(proto: ModelProto, data: st.DataObject):
    assert _hash(_shuffled(_renamed(proto), data.draw)) == _hash(proto)


@_SETTINGS
@given(onnx_protos())
def test_weights_do_not_enter_and_stripping_keeps_the_hash(proto: ModelProto):
    model = proto.SerializeToString()
    stripped = strip_weights(model)
    assert load_graph(stripped).hash == load_graph(model).hash
    assert load_graph(refill_weights(stripped, seed=3)).hash == load_graph(model).hash


@_SETTINGS
@given(onnx_protos(), st.data())
def test_operators_and_attributes_enter(proto: ModelProto, data: st.DataObject):
    before = _hash(proto)
    unary = ("Relu", "Sigmoid", "Tanh", "HardSwish", "Abs", "Exp", "Softmax")
    node = data.draw(st.sampled_from([node for node in proto.graph.node if node.op_type in unary]))
    if data.draw(st.booleans()):
        node.op_type = "Neg"
    else:
        node.op_type = "LeakyRelu"
        before = _hash(proto)
        node.attribute.append(helper.make_attribute("alpha", 0.25))
    assert _hash(proto) != before


@_SETTINGS
@given(onnx_protos(), st.integers(0, 3))
def test_input_shapes_enter(proto: ModelProto, axis: int):
    before = _hash(proto)
    dims = proto.graph.input[0].type.tensor_type.shape.dim
    dims[axis % len(dims)].dim_value += 1
    try:
        after = _hash(proto)
    except Exception:  # noqa: BLE001 - as above
        assume(False)
    assert after != before


def _model(nodes, inputs=(("x", (2, 6)),), outputs=("y",), constants=(), opset=17):
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info(name, F, shape) for name, shape in inputs],
        [helper.make_tensor_value_info(name, F, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


def _node(operator, inputs, outputs, **attributes):
    return helper.make_node(operator, inputs.split(), outputs.split(), **attributes)


_QDQ = [_node("QuantizeLinear", "x s z", "q"), _node("DequantizeLinear", "q s z", "y")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (_model([_node("Reshape", "x s", "y")], constants=[("s", np.array([3, 4]))]),
         _model([_node("Reshape", "x s", "y")], constants=[("s", np.array([4, 3]))])),
        (_model([_node("Gather", "x i", "y")], constants=[("i", np.array([0]))]),
         _model([_node("Gather", "x i", "y")], constants=[("i", np.array([1]))])),
        (_model(_QDQ, constants=[("s", np.float32(0.1)), ("z", np.uint8(0))]),
         _model(_QDQ, constants=[("s", np.float32(0.2)), ("z", np.uint8(0))])),
        (_model(_QDQ, constants=[("s", np.float32(0.1)), ("z", np.uint8(0))]),
         _model(_QDQ, constants=[("s", np.float32(0.1)), ("z", np.uint8(3))])),
        (_model([_node("Pow", "x e", "y")], constants=[("e", np.float32(2))]),
         _model([_node("Pow", "x e", "y")], constants=[("e", np.float32(0.3))])),
        (_model([_node("MatMul", "x w", "y")], constants=[("w", np.ones((6, 4), np.float32))]),
         _model([_node("MatMul", "x w", "y")], constants=[("w", np.ones((6, 5), np.float32))])),
        (_model([_node("Relu", "x", "y"), _node("Relu", "x", "dead")]), _model([_node("Relu", "x", "y")])),
        (_model([_node("Relu", "x", "y"), _node("Relu", "x", "d"), _node("Relu", "x", "e")]),
         _model([_node("Relu", "x", "y"), _node("Relu", "x", "d")])),
        (_model([_node("Relu", "x", "a"), _node("Relu", "x", "b"), _node("Abs", "a", "y"), _node("Exp", "b", "z")],
                outputs=("y", "z")),
         _model([_node("Relu", "x", "a"), _node("Relu", "x", "b"), _node("Abs", "a", "y"), _node("Exp", "a", "z")],
                outputs=("y", "z"))),
        (_model([_node("Sub", "x w", "y")], (("x", (2,)), ("w", (2,)))),
         _model([_node("Sub", "x w", "y")], (("w", (2,)), ("x", (2,))))),
        (_model([_node("Relu", "x", "y"), _node("Abs", "x", "z")], outputs=("y", "z")),
         _model([_node("Relu", "x", "y"), _node("Abs", "x", "z")], outputs=("z", "y"))),
        (_model([_node("Softmax", "x", "y")], opset=12), _model([_node("Softmax", "x", "y")], opset=13)),
        (_model([_node("Softmax", "x", "y", axis=0)]), _model([_node("Softmax", "x", "y", axis=1)])),
    ],
    ids=["shape", "index", "scale", "zero point", "exponent", "weight shape", "dead", "dead twice", "sharing",
         "input order", "output order", "opset", "attribute"],
)  # fmt: skip
def test_what_enters(one: ModelProto, other: ModelProto):
    assert _hash(one) != _hash(other)


def test_constant_nodes_are_initializers():
    tensor = numpy_helper.from_array(np.array([3, 4]))
    constant = helper.make_node("Constant", [], ["s"], value=tensor)
    listed = helper.make_node("Constant", [], ["s"], value_ints=[3, 4])
    reshape = _node("Reshape", "x s", "y")
    stored = _model([reshape], constants=[("s", np.array([3, 4]))])
    assert _hash(_model([constant, reshape])) == _hash(_model([listed, reshape])) == _hash(stored)


def test_the_hash_is_stable():
    """Stored hashes would lose their rows if this changed without a new HASH_VERSION."""
    nodes = [_node("MatMul", "x w", "h"), _node("LeakyRelu", "h", "y", alpha=0.5)]
    model = _model(nodes, constants=[("w", np.ones((6, 4), np.float32))])
    assert _hash(model) == "g1-2ef675d544f96a40822569d3a8ce647b2c5a39934e736576d0ff5b3190c56784"

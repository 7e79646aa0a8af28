"""ONNX is hostile until proven otherwise: every refusal is an InputError that says why."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper, numpy_helper

from latcast.schema import Graph, InputError, InvalidModelError, ModelLimitError, UnsupportedOperatorError
from profilers.onnx_graph import Limits, load_graph, placeholder, refill_weights, strip_weights
from tests.strategies import onnx_models

F = TensorProto.FLOAT


def _proto(nodes, *, shape=(2, 3), initializers=(), outputs=("y",)) -> ModelProto:
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", F, shape)],
        [helper.make_tensor_value_info(name, F, None) for name in outputs], list(initializers),
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def _relu(read="x", made="y", **attributes):
    return helper.make_node("Relu", [read], [made], **attributes)


def _external(location: str) -> TensorProto:
    tensor = TensorProto(name="w", dims=[3], data_type=F, data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    return tensor


def _nested(depth: int):
    node = _relu(made="deep")
    for at in range(depth):
        name = node.output[0]
        body = helper.make_graph([node], "b", [], [helper.make_tensor_value_info(name, F, None)])
        other = helper.make_graph([_relu(made=f"e{at}")], "b", [], [helper.make_tensor_value_info(f"e{at}", F, None)])
        node = helper.make_node(
            "If", ["c"], ["y" if at == depth - 1 else f"i{at}"], then_branch=body, else_branch=other
        )
    return node


def _calling(*calls: tuple[str, tuple[str, ...]]) -> ModelProto:
    """Local functions, each of which calls those named, one after the other."""
    model = _proto([helper.make_node(calls[0][0], ["x"], ["y"], domain="mine")])
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]
    for name, called in calls:
        names = ["a", *(f"t{at}" for at in range(len(called) - 1)), "b"]
        nodes = [helper.make_node(other, [names[at]], [names[at + 1]], domain="mine" if other[0] == "f" else "")
                 for at, other in enumerate(called)]  # fmt: skip
        model.functions.append(helper.make_function("mine", name, ["a"], ["b"], nodes, imports))
    model.opset_import.append(helper.make_opsetid("mine", 1))
    return model


def _many_nodes() -> ModelProto:
    return _proto([_relu("x", "t0"), *(_relu(f"t{at}", f"t{at + 1}") for at in range(100_000))], outputs=("t1",))


_TRUE = numpy_helper.from_array(np.asarray(True), "c")
_SHAPE = numpy_helper.from_array(np.array([2**20, 2**20]), "s")
_EXPLOSION = [(f"f{at}", (f"f{at + 1}",) * 4) for at in range(12)]

CASES = {
    "absolute": (_proto([_relu()], initializers=[_external("/etc/passwd")]), "another file"),
    "parent": (_proto([_relu()], initializers=[_external("../../secret")]), "another file"),
    "in an attribute": (
        _proto([helper.make_node("Constant", [], ["w"], value=_external("x.bin")), _relu()]), "another file"),
    "bomb": (
        _proto([helper.make_node("ConstantOfShape", ["s"], ["b"]), _relu()], initializers=[_SHAPE]), "tensor_bytes"),
    "nested": (_proto([_nested(20)], initializers=[_TRUE]), "depth"),
    "cycle": (_proto([helper.make_node("Add", ["x", "b"], ["a"]), _relu("a", "b"), _relu("b")]), "cycle"),
    "dangling": (_proto([_relu("nowhere")]), "'nowhere'"),
    "dangling output": (_proto([_relu()], outputs=("nowhere",)), "'nowhere'"),
    "twice": (_proto([_relu(), _relu()]), "two tensors"),
    "huge dims": (_proto([_relu()], shape=(2**62, 4)), "no size in"),
    "negative dims": (_proto([_relu()], shape=(-3, 4)), "no size in"),
    "overflow": (_proto([_relu()], initializers=[placeholder("w", (2**62, 2**62))]), "tensor_bytes"),
    "rank": (_proto([_relu()], shape=(1,) * 100), "rank"),
    "long name": (_proto([_relu(made="y" * 2**20), _relu()]), "name_bytes"),
    "control characters": (_proto([_relu(name="a\x1b[31m")]), "control characters"),
    "recursion": (_calling(("f0", ("f1",)), ("f1", ("f0",))), "calls itself"),
    "explosion": (_calling(*_EXPLOSION, ("f12", ("Relu",))), "nodes"),
    "lying size": (
        _proto([_relu()], initializers=[TensorProto(name="w", dims=[9], data_type=F, raw_data=b"1234")]), "holds 4"),
    "no type": (_proto([_relu()], initializers=[TensorProto(name="w", dims=[1], data_type=99)]), "element type 99"),
    "big product": (_proto([helper.make_node("MatMul", ["l", "r"], ["y"])], initializers=[
        placeholder("l", (2**20, 1)), placeholder("r", (1, 2**20))]), "tensor_bytes"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_attacks_are_refused(name: str):
    proto, words = CASES[name]
    with pytest.raises(InvalidModelError, match=words):
        load_graph(proto.SerializeToString())


def test_too_many_nodes_are_refused():
    with pytest.raises(ModelLimitError, match=r"nodes = 100,000"):
        load_graph(_many_nodes().SerializeToString())


def test_unknown_domains_are_refused():
    with pytest.raises(UnsupportedOperatorError, match=r"evil\.org"):
        load_graph(_proto([_relu(), helper.make_node("Do", ["x"], ["z"], domain="evil.org")]).SerializeToString())


@pytest.mark.parametrize("data", [b"", b"\x00", b"not a model at all", b"\x08\x09", bytes(1000)])
def test_other_bytes_are_refused(data: bytes):
    with pytest.raises(InvalidModelError):
        load_graph(data)


def test_limits_name_themselves():
    with pytest.raises(ModelLimitError, match="model_bytes") as caught:
        load_graph(bytes(100), limits=Limits(model_bytes=10))
    assert caught.value.limit == "model_bytes"
    assert caught.value.allowed == 10


def _either(model: bytes) -> None:
    """A graph or an InputError, never anything else; stripping and refilling neither."""
    try:
        assert isinstance(load_graph(model), Graph)
        refill_weights(strip_weights(model))
    except InputError:
        return


def test_truncated_models_are_handled_at_every_length():
    weights = numpy_helper.from_array(np.ones((2, 3, 3, 3), np.float32), "w")
    nodes = [helper.make_node("Conv", ["x", "w"], ["t"], pads=[1] * 4), _relu("t")]
    model = _proto(nodes, shape=(1, 3, 4, 4), initializers=[weights]).SerializeToString()
    for length in range(len(model)):
        _either(model[:length])


@settings(max_examples=150, deadline=None)
@given(
    onnx_models(max_nodes=5), st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), min_size=1, max_size=8)
)
def test_flipped_bytes_give_a_graph_or_an_error(model: bytes, flips: list[tuple[int, int]]):
    damaged = bytearray(strip_weights(model))
    for at, value in flips:
        damaged[at % len(damaged)] = value
    _either(bytes(damaged))


def test_a_big_constant_takes_no_memory():
    shape = numpy_helper.from_array(np.array([12_000, 12_000]), "s")
    model = _proto([helper.make_node("ConstantOfShape", ["s"], ["b"]), _relu()], initializers=[shape])
    tracemalloc.start()
    load_graph(model.SerializeToString())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**22

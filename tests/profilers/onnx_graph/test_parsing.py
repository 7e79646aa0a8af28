"""ONNX is hostile until proven otherwise: every refusal is an InputError that says why."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, defs, helper, numpy_helper

from latcast.schema import Graph, InputError, InvalidModelError, ModelLimitError, UnsupportedOperatorError
from profilers.onnx_graph import load_graph, placeholder, refill_weights, strip_weights
from tests.profilers.onnx_graph.models import F, proto_of, relu
from tests.strategies import onnx_models


def _external(location: str) -> TensorProto:
    tensor = TensorProto(name="w", dims=[3], data_type=F, data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    return tensor


def _nested(depth: int):
    node = relu(made="deep")
    for at in range(depth):
        name = node.output[0]
        body = helper.make_graph([node], "b", [], [helper.make_tensor_value_info(name, F, None)])
        other = helper.make_graph([relu(made=f"e{at}")], "b", [], [helper.make_tensor_value_info(f"e{at}", F, None)])
        node = helper.make_node(
            "If", ["c"], ["y" if at == depth - 1 else f"i{at}"], then_branch=body, else_branch=other
        )
    return node


def _many_nodes() -> ModelProto:
    return proto_of([relu("x", "t0"), *(relu(f"t{at}", f"t{at + 1}") for at in range(100_000))], outputs=("t1",))


_TRUE = numpy_helper.from_array(np.asarray(True), "c")
_SHAPE = numpy_helper.from_array(np.array([2**20, 2**20]), "s")

CASES = {
    "absolute": (proto_of([relu()], initializers=[_external("/etc/passwd")]), "another file"),
    "parent": (proto_of([relu()], initializers=[_external("../../secret")]), "another file"),
    "in an attribute": (
        proto_of([helper.make_node("Constant", [], ["w"], value=_external("x.bin")), relu()]), "another file"),
    "bomb": (
        proto_of([helper.make_node("ConstantOfShape", ["s"], ["b"]), relu()], initializers=[_SHAPE]), "tensor_bytes"),
    "nested": (proto_of([_nested(20)], initializers=[_TRUE]), "depth"),
    "cycle": (proto_of([helper.make_node("Add", ["x", "b"], ["a"]), relu("a", "b"), relu("b")]), "cycle"),
    "dangling": (proto_of([relu("nowhere")]), "'nowhere'"),
    "no output": (proto_of([relu()], outputs=()), "has no output"),
    "dangling output": (proto_of([relu()], outputs=("nowhere",)), "'nowhere'"),
    "twice": (proto_of([relu(), relu()]), "two tensors"),
    "huge dims": (proto_of([relu()], shape=(2**62, 4)), "no size in"),
    "negative dims": (proto_of([relu()], shape=(-3, 4)), "no size in"),
    "overflow": (proto_of([relu()], initializers=[placeholder("w", (2**62, 2**62))]), "weight_bytes"),
    "rank": (proto_of([relu()], shape=(1,) * 100), "rank"),
    "long name": (proto_of([relu(made="y" * 2**20), relu()]), "name_bytes"),
    "control characters": (proto_of([relu(name="a\x1b[31m")]), "control characters"),
    "lying size": (
        proto_of([relu()], initializers=[TensorProto(name="w", dims=[9], data_type=F, raw_data=b"1234")]), "holds 4"),
    "no type": (proto_of([relu()], initializers=[TensorProto(name="w", dims=[1], data_type=99)]), "element type 99"),
    "big product": (proto_of([helper.make_node("MatMul", ["l", "r"], ["y"])], initializers=[
        placeholder("l", (2**20, 1)), placeholder("r", (1, 2**20))]), "weight_bytes"),
}  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        "a b",
        "a\xa0b",
        "\u5c64\u3000\uff11",
        "\U0001f469\u200d\U0001f4bb",
        "\u0646\u200c\u0645",
        "\ue000",
        "[red]a=b:0[/]",
    ],
)
def test_names_of_any_script_are_read(name: str):
    proto = proto_of([relu(made=name, name=name), relu(name)])
    assert name in [tensor.name for tensor in load_graph(proto.SerializeToString()).tensors]


@pytest.mark.parametrize("character", ["\n", "\t", "\x7f", "\x9b", "\u202e", "\u2028", "\ufeff"])
def test_characters_that_act_are_refused_in_names_and_shown_as_escapes(character: str):
    proto = proto_of([relu(name=f"a\xa0{character}b")])
    with pytest.raises(InvalidModelError, match=r"control characters: .*Rename it") as caught:
        load_graph(proto.SerializeToString())
    assert character not in str(caught.value)


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
        load_graph(proto_of([relu(), helper.make_node("Do", ["x"], ["z"], domain="evil.org")]).SerializeToString())


@pytest.mark.parametrize("data", [b"", b"\x00", b"not a model at all", b"\x08\x09", bytes(1000)])
def test_other_bytes_are_refused(data: bytes):
    with pytest.raises(InvalidModelError):
        load_graph(data)


def _either(model: bytes) -> None:
    """A graph or an InputError, never anything else; stripping and refilling neither."""
    try:
        assert isinstance(load_graph(model), Graph)
        refill_weights(strip_weights(model))
    except InputError:
        return


def test_truncated_models_are_handled_at_every_length():
    weights = numpy_helper.from_array(np.ones((2, 3, 3, 3), np.float32), "w")
    nodes = [helper.make_node("Conv", ["x", "w"], ["t"], pads=[1] * 4), relu("t")]
    model = proto_of(nodes, shape=(1, 3, 4, 4), initializers=[weights]).SerializeToString()
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


@pytest.mark.parametrize(("domain", "said"), [("", "ai.onnx"), ("ai.onnx", "ai.onnx"), ("ai.onnx.ml", "ai.onnx.ml")])
def test_an_operator_set_of_the_future_is_refused(domain: str, said: str) -> None:
    """Also one that no node is of: runtimes refuse the file for it."""
    newest = defs.C.schema_version_map()["" if domain == "ai.onnx" else domain][1]
    for version, refused in ((newest, False), (newest + 1, True), (99, True)):
        model = proto_of([relu()])
        kept = [
            entry for entry in model.opset_import if entry.domain != domain and (domain != "ai.onnx" or entry.domain)
        ]
        del model.opset_import[:]
        model.opset_import.extend([*kept, helper.make_opsetid(domain, version)])
        if not refused:
            assert load_graph(model.SerializeToString()).nodes[0].operator == "Relu"
            continue
        with pytest.raises(
            InvalidModelError, match=f"version {version} of the operator set {said}, but the newest that"
        ):
            load_graph(model.SerializeToString())


def test_operator_sets_that_no_standard_numbers_have_any_version() -> None:
    model = proto_of([relu()])
    model.opset_import.append(helper.make_opsetid("com.microsoft", 99))
    assert load_graph(model.SerializeToString()).nodes

"""Local functions are inlined; those that recurse or explode are refused first."""

import pytest
from onnx import ModelProto, helper

from latcast.schema import InvalidModelError
from profilers.onnx_graph import Limits, load_graph
from profilers.onnx_graph.functions import inline_functions
from profilers.onnx_graph.parsing import parse_model
from tests.profilers.onnx_graph.models import F, proto_of, relu


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


def _calling(*calls: tuple[str, tuple[str, ...]]) -> ModelProto:
    """Local functions, each of which calls those named, one after the other."""
    model = proto_of([helper.make_node(calls[0][0], ["x"], ["y"], domain="mine")])
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]
    for name, called in calls:
        names = ["a", *(f"t{at}" for at in range(len(called) - 1)), "b"]
        nodes = [helper.make_node(other, [names[at]], [names[at + 1]], domain="mine" if other[0] == "f" else "")
                 for at, other in enumerate(called)]  # fmt: skip
        model.functions.append(helper.make_function("mine", name, ["a"], ["b"], nodes, imports))
    model.opset_import.append(helper.make_opsetid("mine", 1))
    return model


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (_calling(("f0", ("f1",)), ("f1", ("f0",))), "calls itself"),
        (_calling(("f0", ("Relu",)), ("f1", ("f1",))), "calls itself"),
        (_calling(*((f"f{at}", (f"f{at + 1}",) * 4) for at in range(12)), ("f12", ("Relu",))), "nodes"),
        (_calling(*((f"f{at}", (f"f{at + 1}",)) for at in range(20)), ("f20", ("Relu",))), "depth"),
    ],
)
def test_functions_that_recurse_or_explode_are_refused(model: ModelProto, words: str):
    with pytest.raises(InvalidModelError, match=words):
        load_graph(model.SerializeToString())


def test_a_model_without_functions_stays_as_it_is():
    source = parse_model(proto_of([relu()]).SerializeToString(), Limits())
    assert inline_functions(source, Limits()) is source

"""Records of a model: tensors, inputs that callers feed, and all bodies."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from profilers.onnx_graph import Limits, placeholder
from profilers.onnx_graph.parsing import parse_model
from profilers.onnx_graph.source import Source, SourceTensor, walk_graphs
from tests.profilers.onnx_graph.models import F, proto_of, relu


def tensor(proto: TensorProto) -> SourceTensor:
    return SourceTensor(proto, proto.name, tuple(proto.dims))


def read(*args: object, **more: object) -> Source:
    return parse_model(proto_of(*args, **more).SerializeToString(), Limits())


def test_a_tensor_knows_its_values_where_they_are_few() -> None:
    small = tensor(numpy_helper.from_array(np.array([1, 2, 3]), "s"))
    assert small.filled
    assert small.data is not None
    assert small.data.tolist() == [1, 2, 3]
    assert small.key == np.array([1, 2, 3]).tobytes()
    large = tensor(numpy_helper.from_array(np.ones(5000, np.float32), "l"))
    assert (large.data, large.key, large.is_float) == (None, None, True)


def test_a_placeholder_has_a_role_and_no_values() -> None:
    stripped = tensor(placeholder("w", (3, 4), role="scale"))
    assert (stripped.filled, stripped.role, stripped.elements) == (False, "scale", 12)
    assert stripped.data is None


def test_callers_feed_what_is_not_stored() -> None:
    weight = numpy_helper.from_array(np.ones(3, np.float32), "w")
    proto = proto_of([helper.make_node("Add", ["x", "w"], ["y"])], initializers=[weight])
    proto.graph.input.append(helper.make_tensor_value_info("w", F, (3,)))
    graph = parse_model(proto.SerializeToString(), Limits()).graph
    assert [info.name for info in graph.fed] == ["x"]
    assert graph.overridable == {"w"}


def test_every_body_is_walked_after_what_holds_it() -> None:
    def branch(name: str, node: object) -> object:
        return helper.make_graph([node], name, [], [helper.make_tensor_value_info(f"{name}_out", F, None)])

    inner = helper.make_node("If", ["c"], ["outer_out"], then_branch=branch("a", relu(made="a_out")),
                             else_branch=branch("b", relu(made="b_out")))  # fmt: skip
    branches = {"then_branch": branch("outer", inner), "else_branch": branch("d", relu(made="d_out"))}
    node = helper.make_node("If", ["c"], ["y"], **branches)
    graph = read([node], initializers=[numpy_helper.from_array(np.asarray(True), "c")]).graph
    walked = [[item.operation.operator for item in body.nodes] for body in walk_graphs(graph)]
    assert walked[0] == ["If"]
    assert sorted(map(tuple, walked[1:])) == [("If",), ("Relu",), ("Relu",), ("Relu",)]


def test_the_domain_of_onnx_has_one_name() -> None:
    node = relu()
    node.domain = "ai.onnx"
    (found,) = read([node]).graph.nodes
    assert found.operation.domain == ""
    assert not found.operation.is_constant

"""What is read off the wire is what onnx reads."""

from onnx import TensorProto, helper

from latcast.onnx_files.records import DTYPE_BY_CODE, read_record
from latcast.onnx_files.wire import Bytes
from profilers.onnx_graph.dtypes import DTYPE_NAMES
from tests.latcast.onnx_files.test_reading import model


def test_types_have_the_names_of_the_schema() -> None:
    assert {code: name for code, name in DTYPE_NAMES.items() if code in DTYPE_BY_CODE} == {
        code: name for code, name in DTYPE_BY_CODE.items() if name
    }


def test_nodes_and_tensors_are_recorded() -> None:
    content = model().SerializeToString()
    record = read_record(Bytes(content))
    assert [node.operation.operator for node in record.graph.nodes] == ["MatMul", "Reshape"]
    assert record.graph.nodes[0].inputs == ["x", "w"]
    weight = record.graph.tensors[0]
    assert (weight.name, weight.dtype, weight.dims, weight.elements) == ("w", "float32", [4, 3], 12)
    assert TensorProto.FromString(content[weight.start : weight.end]).name == "w"


def test_bodies_functions_and_training_are_told_apart() -> None:
    proto = model()
    proto.training_info.add()
    node = helper.make_node("Relu", ["a"], ["b"])
    proto.functions.append(helper.make_function("custom", "f", ["a"], ["b"], [node], [helper.make_opsetid("", 17)]))
    body = helper.make_graph([node], "body", [], [helper.make_tensor_value_info("b", 1, None)])
    proto.graph.node.append(helper.make_node("If", ["c"], ["z"], then_branch=body, else_branch=body))
    record = read_record(Bytes(proto.SerializeToString()))
    assert [(function.domain, function.name) for function in record.functions] == [("custom", "f")]
    bodies = record.graph.nodes[-1].operation.graphs
    assert [output.name for graph in bodies for output in graph.outputs] == ["b", "b"]
    assert len(record.needless) == 1

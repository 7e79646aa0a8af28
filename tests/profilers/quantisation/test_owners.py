"""Tensors that were added belong to tensors of the model."""

from onnx import TensorProto, helper

from profilers.quantisation import original_tensors
from profilers.quantisation.owners import rename_additions


def test_pairs_belong_to_what_they_quantise_and_the_rest_to_what_follows() -> None:
    info = helper.make_tensor_value_info
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s"], ["xq"]),
        helper.make_node("DequantizeLinear", ["xq", "s"], ["xd"]),
        helper.make_node("Conv", ["xd", "w"], ["c"]),
        helper.make_node("QuantizeLinear", ["c", "s"], ["cq"]),
        helper.make_node("DequantizeLinear", ["cq", "s"], ["cd"]),
        helper.make_node("Relu", ["cd"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes, "g", [info("x", TensorProto.FLOAT, (1,))], [info("y", TensorProto.FLOAT, (1,))],
        value_info=[info("cd", TensorProto.FLOAT, (1,))],
    )  # fmt: skip
    rename_additions(graph, {"c", "y"})
    written = [node.output[0] for node in graph.node]
    assert [original_tensors([name]) for name in written] == [("c",), ("c",), ("c",), ("c",), ("c",), ("y",)]
    assert len(set(written)) == len(written)
    assert (written[2], written[5]) == ("c", "y")
    assert [node.input[0] for node in graph.node] == ["x", written[0], written[1], "c", written[3], written[4]]
    assert graph.value_info[0].name == written[4]

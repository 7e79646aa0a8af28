"""Small ONNX models for the tests of how models are read."""

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

F, I64 = TensorProto.FLOAT, TensorProto.INT64


def made(nodes, inputs, outputs, initializers=(), *, opset=17, domains=()):
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, dtype, shape) for name, dtype, shape in inputs],
        [helper.make_tensor_value_info(name, dtype, None) for name, dtype in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in initializers],
    )
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    return helper.make_model(graph, opset_imports=imports, ir_version=9).SerializeToString()


def shapes_of(graph):
    return {tensor.name: tensor.shape for tensor in graph.tensors}


def proto_of(nodes, *, shape=(2, 3), initializers=(), outputs=("y",)) -> ModelProto:
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", F, shape)],
        [helper.make_tensor_value_info(name, F, None) for name in outputs], list(initializers),
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def relu(read="x", made="y", **attributes):
    return helper.make_node("Relu", [read], [made], **attributes)


def dynamic():
    node = helper.make_node("Add", ["a", "b"], ["y"])
    return made([node], [("a", F, ("n", 3)), ("b", F, (1, "m"))], [("y", F)])

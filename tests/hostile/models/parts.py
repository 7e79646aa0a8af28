"""Parts that hostile files are made of."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from onnx import AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

F, I64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def info(name: str, shape: Sequence[int | str] | None = (4, 8), dtype: int = F) -> Any:
    return helper.make_tensor_value_info(name, dtype, shape)


def model(
    nodes: Sequence[NodeProto],
    *,
    shape: Sequence[int | str] = (4, 8),
    outputs: Sequence[str] = ("y",),
    constants: Sequence[TensorProto] = (),
    functions: Sequence[FunctionProto] = (),
    opset: int = 17,
    domains: Sequence[str] = (),
) -> ModelProto:
    """A model with the input `x`."""
    graph = helper.make_graph(nodes, "g", [info("x", shape)], [info(name, None) for name in outputs], constants)
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9, functions=functions)


def relu(read: str = "x", made: str = "y", **attributes: Any) -> NodeProto:
    return helper.make_node("Relu", [read], [made], **attributes)


def single(
    operator: str, *inputs: Any, outputs: int = 1, domain: str = "", opset: int = 17, **attributes: Any
) -> ModelProto:
    """One node over a float input and constants of zeros; an input is a shape, or an array."""
    names = [f"i{place}" for place in range(len(inputs))]
    constants = [
        numpy_helper.from_array(value if isinstance(value, np.ndarray) else np.zeros(value, np.float32), name)
        for name, value in zip(names[1:], inputs[1:], strict=True)
    ]
    results = [f"o{place}" for place in range(outputs)]
    node = helper.make_node(operator, ["x", *names[1:]], results, domain=domain)
    node.attribute.extend(attribute(name, value) for name, value in attributes.items())
    return model([node], shape=inputs[0], outputs=results, constants=constants, opset=opset,
                 domains=[domain] if domain else [])  # fmt: skip


def attribute(name: str, value: Any) -> AttributeProto:
    return value if isinstance(value, AttributeProto) else helper.make_attribute(name, value)


def ints(*values: int) -> "np.ndarray[Any, Any]":
    return np.array(values, np.int64)


def body(nodes: Sequence[NodeProto], inputs: Sequence[Any], outputs: Sequence[Any]) -> GraphProto:
    return helper.make_graph(nodes, "body", inputs, outputs)


def branches(inner: NodeProto, made: str, level: int) -> NodeProto:
    """An If around a node."""
    name = inner.output[0]
    other = f"other{level}"
    return helper.make_node(
        "If", ["c"], [made], then_branch=body([inner], [], [info(name, None)]),
        else_branch=body([relu(made=other)], [], [info(other, None)]),
    )  # fmt: skip


def looped(nodes: Sequence[NodeProto], result: str, *, trips: int, shape: Sequence[int] = (4, 8)) -> ModelProto:
    """A Loop around nodes that read `v`."""
    inputs = [info("trip", (), I64), info("go", (), BOOL), info("v", shape)]
    outputs = [info("on", (), BOOL), info(result, shape)]
    steps = body([*nodes, helper.make_node("Identity", ["go"], ["on"])], inputs, outputs)
    constants = [numpy_helper.from_array(np.array(trips), "trips"), numpy_helper.from_array(np.array(True), "start")]
    return model(
        [helper.make_node("Loop", ["trips", "start", "x"], ["y"], body=steps)], shape=shape, constants=constants
    )


def function(name: str, nodes: Sequence[NodeProto]) -> FunctionProto:
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]
    return helper.make_function("local", name, ["a"], ["b"], nodes, imports)


def calls(functions: Sequence[FunctionProto], first: str) -> ModelProto:
    return model([helper.make_node(first, ["x"], ["y"], domain="local")], functions=functions, domains=["local"])


def repeated(name: str, inner: str, times: int = 2) -> FunctionProto:
    """A function that calls another one several times."""
    tensors = ["a", *(f"m{at}" for at in range(times - 1)), "b"]
    domain = "local" if inner.startswith("f") else ""
    return function(name, [helper.make_node(inner, [read], [made], domain=domain) for read, made in pairwise(tensors)])


def external(name: str = "w", location: str = "/etc/passwd") -> TensorProto:
    tensor = TensorProto(name=name, dims=[3], data_type=F, data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    return tensor

"""Number types that a runtime has no kernel for get a sentence, which agrees with the runtime's own table."""

import onnx
import pytest
from onnx import TensorProto, helper

from latcast.schema import Graph
from profilers.onnx_graph import load_graph
from profilers.onnx_graph.kernel_types import WITHOUT_KERNEL
from profilers.onnx_graph.remarks import remarks_of

TYPES = {"float64": "double", "bfloat16": "bfloat16"}


def network(operator: str, kind: int) -> bytes:
    """One node of 1×4×8×8, behind a cast to the type and before one back to float32."""
    weights = [helper.make_tensor("W", TensorProto.FLOAT, (4, 4, 3, 3), [1.0] * 144)] if operator == "Conv" else []
    nodes = [helper.make_node("Cast", ["x"], ["a"], to=kind)]
    nodes += [helper.make_node("Cast", ["W"], ["w"], to=kind) for _ in weights]
    nodes += [helper.make_node(operator, ["a", "w"] if weights else ["a"], ["b"])]
    nodes += [helper.make_node("Cast", ["b"], ["y"], to=TensorProto.FLOAT)]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in
              (("x", [1, 4, 8, 8]), ("y", None))]  # fmt: skip
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def told(graph: Graph) -> str:
    return " ".join(remarks_of(graph))


@pytest.mark.parametrize(
    ("operator", "kind", "words"),
    [
        ("Conv", TensorProto.DOUBLE, "Conv of float64"), ("Erf", TensorProto.DOUBLE, "Erf of float64"),
        ("Sigmoid", TensorProto.BFLOAT16, "Sigmoid of bfloat16"), ("Conv", TensorProto.BFLOAT16, "Conv of bfloat16"),
    ],
)  # fmt: skip
def test_what_no_kernel_computes_is_said(operator: str, kind: int, words: str) -> None:
    said = told(load_graph(network(operator, kind)))
    assert f"ONNX Runtime has no CPU kernel for {words}, and refuses the model: export it in float32." in said


@pytest.mark.parametrize(
    ("operator", "kind"),
    [("Conv", TensorProto.FLOAT), ("Conv", TensorProto.FLOAT16), ("Relu", TensorProto.DOUBLE)],
)
def test_what_a_kernel_computes_is_no_remark(operator: str, kind: int) -> None:
    assert told(load_graph(network(operator, kind))) == ""


def test_the_runtime_agrees() -> None:
    """Every operator that is listed has kernels, but none of that type, in the runtime that is installed."""
    bindings = pytest.importorskip("onnxruntime.capi.onnxruntime_pybind11_state")
    kernels: dict[str, set[str]] = {}
    for kernel in bindings.get_all_opkernel_def():
        if kernel.provider == "CPUExecutionProvider" and kernel.domain == "":
            types = {str(kind) for kinds in kernel.type_constraints.values() for kind in kinds}
            kernels.setdefault(kernel.op_name, set()).update(types)
    wrong = [
        f"{operator} of {dtype}"
        for dtype, operators in WITHOUT_KERNEL.items()
        for operator in operators
        if operator not in kernels or f"tensor({TYPES[dtype]})" in kernels[operator]
    ]
    assert wrong == []
    assert not any("complex" in kind for kinds in kernels.values() for kind in kinds)


@pytest.mark.parametrize(("operator", "kind"), [("Conv", TensorProto.DOUBLE), ("Sigmoid", TensorProto.BFLOAT16)])
def test_the_runtime_refuses_what_is_said_to_be(operator: str, kind: int) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    with pytest.raises(Exception, match="Could not find an implementation"):
        onnxruntime.InferenceSession(network(operator, kind), providers=["CPUExecutionProvider"])


def test_every_type_is_one_of_onnx() -> None:
    schemas = {schema.name for schema in onnx.defs.get_all_schemas() if not schema.domain}
    assert all(operators <= schemas for operators in WITHOUT_KERNEL.values())

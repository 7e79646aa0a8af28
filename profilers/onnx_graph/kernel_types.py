"""Operators that the runtime most models are run by has no CPU kernel for in a number type, so that it refuses them.

onnx allows the types; whether anybody computes in them is up to the runtimes. Float16 is not here: ONNX Runtime puts
casts around what it cannot compute in it.
"""

from collections.abc import Iterable

from latcast.schema import Graph, Node
from latcast.schema.counting import counted

__all__ = ["WITHOUT_KERNEL", "types_without_kernel"]

_TRIGONOMETRY = frozenset({"Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Cosh", "Sinh", "Tan"})
_NO_FLOAT64 = _TRIGONOMETRY | {
    "AveragePool", "Col2Im", "Conv", "ConvTranspose", "Det", "Erf", "GlobalAveragePool", "GlobalLpPool",
    "GlobalMaxPool", "Hardmax", "InstanceNormalization", "LRN", "LpPool", "MaxRoiPool", "MaxUnpool", "Mean", "RNN",
    "Resize",
}  # fmt: skip
_NO_BFLOAT16 = _NO_FLOAT64 | {
    "Abs", "Add", "ArgMax", "ArgMin", "BatchNormalization", "Ceil", "Cos", "CumSum", "DeformConv", "Div", "Exp",
    "Expand", "Floor", "GRU", "Gemm", "GridSample", "LSTM", "Log", "MatMul", "Max", "MaxPool", "Min", "Mul", "Neg",
    "Pow", "Reciprocal", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "RoiAlign", "Round",
    "STFT", "Sigmoid", "Sin", "Sqrt", "Sub", "Sum", "Tanh", "Tile", "TopK", "Trilu",
}  # fmt: skip
WITHOUT_KERNEL = {"float64": _NO_FLOAT64, "bfloat16": _NO_BFLOAT16}
"""Number type → operators of ai.onnx that ONNX Runtime has CPU kernels for in other types, but not in this one."""
_LISTED = 3


def types_without_kernel(held: Iterable[tuple[Node, Graph]]) -> str:
    """A sentence about the nodes that ONNX Runtime has no CPU kernel for in their number type; empty without any.

    Args:
        held: the nodes of a graph and its bodies, each with the graph or body that holds it.
    """
    lacking = [f"{node.operator} of {dtype}" for node, holder in held if (dtype := _lacking(node, holder))]
    if not lacking:
        return ""
    kinds = list(dict.fromkeys(lacking))
    others = f" and {counted(len(kinds) - _LISTED, 'other')}" if len(kinds) > _LISTED else ""
    return (f"ONNX Runtime has no CPU kernel for {', '.join(kinds[:_LISTED])}{others}, and refuses the model: "
            "export it in float32.")  # fmt: skip


def _lacking(node: Node, holder: Graph) -> str:
    """The number type of a node that there is no kernel for; empty where there may be one."""
    if node.domain or not node.inputs or node.inputs[0] < 0:
        return ""
    dtype = holder.tensors[node.inputs[0]].dtype
    return dtype if dtype.startswith("complex") or node.operator in WITHOUT_KERNEL.get(dtype, ()) else ""

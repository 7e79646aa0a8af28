"""Kernels that treat every element alike: functions of one tensor, of two, and conversions."""

from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.families import Family, Values
from profilers.search_spaces.fields import Choice
from profilers.search_spaces.kernels.common import graph, integer, matrix
from profilers.search_spaces.layers import ACTIVATIONS, activation

__all__ = ["FAMILIES"]

FUNCTIONS = {
    name.lower(): name
    for name in ("Abs", "Ceil", "Cos", "Erf", "Exp", "Floor", "Log", "Neg", "Reciprocal", "Selu", "Sign", "Sin",
                 "Softsign", "Sqrt")
}  # fmt: skip
CONVERSIONS = {"to_int64": (7, "int64"), "to_int32": (6, "int32"), "to_bool": (9, "bool")}
COMPARISONS = {"Greater", "Less", "Equal"}
OPERATORS = ("Add", "Mul", "Sub", "Div", "Pow", "Max", "Min", "Greater", "Less", "Equal", "Where")
ROWS, COLUMNS = integer("rows", 4096, 64), integer("columns", 65536, 784)


def build_unary(values: Values) -> GraphBuilder:
    """One function of one tensor (rows, columns)."""
    net = graph("unary", parts=values["composites"] == "parts")
    x = matrix(net, values)
    op = values["op"]
    if op in FUNCTIONS:
        y = net.op(FUNCTIONS[op], [x])
    elif op in CONVERSIONS:
        code, dtype = CONVERSIONS[op]
        y = net.op("Cast", [x], dtype=dtype, to=code)
    else:
        y = activation(net, x, op)
    net.output(y)
    return net


def build_elementwise(values: Values) -> GraphBuilder:
    """One function of two tensors, the second broadcast as asked."""
    net = graph("elementwise")
    x = matrix(net, values)
    y = _second(net, x, values["broadcast"])
    operator = values["op"]
    if operator == "Where":
        condition = net.op("Greater", [x, net.scalar(0.0)], dtype="bool")
        net.output(net.op("Where", [condition, x, y], x.shape))
    else:
        net.output(net.op(operator, [x, y], dtype="bool" if operator in COMPARISONS else "float32"))
    return net


def _second(net: GraphBuilder, x: Tensor, broadcast: str) -> Tensor:
    rows, columns = x.shape
    match broadcast:
        case "none":
            return net.input("y", (rows, columns))
        case "scalar":
            return net.scalar(1.5)
        case "row":
            return net.weight(columns)
        case _:
            return net.input("y", (rows, 1))


FAMILIES = (
    Family(
        name="unary",
        fields=(
            Choice(
                name="op",
                values=(*(name for name in ACTIVATIONS if name != "none"), *FUNCTIONS, *CONVERSIONS),
                default="sigmoid",
            ),
            ROWS,
            COLUMNS,
            Choice(name="composites", values=("operator", "parts"), default="operator", weights=(3, 1)),
        ),
        build=build_unary,
        weight=3.0,
    ),
    Family(
        name="elementwise",
        fields=(
            Choice(name="op", values=OPERATORS, default="Add", weights=(4, 4, 2, 2, 1, 1, 1, 1, 1, 1, 1)),
            ROWS,
            COLUMNS,
            Choice(name="broadcast", values=("none", "scalar", "row", "column"), default="none"),
        ),
        build=build_elementwise,
        weight=3.0,
    ),
)

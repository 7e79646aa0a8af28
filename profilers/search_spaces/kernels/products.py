"""Matrix products: linear layers, batched products, attention, contractions, recurrence."""

from math import prod

from profilers.search_spaces.builder import GraphBuilder
from profilers.search_spaces.families import Family, Values
from profilers.search_spaces.fields import Choice, Integer
from profilers.search_spaces.kernels.common import graph, integer
from profilers.search_spaces.layers import activation, linear
from profilers.search_spaces.sequences import attention, matmul, recurrent

__all__ = ["FAMILIES"]

ACTIVATION = Choice(
    name="activation",
    values=("none", "relu", "gelu", "silu", "tanh", "sigmoid"),
    default="none",
    weights=(4, 2, 1, 1, 1, 1),
)
ROWS = integer("rows", 1024, 1)
IN, OUT = integer("in", 8192, 256), integer("out", 8192, 256)
HEADS = Choice(name="heads", values=(1, 2, 4, 8, 12, 16), default=8)


def build_gemm(values: Values) -> GraphBuilder:
    """Matrix by weights, `chain` times."""
    net = graph("gemm")
    x = net.input("x", (values["rows"], values["in"]))
    for _ in range(values["chain"]):
        x = linear(net, x, values["out"], bias=values["bias"] == "yes")
        x = activation(net, x, values["activation"])
    net.output(x)
    return net


def build_matmul(values: Values) -> GraphBuilder:
    """Stacks of matrices by each other, or by weights that they share."""
    net = graph("matmul")
    x = net.input("x", (values["stack"], values["rows"], values["inner"]))
    if values["second"] == "weights":
        net.output(linear(net, x, values["columns"]))
    else:
        net.output(matmul(net, x, net.input("y", (values["stack"], values["inner"], values["columns"]))))
    return net


def build_attention(values: Values) -> GraphBuilder:
    """Multi-head attention with its projections."""
    net = graph("attention")
    heads = values["heads"]
    x = net.input("x", (values["batch"], values["length"], heads * values["head_size"]))
    net.output(attention(net, x, heads, fused=values["projection"] == "fused"))
    return net


EQUATIONS = {
    "scores": ("bhid", "bhjd", "bhij"),
    "mix": ("bhij", "bhjd", "bhid"),
    "linear": ("bid", "de", "bie"),
    "split_heads": ("bihd", "bjhd", "bhij"),
}
"""Axes of both operands and of the result."""


def build_einsum(values: Values) -> GraphBuilder:
    """One contraction; axes are batch, heads, two lengths and two feature sizes."""
    net = graph("einsum")
    sizes = {"b": values["batch"], "h": values["heads"], "i": values["rows"], "j": values["columns"]}
    sizes |= {"d": values["inner"], "e": values["columns"]}
    first, second, result = EQUATIONS[values["form"]]
    x, y = (net.input(name, [sizes[axis] for axis in axes]) for name, axes in (("x", first), ("y", second)))
    macs = prod(sizes[axis] for axis in set(first) | set(second))
    equation = f"{first},{second}->{result}"
    net.output(net.op("Einsum", [x, y], [sizes[axis] for axis in result], macs=macs, equation=equation))
    return net


def recurrent_family(name: str, weight: float) -> Family:
    """One or more recurrent layers of one kind."""

    def build(values: Values) -> GraphBuilder:
        net = graph(name)
        x = net.input("x", (values["length"], values["batch"], values["features"]))
        for _ in range(values["layers"]):
            x = recurrent(net, x, name.upper(), values["hidden"], bidirectional=values["directions"] == 2)
        net.output(x)
        return net

    fields = (
        Integer(name="length", low=1, high=512, default=32),
        Choice(name="batch", values=(1, 2, 4, 8, 16, 32, 64, 128), default=1, weights=(8, 1, 1, 1, 1, 1, 1, 1)),
        integer("features", 1024, 64),
        integer("hidden", 1024, 128),
        Choice(name="layers", values=(1, 2), default=1, weights=(3, 1)),
        Choice(name="directions", values=(1, 2), default=1),
    )
    return Family(name=name, fields=fields, build=build, weight=weight)


FAMILIES = (
    Family(
        name="gemm",
        fields=(
            ROWS,
            IN,
            OUT,
            Choice(name="bias", values=("no", "yes"), default="yes", weights=(1, 3)),
            ACTIVATION,
            Choice(name="chain", values=(1, 2, 3), default=1, weights=(3, 1, 1)),
        ),
        build=build_gemm,
        weight=4.0,
    ),
    Family(
        name="matmul",
        fields=(
            integer("stack", 128, 8, favoured=2),
            integer("rows", 1024, 64),
            integer("inner", 4096, 64),
            integer("columns", 4096, 64),
            Choice(name="second", values=("input", "weights"), default="input"),
        ),
        build=build_matmul,
        weight=4.0,
    ),
    Family(
        name="attention",
        fields=(
            integer("length", 1024, 64),
            HEADS,
            Choice(name="head_size", values=(8, 16, 32, 64, 128), default=64),
            Choice(name="batch", values=(1, 2, 4, 8), default=1, weights=(6, 1, 1, 1)),
            Choice(name="projection", values=("fused", "separate"), default="fused"),
        ),
        build=build_attention,
        weight=2.0,
    ),
    Family(
        name="einsum",
        fields=(
            Choice(name="form", values=tuple(EQUATIONS), default="scores"),
            Choice(name="batch", values=(1, 2, 4), default=1, weights=(4, 1, 1)),
            HEADS,
            integer("rows", 512, 64),
            integer("columns", 512, 64),
            integer("inner", 256, 64),
        ),
        build=build_einsum,
        weight=0.7,
    ),
    recurrent_family("lstm", 2.0),
    recurrent_family("gru", 1.5),
    recurrent_family("rnn", 0.5),
)

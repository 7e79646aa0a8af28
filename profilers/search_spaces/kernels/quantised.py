"""Kernels in 8 bits and less: convolutions, products, element-wise functions, conversions, recurrence."""

from typing import Any

from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.families import Family, Values
from profilers.search_spaces.fields import Choice, Integer
from profilers.search_spaces.kernels.common import BATCH, SPATIAL, graph, image, integer, matrix
from profilers.search_spaces.layers import concat
from profilers.search_spaces.quantised_layers import (
    dequantise,
    dynamic_conv,
    dynamic_linear,
    dynamic_lstm,
    nbits_linear,
    qdq,
    qdq_conv,
    qdq_linear,
    quantise,
)

__all__ = ["FAMILIES"]

DTYPE = Choice(name="dtype", values=("uint8", "int8"), default="uint8", weights=(3, 1))
SCALES = Choice(name="scales", values=("channel", "tensor"), default="channel", weights=(3, 1))
CHAIN = Choice(name="chain", values=(1, 2, 3), default=1, weights=(2, 1, 1))
RELU = Choice(name="activation", values=("none", "relu"), default="none")
IN, OUT = integer("in", 2048, 64), integer("out", 2048, 64)
STRIDE = Choice(name="stride", values=(1, 2), default=1, weights=(3, 1))
WINDOW = {"kernel_shape": (3, 3), "pads": (1, 1, 1, 1), "strides": (1, 1)}
ATTRIBUTES: dict[str, dict[str, Any]] = {
    "MaxPool": WINDOW,
    "AveragePool": WINDOW,
    "Transpose": {"perm": (0, 2, 3, 1)},
    "Resize": {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    "LeakyRelu": {"alpha": 0.1},
}


def build_conv(values: Values) -> GraphBuilder:
    """`chain` convolutions in QDQ form, those after the first without stride; full, in 4 groups, or depthwise."""
    net = graph("qconv")
    x = qdq(net, image(net, values, values["in"]), values["dtype"])
    per_channel = values["scales"] == "channel"
    for index in range(values["chain"]):
        groups = {"full": 1, "four": 4, "depthwise": x.channels}[values["grouping"]]
        channels = x.channels if groups > 4 else values["out"]
        stride = values["stride"] if index == 0 else 1
        more = {"stride": stride, "groups": groups, "per_channel": per_channel}
        y = _round_trip(net, qdq_conv(net, x, channels, values["kernel"], **more), values)
        if values["residual"] == "yes" and y.shape == x.shape:
            y = qdq(net, net.op("Add", [y, x]), values["dtype"])
        x = y
    net.output(x)
    return net


def _round_trip(net: GraphBuilder, y: Tensor, values: Values) -> Tensor:
    relu = values["activation"] == "relu"
    return qdq(net, net.op("Relu", [y]) if relu else y, values["dtype"], positive=relu)


def build_gemm(values: Values) -> GraphBuilder:
    """Matrix by weights, `chain` times, in one of the forms that quantisers write."""
    net = graph("qgemm")
    form, bias, per_channel = values["form"], values["bias"] == "yes", values["scales"] == "channel"
    x = net.input("x", (values["rows"], values["in"]))
    x = x if form == "dynamic" else qdq(net, x, values["dtype"])
    for _ in range(values["chain"]):
        if form == "dynamic":
            x = dynamic_linear(net, x, values["out"], bias=bias, per_channel=per_channel)
        else:
            gemm = form == "gemm"
            x = qdq(
                net, qdq_linear(net, x, values["out"], gemm=gemm, bias=bias, per_channel=per_channel), values["dtype"]
            )
    net.output(x)
    return net


def build_matmul(values: Values) -> GraphBuilder:
    """Stacks of matrices by each other, as attention has them."""
    net = graph("qmatmul")
    x = qdq(net, net.input("x", (values["stack"], values["rows"], values["inner"])))
    y = qdq(net, net.input("y", (values["stack"], values["inner"], values["columns"])))
    shape = (values["stack"], values["rows"], values["columns"])
    z = net.op("MatMul", [x, y], shape, macs=shape[0] * shape[1] * shape[2] * values["inner"])
    net.output(qdq(net, z))
    return net


def build_elementwise(values: Values) -> GraphBuilder:
    """One function of 8-bit feature maps in QDQ form, repeated."""
    net = graph("qelementwise")
    x = qdq(net, image(net, values, values["channels"]))
    other = x
    for _ in range(values["chain"]):
        x = qdq(net, _apply(net, x, other, values["op"]))
    net.output(x)
    return net


def _apply(net: GraphBuilder, x: Tensor, other: Tensor, op: str) -> Tensor:
    if op in {"Add", "Mul"}:
        return net.op(op, [x, other if other.shape == x.shape else x])
    if op == "Concat":
        return concat(net, [x, x])
    attributes, shape = ATTRIBUTES.get(op, {}), x.shape
    if op == "GlobalAveragePool":
        shape = (*x.shape[:2], 1, 1)
    elif op == "Transpose":
        shape = tuple(x.shape[axis] for axis in attributes["perm"])
    elif op == "Resize":
        shape = (*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3])
        return net.op(op, [x, None, net.constant([1.0, 1.0, 2.0, 2.0], "float32")], shape, **attributes)
    return net.op(op, [x], shape, **attributes)


def build_conversion(values: Values) -> GraphBuilder:
    """Float to 8 bits, back, both, or with the scale found on the way."""
    net = graph("quantise")
    x = matrix(net, values)
    match values["op"]:
        case "to":
            net.output(quantise(net, x, values["dtype"]))
        case "dynamic":
            y, *_ = net.ops("DynamicQuantizeLinear", [x], [x.shape, (), ()], dtype=("uint8", "float32", "uint8"))
            net.output(y)
        case _:
            net.output(dequantise(net, net.input("q", x.shape, dtype=values["dtype"])))
            net.output(net.op("Neg", [x]))
    return net


def build_dynamic_conv(values: Values) -> GraphBuilder:
    """A convolution whose input is quantised as it runs."""
    net = graph("dynamicconv")
    x = image(net, values, values["in"])
    net.output(dynamic_conv(net, x, values["out"], values["kernel"], stride=values["stride"]))
    return net


def build_lstm(values: Values) -> GraphBuilder:
    """An LSTM with int8 weights."""
    net = graph("qlstm")
    x = net.input("x", (values["length"], values["batch"], values["features"]))
    net.output(dynamic_lstm(net, x, values["hidden"], bidirectional=values["directions"] == 2))
    return net


def build_few_bits(values: Values) -> GraphBuilder:
    """Matrix by weights of 4 or 8 bits."""
    net = graph("nbits")
    x = net.input("x", (values["rows"], values["in"]))
    bits, block, level = (values[name] for name in ("bits", "block", "level"))
    net.output(nbits_linear(net, x, values["out"], bits=bits, block=block, level=level))
    return net


SIZES = (integer("rows", 1024, 1), integer("in", 8192, 256), integer("out", 8192, 256))
BIAS = Choice(name="bias", values=("no", "yes"), default="yes", weights=(1, 2))
KERNEL = Choice(name="kernel", values=(1, 3, 5, 7), default=3, weights=(4, 4, 1, 1))

FAMILIES = (
    Family(
        name="qconv",
        fields=(
            IN,
            OUT,
            *SPATIAL[1:],
            KERNEL,
            STRIDE,
            Choice(name="grouping", values=("full", "four", "depthwise"), default="full", weights=(6, 1, 3)),
            RELU,
            Choice(name="residual", values=("no", "yes"), default="no", weights=(3, 1)),
            SCALES,
            DTYPE,
            CHAIN,
        ),
        build=build_conv,
        weight=4.0,
    ),
    Family(
        name="qgemm",
        fields=(
            *SIZES,
            BIAS,
            Choice(name="form", values=("gemm", "matmul", "dynamic"), default="gemm", weights=(1, 1, 2)),
            SCALES,
            DTYPE,
            CHAIN,
        ),
        build=build_gemm,
        weight=4.0,
    ),
    Family(
        name="qmatmul",
        fields=(
            integer("stack", 64, 8, favoured=2),
            integer("rows", 512, 64),
            integer("inner", 1024, 64),
            integer("columns", 1024, 64),
        ),
        build=build_matmul,
    ),
    Family(
        name="qelementwise",
        fields=(
            Choice(
                name="op",
                values=(
                    "Add", "Mul", "Concat", "GlobalAveragePool", "MaxPool", "AveragePool", "Transpose", "Resize",
                    "Sigmoid", "LeakyRelu", "Softmax",
                ),
                default="Add",
                weights=(4, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1),
            ),
            *SPATIAL,
            Choice(name="chain", values=(1, 2), default=1),
        ),
        build=build_elementwise,
        weight=2.0,
    ),
    Family(
        name="quantise",
        fields=(
            Choice(name="op", values=("to", "back", "dynamic"), default="to"),
            integer("rows", 4096, 64),
            integer("columns", 65536, 784),
            DTYPE,
        ),
        build=build_conversion,
        weight=1.5,
    ),
    Family(name="dynamicconv", fields=(IN, OUT, *SPATIAL[1:], KERNEL, STRIDE), build=build_dynamic_conv, weight=1.5),
    Family(
        name="qlstm",
        fields=(
            Integer(name="length", low=1, high=512, default=32),
            BATCH,
            integer("features", 1024, 64),
            integer("hidden", 1024, 128),
            Choice(name="directions", values=(1, 2), default=1),
        ),
        build=build_lstm,
    ),
    Family(
        name="nbits",
        fields=(
            integer("rows", 256, 1),
            Integer(name="in", low=32, high=8192, default=256, multiple=32),
            integer("out", 8192, 256),
            Choice(name="bits", values=(4, 8), default=4, weights=(4, 1)),
            Choice(name="block", values=(16, 32, 64, 128), default=32, weights=(1, 4, 1, 1)),
            Choice(name="level", values=(0, 4), default=0),
        ),
        build=build_few_bits,
    ),
)  # fmt: skip

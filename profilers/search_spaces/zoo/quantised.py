"""Networks in 8 bits, as quantisers write them: convolutional (QDQ) and transformers (QDQ or dynamic)."""

from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.families import Family, Values
from profilers.search_spaces.fields import Choice, Integer
from profilers.search_spaces.layers import activation, concat, flatten, global_pool, reshape, transpose
from profilers.search_spaces.quantised_layers import dequantise, dynamic_linear, qdq, qdq_conv, qdq_linear, quantise
from profilers.search_spaces.sequences import embedding, layer_norm, matmul, softmax
from profilers.search_spaces.zoo.common import network

__all__ = ["FAMILY"]


def build(values: Values) -> GraphBuilder:
    """A convolutional network in QDQ form, or a transformer in the form asked for."""
    style = {"opset": values["opset"], "constants": "initializer", "shapes": "static", "linear": "gemm"}
    net = network("quantised", {**values, **style, "pooling": "operator", "composites": "operator"})
    if values["body"] == "transformer":
        _transformer(net, values)
    else:
        _convolutional(net, values)
    return net


def _convolutional(net: GraphBuilder, values: Values) -> None:
    side, dtype = values["resolution"], values["dtype"]
    x = qdq(net, net.input("image", (values["batch"], 3, side, side)), dtype)
    x = _conv(net, x, values["width"], 3, values, stride=2)
    for stage in range(values["stages"]):
        for block in range(values["depth"]):
            x = _block(net, x, values["width"] * 2**stage, 2 if block == 0 else 1, values)
    y = qdq(net, flatten(net, qdq(net, global_pool(net, x), dtype)), dtype)
    y = quantise(net, qdq_linear(net, y, values["classes"], per_channel=_per_channel(values)), dtype)
    net.output(dequantise(net, y))


def _per_channel(values: Values) -> bool:
    return bool(values["scales"] == "channel")


def _conv(
    net: GraphBuilder, x: Tensor, channels: int, kernel: int, values: Values, *, relu: bool = True,
    stride: int = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    y = qdq_conv(net, x, channels, kernel, stride=stride, groups=groups, per_channel=_per_channel(values))
    return qdq(net, activation(net, y, "relu") if relu else y, values["dtype"], positive=relu)


def _block(net: GraphBuilder, x: Tensor, channels: int, stride: int, values: Values) -> Tensor:
    if values["body"] == "plain":
        return _conv(net, x, channels, 3, values, stride=stride)
    if values["body"] == "mobile":
        hidden = 4 * x.channels
        y = _conv(net, x, hidden, 1, values)
        y = _conv(net, _conv(net, y, hidden, 3, values, stride=stride, groups=hidden), channels, 1, values, relu=False)
        return qdq(net, net.op("Add", [x, y]), values["dtype"]) if x.shape == y.shape else y
    y = _conv(net, _conv(net, x, channels, 3, values, stride=stride), channels, 3, values, relu=False)
    if values["body"] == "dense":
        return qdq(net, concat(net, [y, y]), values["dtype"])
    if x.shape != y.shape:
        x = _conv(net, x, channels, 1, values, relu=False, stride=stride)
    return qdq(net, activation(net, net.op("Add", [x, y]), "relu"), values["dtype"], positive=True)


def _transformer(net: GraphBuilder, values: Values) -> None:
    features = 64 * max(1, values["width"] // 16)
    ids = net.input("input_ids", (values["batch"], values["length"]), dtype="int64")
    x = layer_norm(net, embedding(net, ids, 1000, features))
    for _ in range(values["depth"]):
        x = layer_norm(net, net.op("Add", [x, _attention(net, x, values)]))
        y = _linear(net, activation(net, _linear(net, x, 4 * features, values), "gelu"), features, values)
        x = layer_norm(net, net.op("Add", [x, y]))
    net.output(x)


def _linear(net: GraphBuilder, x: Tensor, features: int, values: Values) -> Tensor:
    if values["form"] == "dynamic":
        return dynamic_linear(net, x, features, per_channel=_per_channel(values))
    return qdq_linear(net, qdq(net, x), features, gemm=False, per_channel=_per_channel(values))


def _attention(net: GraphBuilder, x: Tensor, values: Values) -> Tensor:
    batch, length, features = x.shape
    shape = (batch, length, features // 64, 64)
    query, key, value = (reshape(net, _linear(net, x, features, values), shape) for _ in range(3))
    query, value = (transpose(net, item, (0, 2, 1, 3)) for item in (query, value))
    key = transpose(net, key, (0, 2, 3, 1))
    if values["form"] == "static":
        scores = qdq(net, matmul(net, qdq(net, query), qdq(net, key)))
    else:
        scores = matmul(net, query, key)
    mixed = matmul(net, softmax(net, net.op("Div", [scores, net.scalar(8.0)])), value)
    return _linear(net, reshape(net, transpose(net, mixed, (0, 2, 1, 3)), x.shape), features, values)


FAMILY = Family(
    name="quantised",
    fields=(
        Choice(name="body", values=("residual", "mobile", "plain", "dense", "transformer"), default="residual",
               weights=(2, 3, 1, 1, 4)),
        Choice(name="form", values=("static", "dynamic"), default="static"),
        Integer(name="width", low=16, high=128, default=32, multiple=8),
        Integer(name="depth", low=1, high=6, default=2),
        Choice(name="stages", values=(1, 2, 3, 4), default=3),
        Integer(name="length", low=4, high=384, default=64),
        Choice(name="resolution", values=(32, 64, 96, 128, 160, 192, 224), default=128),
        Choice(name="batch", values=(1, 2, 4), default=1, weights=(8, 1, 1)),
        Choice(name="scales", values=("channel", "tensor"), default="channel"),
        Choice(name="dtype", values=("uint8", "int8"), default="uint8"),
        Integer(name="classes", low=2, high=1000, default=100),
        Choice(name="opset", values=(13, 14, 15, 16, 17, 18), default=17),
    ),
    build=build,
    weight=2.0,
)  # fmt: skip

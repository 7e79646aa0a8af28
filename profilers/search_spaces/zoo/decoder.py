"""One step of a text decoder: a few new tokens, keys and values of all earlier ones (GPT, LLaMA with a cache)."""

from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.families import Family, Values
from profilers.search_spaces.fields import Choice, Integer
from profilers.search_spaces.layers import add, concat, linear, reshape, transpose
from profilers.search_spaces.sequences import (
    embedding,
    feed_forward,
    gated_feed_forward,
    layer_norm,
    matmul,
    rms_norm,
    softmax,
)
from profilers.search_spaces.zoo.common import STYLE, network

__all__ = ["FAMILY"]


def build(values: Values) -> GraphBuilder:
    """Token ids to scores of the next token, and the longer cache."""
    net = network("decoder", values)
    ids = net.input("input_ids", (values["batch"], values["new"]), dtype="int64")
    x = embedding(net, ids, values["vocabulary"], values["features"])
    for layer in range(values["depth"]):
        x = add(net, x, _attention(net, _norm(net, x, values), layer, values))
        forward = gated_feed_forward if values["feed_forward"] == "gated" else feed_forward
        x = add(net, x, forward(net, _norm(net, x, values), values["ratio"] * x.shape[2], values["activation"]))
    net.output(linear(net, _norm(net, x, values), values["vocabulary"], bias=False))
    return net


def _norm(net: GraphBuilder, x: Tensor, values: Values) -> Tensor:
    return rms_norm(net, x) if values["normalisation"] == "rms" else layer_norm(net, x)


def _attention(net: GraphBuilder, x: Tensor, layer: int, values: Values) -> Tensor:
    batch, new, features = x.shape
    heads = features // values["head_size"]
    shape = (batch, new, heads, values["head_size"])
    query, key, value = (
        transpose(net, reshape(net, linear(net, x, features, bias=False), shape), (0, 2, 1, 3)) for _ in range(3)
    )
    past = (batch, heads, values["past"], values["head_size"])
    cached = []
    for name, item in (("key", key), ("value", value)):
        cached.append(concat(net, [net.input(f"past_{name}_{layer}", past), item], axis=2))
        net.output(cached[-1])
    scores = matmul(net, query, transpose(net, cached[0], (0, 1, 3, 2)))
    scores = net.op("Div", [scores, net.scalar(values["head_size"] ** 0.5)])
    mixed = transpose(net, matmul(net, softmax(net, scores), cached[1]), (0, 2, 1, 3))
    return linear(net, reshape(net, mixed, x.shape), features, bias=False)


FAMILY = Family(
    name="decoder",
    fields=(
        Integer(name="vocabulary", low=100, high=50000, default=10000),
        Integer(name="new", low=1, high=8, default=1),
        Integer(name="past", low=1, high=1024, default=128),
        Integer(name="features", low=64, high=1024, default=256, multiple=64),
        Integer(name="depth", low=1, high=12, default=4),
        Choice(name="head_size", values=(32, 64), default=64),
        Choice(name="ratio", values=(2, 4), default=4),
        Choice(name="normalisation", values=("layer", "rms"), default="layer"),
        Choice(name="feed_forward", values=("plain", "gated"), default="plain"),
        Choice(name="activation", values=("gelu", "gelu_tanh", "relu", "silu"), default="gelu"),
        Choice(name="batch", values=(1, 2, 4), default=1, weights=(8, 1, 1)),
        *STYLE,
    ),
    build=build,
)

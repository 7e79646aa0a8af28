"""Transformers over token ids: BERT, DistilBERT, GPT-2 and LLaMA alike (Vaswani et al. 2017; Devlin et al. 2019)."""

from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.families import Family, Values
from profilers.search_spaces.fields import Choice, Integer
from profilers.search_spaces.layers import activation, add, linear, mean
from profilers.search_spaces.sequences import (
    attention,
    causal_mask,
    embedding,
    feed_forward,
    gated_feed_forward,
    layer_norm,
    padding_mask,
    rms_norm,
    slice_axis,
    squeeze,
)
from profilers.search_spaces.zoo.common import BATCH, STYLE, network

__all__ = ["FAMILY"]


def build(values: Values) -> GraphBuilder:
    """Embeddings, transformer blocks, one of several outputs."""
    net = network("text_transformer", values)
    shape = (values["batch"], values["length"])
    ids = net.input("input_ids", shape, dtype="int64")
    mask = _mask(net, shape, values)
    x = embedding(net, ids, values["vocabulary"], values["features"])
    if values["positions"] == "learned":
        x = net.op("Add", [x, net.weight(1, *x.shape[1:])])
    if values["placement"] == "post":
        x = _norm(net, x, values)
    for _ in range(values["depth"]):
        x = _block(net, x, mask, values)
    if values["placement"] == "pre":
        x = _norm(net, x, values)
    net.output(_output(net, x, values))
    return net


def _mask(net: GraphBuilder, shape: tuple[int, int], values: Values) -> Tensor | None:
    if values["mask"] == "padding":
        return padding_mask(net, net.input("attention_mask", shape, dtype="int64"))
    return causal_mask(net, shape[1]) if values["mask"] == "causal" else None


def _norm(net: GraphBuilder, x: Tensor, values: Values) -> Tensor:
    return rms_norm(net, x) if values["normalisation"] == "rms" else layer_norm(net, x)


def _block(net: GraphBuilder, x: Tensor, mask: Tensor | None, values: Values) -> Tensor:
    first = values["placement"] == "pre"
    y = _norm(net, x, values) if first else x
    heads = x.shape[2] // values["head_size"]
    fused, rotary = values["projection"] == "fused", values["positions"] == "rotary"
    x = add(net, x, attention(net, y, heads, mask=mask, fused=fused, rotary=rotary))
    x = x if first else _norm(net, x, values)
    y = _norm(net, x, values) if first else x
    forward = gated_feed_forward if values["feed_forward"] == "gated" else feed_forward
    x = add(net, x, forward(net, y, values["ratio"] * x.shape[2], values["activation"]))
    return x if first else _norm(net, x, values)


def _output(net: GraphBuilder, x: Tensor, values: Values) -> Tensor:
    match values["output"]:
        case "tokens":
            return x
        case "vocabulary":
            return linear(net, x, values["vocabulary"], bias=False)
        case "mean":
            return mean(net, x, [1])
        case _:
            first = squeeze(net, slice_axis(net, x, 0, 1, axis=1), 1)
            return linear(net, activation(net, linear(net, first, x.shape[2]), "tanh"), 2)


FAMILY = Family(
    name="text_transformer",
    fields=(
        Integer(name="vocabulary", low=1000, high=50000, default=30522),
        Integer(name="length", low=8, high=512, default=128),
        Integer(name="features", low=64, high=768, default=256, multiple=64),
        Integer(name="depth", low=1, high=12, default=6),
        Choice(name="head_size", values=(16, 32, 64), default=64),
        Choice(name="ratio", values=(2, 4), default=4, weights=(1, 3)),
        Choice(name="placement", values=("pre", "post"), default="post"),
        Choice(name="normalisation", values=("layer", "rms"), default="layer", weights=(3, 1)),
        Choice(name="positions", values=("none", "learned", "rotary"), default="learned", weights=(1, 3, 1)),
        Choice(name="mask", values=("none", "padding", "causal"), default="padding"),
        Choice(name="projection", values=("fused", "separate"), default="separate"),
        Choice(name="feed_forward", values=("plain", "gated"), default="plain", weights=(3, 1)),
        Choice(name="activation", values=("gelu", "gelu_tanh", "relu", "silu"), default="gelu", weights=(3, 1, 1, 1)),
        Choice(name="output", values=("class", "mean", "tokens", "vocabulary"), default="class", weights=(3, 2, 3, 1)),
        BATCH,
        *STYLE,
    ),
    build=build,
    weight=2.0,
)

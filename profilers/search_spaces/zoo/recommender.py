"""Linear layers over features and embedding tables: perceptrons, wide & deep, DLRM (Naumov et al. 2019)."""

from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.families import Family, Values
from profilers.search_spaces.fields import Choice, Integer
from profilers.search_spaces.layers import activation, batch_norm, concat, flatten, linear, transpose, unsqueeze
from profilers.search_spaces.sequences import embedding, layer_norm, matmul
from profilers.search_spaces.zoo.common import STYLE, network

__all__ = ["FAMILY"]


def build(values: Values) -> GraphBuilder:
    """Dense features and looked-up ones, their interaction, a stack of linear layers."""
    net = network("recommender", values)
    x = net.input("dense", (values["batch"], values["inputs"]))
    if values["tables"]:
        x = _interaction(net, x, _lookups(net, values), values)
    for layer in range(values["depth"]):
        x = _normalised(net, linear(net, x, max(1, values["hidden"] // values["taper"] ** layer)), values)
        x = activation(net, x, values["activation"])
    net.output(activation(net, linear(net, x, values["outputs"]), "sigmoid"))
    return net


def _normalised(net: GraphBuilder, x: Tensor, values: Values) -> Tensor:
    match values["normalisation"]:
        case "batch":
            return batch_norm(net, x)
        case "layer":
            return layer_norm(net, x)
        case _:
            return x


def _lookups(net: GraphBuilder, values: Values) -> list[Tensor]:
    """One id for each table, one row (batch, features) for each id."""
    batch, tables = values["batch"], values["tables"]
    ids = [net.input(f"id_{index}", (batch,), dtype="int64") for index in range(tables)]
    return [embedding(net, item, values["vocabulary"], values["features"]) for item in ids]


def _interaction(net: GraphBuilder, dense: Tensor, rows: list[Tensor], values: Values) -> Tensor:
    if values["interaction"] == "concat":
        return concat(net, [dense, *rows])
    bottom = activation(net, linear(net, dense, values["features"]), values["activation"])
    stacked = concat(net, [unsqueeze(net, item, 1) for item in (bottom, *rows)])
    products = matmul(net, stacked, transpose(net, stacked, (0, 2, 1)))
    return concat(net, [bottom, flatten(net, products)])


FAMILY = Family(
    name="recommender",
    fields=(
        Integer(name="inputs", low=4, high=4096, default=64),
        Choice(name="tables", values=(0, 1, 2, 4, 8, 16, 26), default=8, weights=(3, 1, 1, 1, 1, 1, 1)),
        Integer(name="vocabulary", low=100, high=100000, default=1000),
        Integer(name="features", low=4, high=128, default=16, multiple=4),
        Choice(name="interaction", values=("concat", "dot"), default="concat"),
        Integer(name="depth", low=1, high=8, default=3),
        Integer(name="hidden", low=16, high=4096, default=512, multiple=16),
        Choice(name="taper", values=(1, 2), default=2),
        Choice(name="normalisation", values=("none", "batch", "layer"), default="none", weights=(2, 1, 1)),
        Choice(
            name="activation", values=("relu", "elu", "tanh", "gelu", "silu"), default="relu", weights=(5, 1, 1, 1, 1)
        ),
        Integer(name="outputs", low=1, high=1000, default=1),
        Choice(name="batch", values=(1, 2, 4, 8, 32, 128), default=1, weights=(8, 1, 1, 1, 1, 1)),
        *STYLE,
    ),
    build=build,
)

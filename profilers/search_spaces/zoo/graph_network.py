"""Networks over graphs: messages gathered along edges, scattered to nodes (GCN, GraphSAGE, GAT alike)."""

from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.families import Family, Values
from profilers.search_spaces.fields import Choice, Integer
from profilers.search_spaces.layers import activation, add, concat, linear, mean, unsqueeze
from profilers.search_spaces.zoo.common import STYLE, network

__all__ = ["FAMILY"]


def build(values: Values) -> GraphBuilder:
    """Node features and the ends of each edge to a value for each node, or for the graph."""
    if values["opset"] < 16:
        raise ValueError("ScatterElements can add only since opset 16")
    net = network("graph_network", values)
    x = net.input("nodes", (values["nodes"], values["features"]))
    ends = [net.input(name, (values["edges"],), dtype="int64") for name in ("source", "target")]
    for _ in range(values["depth"]):
        x = _layer(net, x, ends, values)
    y = linear(net, mean(net, x, [0], keepdims=True) if values["output"] == "graph" else x, values["classes"])
    net.output(y)
    return net


def _layer(net: GraphBuilder, x: Tensor, ends: list[Tensor], values: Values) -> Tensor:
    edges, hidden = values["edges"], values["hidden"]
    h = linear(net, x, hidden)
    source, target = (net.op("Gather", [h, end], (edges, hidden), axis=0) for end in ends)
    message = source
    if values["message"] == "attention":
        score = activation(net, linear(net, concat(net, [source, target]), 1), "leakyrelu")
        message = net.op("Mul", [source, activation(net, score, "sigmoid")], source.shape)
    elif values["message"] == "edge":
        message = activation(net, linear(net, concat(net, [source, target]), hidden), "relu")
    places = net.op("Expand", [unsqueeze(net, ends[1], 1), net.constant([1, hidden])], (edges, hidden), dtype="int64")
    empty = net.op("ConstantOfShape", [net.constant([values["nodes"], hidden])], (values["nodes"], hidden))
    total = net.op("ScatterElements", [empty, places, message], axis=0, reduction="add")
    return activation(net, add(net, h, total), "relu")


FAMILY = Family(
    name="graph_network",
    fields=(
        Integer(name="nodes", low=8, high=5000, default=500),
        Integer(name="edges", low=16, high=30000, default=2000),
        Integer(name="features", low=4, high=512, default=64, multiple=2),
        Integer(name="hidden", low=8, high=256, default=64, multiple=8),
        Integer(name="depth", low=1, high=5, default=2),
        Choice(name="message", values=("sum", "attention", "edge"), default="sum"),
        Choice(name="output", values=("nodes", "graph"), default="nodes"),
        Integer(name="classes", low=1, high=64, default=7),
        *STYLE,
    ),
    build=build,
)

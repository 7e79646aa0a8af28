"""Rows of a table: boosted trees, small perceptrons, and scaling before them."""

from profilers.search_spaces.builder import GraphBuilder
from profilers.search_spaces.families import Family, Values
from profilers.search_spaces.fields import Choice, Integer
from profilers.search_spaces.kernels.structured import tree_ensemble
from profilers.search_spaces.layers import activation, linear
from profilers.search_spaces.zoo.common import STYLE, network, yes_no

__all__ = ["FAMILY"]


def build(values: Values) -> GraphBuilder:
    """Rows (rows, features) to scores."""
    net = network("tabular", values)
    x = net.input("rows", (values["rows"], values["features"]))
    if values["scaled"] == "yes":
        x = net.op("Div", [net.op("Sub", [x, net.weight(x.shape[1])]), net.weight(x.shape[1], role="positive")])
    if values["model"] == "trees":
        y = tree_ensemble(net, x, values["trees"], values["depth"], values["classes"])
    else:
        y = x
        for _ in range(values["layers"]):
            y = activation(net, linear(net, y, values["hidden"]), values["activation"])
        y = linear(net, y, values["classes"])
    net.output(activation(net, y, "sigmoid"))
    return net


FAMILY = Family(
    name="tabular",
    fields=(
        Choice(name="model", values=("trees", "perceptron"), default="trees"),
        Integer(name="rows", low=1, high=2048, default=1),
        Integer(name="features", low=2, high=1024, default=30),
        Integer(name="trees", low=1, high=1000, default=100),
        Integer(name="depth", low=1, high=12, default=6),
        Integer(name="hidden", low=4, high=1024, default=64),
        Integer(name="layers", low=1, high=5, default=2),
        Integer(name="classes", low=1, high=20, default=1),
        Choice(name="activation", values=("relu", "tanh", "sigmoid"), default="relu"),
        yes_no("scaled"),
        *STYLE,
    ),
    build=build,
    weight=0.7,
)

"""Convolutions over maps of a single row or column: what converters make of one dimension."""

from profilers.search_spaces.builder import GraphBuilder
from profilers.search_spaces.families import Family, Values
from profilers.search_spaces.fields import Choice
from profilers.search_spaces.kernels.common import BATCH, graph, integer
from profilers.search_spaces.layers import activation, conv

__all__ = ["FAMILIES"]


def build_line_conv(values: Values) -> GraphBuilder:
    """`chain` convolutions along the one axis that is long."""
    net = graph("lineconv")
    wide = values["along"] == "width"
    x = net.input("x", (values["batch"], values["in"], *_on(values["length"], wide=wide)))
    for index in range(values["chain"]):
        depthwise = values["groups"] == "depthwise"
        stride = values["stride"] if index == 0 else 1
        y = conv(
            net,
            x,
            x.channels if depthwise else values["out"],
            _on(values["kernel"], wide=wide),
            stride=_on(stride, wide=wide),
            groups=x.channels if depthwise else 1,
        )
        x = activation(net, y, values["activation"])
    net.output(x)
    return net


def _on(size: int, *, wide: bool) -> tuple[int, int]:
    return (1, size) if wide else (size, 1)


FAMILIES = (
    Family(
        name="lineconv",
        fields=(
            integer("in", 1024, 64),
            integer("out", 1024, 64),
            integer("length", 8192, 256),
            BATCH,
            Choice(name="kernel", values=(1, 2, 3, 5, 7, 9, 15, 31), default=3, weights=(2, 1, 4, 3, 2, 1, 1, 1)),
            Choice(name="along", values=("width", "height"), default="height"),
            Choice(name="stride", values=(1, 2, 4), default=1, weights=(5, 2, 1)),
            Choice(name="groups", values=("one", "depthwise"), default="one", weights=(4, 1)),
            Choice(name="activation", values=("none", "relu", "gelu", "tanh"), default="none", weights=(3, 2, 1, 1)),
            Choice(name="chain", values=(1, 2, 3), default=1, weights=(2, 1, 1)),
        ),
        build=build_line_conv,
        weight=2.0,
    ),
)

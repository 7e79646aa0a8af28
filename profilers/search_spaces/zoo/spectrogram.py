"""Convolutions over time and frequency, long and flat windows, few channels: pitch, notes, sound events, keywords."""

from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.families import Family, Values
from profilers.search_spaces.fields import Choice, Integer
from profilers.search_spaces.layers import activation, concat, conv, conv_norm, linear, mean, transpose
from profilers.search_spaces.sequences import slice_axis
from profilers.search_spaces.zoo.common import BATCH, NORM_STYLE, STYLE, network, yes_no

__all__ = ["FAMILY"]

SHIFTS = (0, 3, 6, 9)


def build(values: Values) -> GraphBuilder:
    """A spectrogram (batch, frames, bins) to a map of the same size, or to classes."""
    net = network("spectrogram", values)
    batch, frames, bins = values["batch"], values["frames"], values["bins"]
    x = _maps(net, values, (batch, frames, bins))
    if values["harmonics"] == "yes":
        x = _harmonics(net, x, min(SHIFTS[-1], bins // 2))
    for layer in range(values["depth"]):
        kernel = (values["time"], values["frequency"]) if layer % 2 == 0 else (3, 3)
        stride = (1, values["stride"]) if layer == 0 else 1
        x = conv_norm(net, x, values["width"], kernel, values["activation"], stride=stride)
    if values["output"] == "map":
        y = activation(net, conv(net, x, 1, (5, 5)), "sigmoid")
        net.output(transpose(net, y, (0, 2, 3, 1)) if values["layout"] == "last" else y)
    else:
        net.output(linear(net, mean(net, x, [2, 3]), values["classes"]))
    return net


def _maps(net: GraphBuilder, values: Values, shape: tuple[int, int, int]) -> Tensor:
    if values["layout"] == "last":
        return transpose(net, net.input("spectrogram", (*shape, 1)), (0, 3, 1, 2))
    return net.input("spectrogram", (shape[0], 1, *shape[1:]))


def _harmonics(net: GraphBuilder, x: Tensor, reach: int) -> Tensor:
    """The map beside copies of itself that are shifted in frequency."""
    bins = x.shape[3]
    shifts = [shift for shift in SHIFTS if shift <= reach]
    parts = []
    for shift in shifts:
        part = slice_axis(net, x, shift, bins, axis=3)
        pads = net.constant([0, 0, 0, 0, 0, 0, 0, shift])
        parts.append(net.op("Pad", [part, pads], x.shape, mode="constant") if shift else part)
    return concat(net, parts)


FAMILY = Family(
    name="spectrogram",
    fields=(
        Integer(name="frames", low=8, high=400, default=172),
        Choice(name="bins", values=(40, 64, 80, 128, 264, 352), default=264),
        Integer(name="width", low=4, high=96, default=32, multiple=2),
        Integer(name="depth", low=1, high=8, default=3),
        Choice(name="time", values=(1, 3, 5, 7, 11), default=5),
        Choice(name="frequency", values=(1, 3, 5, 7, 13, 39), default=5),
        Choice(name="stride", values=(1, 2, 3), default=1),
        yes_no("harmonics"),
        Choice(name="output", values=("map", "class"), default="map"),
        Choice(name="layout", values=("first", "last"), default="first"),
        Integer(name="classes", low=2, high=527, default=50),
        Choice(name="activation", values=("relu", "leakyrelu", "silu", "elu"), default="relu"),
        BATCH,
        NORM_STYLE,
        *STYLE,
    ),
    build=build,
)

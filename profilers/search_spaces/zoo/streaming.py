"""Streaming speech: a chunk of samples and the state so far to a decision and the next state (VAD, denoisers)."""

from typing import Any

from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.families import Family, Values
from profilers.search_spaces.fields import Choice, Integer
from profilers.search_spaces.layers import activation, add, conv, linear, transpose
from profilers.search_spaces.sequences import slice_axis
from profilers.search_spaces.zoo.common import STYLE, network

__all__ = ["FAMILY"]


def build(values: Values) -> GraphBuilder:
    """Samples (batch, samples) to a spectrum by convolution, an encoder, a recurrence with its state, a head."""
    net = network("streaming", values)
    x = _spectrum(net, values)
    for layer in range(values["depth"]):
        stride = 2 if layer in (1, 2) and x.shape[2] > 2 else 1
        x = activation(net, conv(net, x, values["width"], 3, stride=stride), "relu")
    y = transpose(net, x, (2, 0, 1))
    for layer in range(values["layers"]):
        y = _recurrence(net, y, values, layer)
    y = linear(net, activation(net, transpose(net, y, (1, 0, 2)), "relu"), values["classes"])
    net.output(activation(net, y, "sigmoid"))
    return net


def _spectrum(net: GraphBuilder, values: Values) -> Tensor:
    """Magnitudes (batch, bins, frames): one strided convolution gives real and imaginary parts."""
    if values["input"] == "features":
        return net.input("features", (values["batch"], values["window"] // 2 + 1, values["frames"]))
    window, bins = values["window"], values["window"] // 2 + 1
    hop = window // 2
    x = net.input("samples", (values["batch"], 1, window + hop * (values["frames"] - 1)))
    z = conv(net, x, 2 * bins, window, stride=hop, padding=0, bias=False)
    real, imaginary = slice_axis(net, z, 0, bins, axis=1), slice_axis(net, z, bins, 2 * bins, axis=1)
    squares = [net.op("Pow", [part, net.scalar(2.0)]) for part in (real, imaginary)]
    return net.op("Sqrt", [add(net, *squares)])


def _recurrence(net: GraphBuilder, x: Tensor, values: Values, layer: int) -> Tensor:
    """One layer whose state comes in and goes out."""
    length, batch, features = x.shape
    operator, hidden = values["cell"].upper(), values["hidden"]
    gates = {"LSTM": 4, "GRU": 3}[operator]
    state = (1, batch, hidden)
    names = ("hidden", "memory")[: gates - 2]
    states = [net.input(f"{name}_{layer}", state) for name in names]
    weights = [net.weight(1, gates * hidden, size) for size in (features, hidden)]
    more: dict[str, Any] = {"linear_before_reset": 1} if operator == "GRU" else {}
    y, *after = net.ops(
        operator,
        [x, *weights, net.weight(1, 2 * gates * hidden), None, *states],
        [(length, *state), *(state for _ in states)],
        macs=length * batch * gates * hidden * (features + hidden),
        hidden_size=hidden,
        **more,
    )
    for item in after:
        net.output(item)
    target = net.constant([length, batch, hidden])
    return net.op("Reshape", [y, target], (length, batch, hidden))


FAMILY = Family(
    name="streaming",
    fields=(
        Choice(name="input", values=("samples", "features"), default="samples"),
        Choice(name="window", values=(64, 128, 256, 320, 400, 512), default=256),
        Integer(name="frames", low=1, high=400, default=4),
        Integer(name="width", low=16, high=256, default=64, multiple=8),
        Integer(name="depth", low=1, high=6, default=4),
        Choice(name="cell", values=("lstm", "gru"), default="lstm"),
        Integer(name="hidden", low=16, high=512, default=128, multiple=8),
        Integer(name="layers", low=1, high=3, default=1),
        Choice(name="classes", values=(1, 2, 64, 161, 257), default=1),
        Choice(name="batch", values=(1, 2, 8), default=1, weights=(8, 1, 1)),
        *STYLE,
    ),
    build=build,
    weight=1.5,
)

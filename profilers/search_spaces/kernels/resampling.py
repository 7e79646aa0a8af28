"""Signals and feature maps at other places, scales and frequencies."""

from typing import Any

from profilers.search_spaces.builder import GraphBuilder
from profilers.search_spaces.families import Family, Values
from profilers.search_spaces.fields import Choice, Integer
from profilers.search_spaces.kernels.common import AXES_OF_FORM, FORM, SPATIAL, graph, image, integer
from profilers.search_spaces.layers import activation

__all__ = ["FAMILIES"]


def build_signal(values: Values) -> GraphBuilder:
    """Short-time Fourier transforms, whole ones, and images sampled at computed points."""
    net = graph("signal")
    window = 2 ** values["window"]
    hop = max(1, window // values["overlap"])
    frames = values["frames"]
    match values["op"]:
        case "STFT":
            x = net.input("x", (1, window + hop * (frames - 1)))
            shape = (1, frames, window // 2 + 1, 2)
            net.output(
                net.op("STFT", [x, net.constant(hop), net.weight(window), net.constant(window)], shape, onesided=1)
            )
        case "DFT":
            x = net.input("x", (frames, window, 1))
            net.output(net.op("DFT", [x], (frames, window // 2 + 1, 2), axis=1, onesided=1))
        case _:
            side = max(4, window // 16)
            x = net.input("x", (1, min(values["frames"], 64), side, side))
            grid = activation(net, net.input("grid", (1, side, side, 2)), "tanh")
            net.output(net.op("GridSample", [x, grid], mode="bilinear"))
    return net


def build_scale(values: Values) -> GraphBuilder:
    """A feature map resized by any ratio, in any mode, along one axis or two."""
    net = graph("rescale")
    x = image(net, values, values["channels"])
    both = AXES_OF_FORM[values["form"]]
    spatial = [
        max(1, int(size * values["percent"] / 100)) if on else size for size, on in zip(x.shape[2:], both, strict=True)
    ]
    shape = (*x.shape[:2], *spatial)
    more: dict[str, Any] = {"coordinate_transformation_mode": values["coordinates"]}
    if values["mode"] == "nearest":
        more["nearest_mode"] = "floor"
    net.output(net.op("Resize", [x, None, None, net.constant(list(shape))], shape, mode=values["mode"], **more))
    return net


FAMILIES = (
    Family(
        name="signal",
        fields=(
            Choice(name="op", values=("STFT", "DFT", "GridSample"), default="STFT"),
            Integer(name="window", low=5, high=11, default=9),
            Choice(name="overlap", values=(1, 2, 4), default=2),
            integer("frames", 512, 100),
        ),
        build=build_signal,
    ),
    Family(
        name="rescale",
        fields=(
            *SPATIAL,
            Integer(name="percent", low=20, high=800, default=150),
            Choice(name="mode", values=("nearest", "linear", "cubic"), default="linear", weights=(2, 3, 1)),
            Choice(name="coordinates", values=("half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel"),
                   default="half_pixel"),
            FORM,
        ),
        build=build_scale,
        weight=1.5,
    ),
)  # fmt: skip

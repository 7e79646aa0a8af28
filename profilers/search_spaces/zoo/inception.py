"""Branches that are concatenated: SqueezeNet's fire modules, Inception 1, 2 and 4 (Szegedy et al. 2015, 2016)."""

from collections.abc import Callable
from typing import Any

from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.families import Family, Values
from profilers.search_spaces.fields import Choice, Integer
from profilers.search_spaces.layers import activation, avg_pool, concat, conv, conv_norm, max_pool
from profilers.search_spaces.zoo.common import (
    ACTIVATION,
    CLASSES,
    IMAGE,
    NORM_STYLE,
    STYLE,
    classify,
    image,
    network,
    spread,
)
from profilers.search_spaces.zoo.plain import local_norm

__all__ = ["FAMILY"]

STAGES = 3


def build(values: Values) -> GraphBuilder:
    """Convolutional stem, three stages of modules with poolings between, classifier."""
    net = network("inception", values)
    width = values["width"]
    x = _unit(net, image(net, values), 2 * width, values["first_kernel"], values, stride=2)
    x = max_pool(net, x, 3, 2, 1)
    if values["normalisation"] == "local":
        x = local_norm(net, x)
    x = _unit(net, _unit(net, x, 2 * width, 1, values), 3 * width, 3, values)
    module = MODULES[values["module"]]
    for stage, blocks in enumerate(spread(values["depth"], STAGES)):
        x = max_pool(net, x, 3, 2, 1)
        for _ in range(blocks):
            x = module(net, x, width * (stage + 2) // 2, values)
    classify(net, x, values["classes"])
    return net


def _unit(
    net: GraphBuilder, x: Tensor, channels: int, kernel: int | tuple[int, int], values: Values, **more: Any
) -> Tensor:
    if values["normalisation"] == "batch":
        return conv_norm(net, x, channels, kernel, values["activation"], **more)
    return activation(net, conv(net, x, channels, kernel, **more), values["activation"])


def _fire(net: GraphBuilder, x: Tensor, width: int, values: Values) -> Tensor:
    squeezed = _unit(net, x, max(8, width // 2), 1, values)
    return concat(net, [_unit(net, squeezed, 2 * width, 1, values), _unit(net, squeezed, 2 * width, 3, values)])


def _version1(net: GraphBuilder, x: Tensor, width: int, values: Values) -> Tensor:
    branches = [
        _unit(net, x, width, 1, values),
        _unit(net, _unit(net, x, width, 1, values), 2 * width, 3, values),
        _unit(net, _unit(net, x, width // 4, 1, values), width // 2, 5, values),
        _unit(net, max_pool(net, x, 3, 1, 1), width // 2, 1, values),
    ]
    return concat(net, branches)


def _version2(net: GraphBuilder, x: Tensor, width: int, values: Values) -> Tensor:
    double = _unit(net, _unit(net, x, width // 2, 1, values), width, 3, values)
    branches = [
        _unit(net, x, width, 1, values),
        _unit(net, _unit(net, x, width, 1, values), width, 3, values),
        _unit(net, double, width, 3, values),
        _unit(net, avg_pool(net, x, 3, 1, 1), width // 2, 1, values),
    ]
    return concat(net, branches)


def _factorised(net: GraphBuilder, x: Tensor, width: int, values: Values) -> Tensor:
    """7 × 7 as 1 × 7 and 7 × 1."""
    single = _unit(net, _unit(net, x, width, 1, values), width, (1, 7), values)
    double = _unit(net, _unit(net, x, width, 1, values), width, (7, 1), values)
    double = _unit(net, _unit(net, double, width, (1, 7), values), width, (7, 1), values)
    branches = [
        _unit(net, x, width, 1, values),
        _unit(net, single, width, (7, 1), values),
        _unit(net, double, width, (1, 7), values),
        _unit(net, avg_pool(net, x, 3, 1, 1, count_pad=False), width, 1, values),
    ]
    return concat(net, branches)


MODULES: dict[str, Callable[[GraphBuilder, Tensor, int, Values], Tensor]] = {
    "fire": _fire,
    "version1": _version1,
    "version2": _version2,
    "factorised": _factorised,
}

FAMILY = Family(
    name="inception",
    fields=(
        Choice(name="module", values=tuple(MODULES), default="version1"),
        Integer(name="depth", low=3, high=14, default=9),
        Integer(name="width", low=16, high=192, default=64, multiple=16),
        Choice(name="first_kernel", values=(3, 5, 7), default=7),
        Choice(name="normalisation", values=("none", "batch", "local"), default="batch"),
        ACTIVATION,
        CLASSES,
        *IMAGE,
        NORM_STYLE,
        *STYLE,
    ),
    build=build,
    weight=1.5,
)

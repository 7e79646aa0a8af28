"""Networks that are chains: each part reads what the part before it gives, and nothing else.

Networks of a search space share nearly all their parts. Where a space says what its parts are, what is known of a part
holds in every network that has it, and a new network is put together rather than built.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

from profilers.search_spaces.builder import GraphBuilder, Tensor

__all__ = ["LARGEST_CONSTANT", "Chain", "Part", "record_chain", "record_part"]

LARGEST_CONSTANT = 1024
"""Bytes of a constant in a part that is looked at by itself; larger ones would count as parameters, once for each."""
INPUT = "image"


class Part(NamedTuple):
    """One part of a chain.

    Args:
        key: parts of a space with equal keys record the same when they are given tensors of one shape.
        build: records it behind a tensor, and returns what it gives. It records something and keeps no state.
    """

    key: Hashable
    build: Callable[[GraphBuilder, Tensor], Tensor]


class Chain(NamedTuple):
    """A network.

    Args:
        shape: of its one input, float32.
        parts: in order, at least one.
    """

    shape: tuple[int, ...]
    parts: Sequence[Part]


def record_chain(net: GraphBuilder, chain: Chain) -> None:
    """Record the whole network: its input, its parts and its output."""
    x = net.input(INPUT, chain.shape)
    for part in chain.parts:
        x = part.build(net, x)
    net.output(x)


def record_part(net: GraphBuilder, part: Part, shape: tuple[int, ...]) -> None:
    """Record one part by itself, behind an input of that shape.

    Raises:
        ValueError: it has a constant that is large enough to count as a parameter.
    """
    net.output(part.build(net, net.input(INPUT, shape)))
    if any(values.nbytes > LARGEST_CONSTANT for _, values in net.recorded().constants):
        raise ValueError("a part of a network has a large constant, which it may share with other parts")

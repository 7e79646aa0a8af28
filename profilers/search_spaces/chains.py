"""Networks in parts: chains, of which each part reads what the part before it gives, and what is cut in other ways.

Networks of a search space share nearly all their parts. Where a space says what its parts are, what is known of a part
holds in every network that has it, and a new network is put together rather than built.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

from profilers.search_spaces.builder import GraphBuilder, Tensor

__all__ = ["LARGEST_CONSTANT", "SET_APART", "Chain", "Part", "record_chain", "record_part"]

LARGEST_CONSTANT = 1024
"""Bytes of a constant in a part that is looked at by itself; larger ones would count as parameters, once for each."""
INPUT = "image"
SET_APART = "set_apart"
"""What names of the inputs of a part begin with whose space says that no runtime joins it with what makes them."""


class Part(NamedTuple):
    """One part of a network.

    Args:
        key: parts of a space with equal keys record the same when they are given tensors of one shape.
        build: records it behind the tensors that it reads, and returns what it gives. It records something and keeps no
            state.
        reads: places of the earlier parts whose results it reads, all of one shape; None for that of the part before
            it, or the network's input. Whoever names places says that a part begins where nothing is joined: each of
            these results is read by several steps, equal ones of them in one part, or comes out of a step that runtimes
            join with no reader: a ReLU, a pooling, a product with a number.
    """

    key: Hashable
    build: Callable[..., Tensor]
    reads: tuple[int, ...] | None = None


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
    """Record one part by itself, behind inputs of that shape.

    Raises:
        ValueError: it has a constant that is large enough to count as a parameter.
    """
    names = [INPUT] if part.reads is None else [f"{SET_APART}_{place}" for place in range(len(part.reads))]
    net.output(part.build(net, *(net.input(name, shape) for name in names)))
    if any(values.nbytes > LARGEST_CONSTANT for _, values in net.recorded().constants):
        raise ValueError("a part of a network has a large constant, which it may share with other parts")

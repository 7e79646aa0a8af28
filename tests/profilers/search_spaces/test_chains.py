"""Chains: the parts one after the other are the network, and a part by itself is what it is there."""

import numpy as np
import pytest

from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.chains import LARGEST_CONSTANT, Chain, Part, record_chain, record_part
from profilers.search_spaces.layers import conv_norm

CHAIN = Chain(
    (1, 3, 8, 8),
    [
        Part("stem", lambda net, x: conv_norm(net, x, 4, 3, "relu", stride=2)),
        Part("end", lambda net, x: conv_norm(net, x, 6, 1, "relu")),
    ],
)


def operators(net: GraphBuilder) -> list[str]:
    return [node.operator for node in net.recorded().nodes]


def test_a_chain_is_its_parts_one_after_the_other() -> None:
    whole = GraphBuilder("whole")
    record_chain(whole, CHAIN)
    shape, apart = CHAIN.shape, list[str]()
    for part in CHAIN.parts:
        alone = GraphBuilder("part")
        record_part(alone, part, shape)
        apart += operators(alone)
        (result,) = alone.recorded().outputs
        shape = result.shape
    assert operators(whole) == apart
    assert shape == (1, 6, 4, 4)


def test_a_part_with_a_large_constant_is_not_looked_at_by_itself() -> None:
    def with_constant(size: int) -> Part:
        def build(net: GraphBuilder, x: Tensor) -> Tensor:
            net.constant(np.zeros(size, np.int64))
            return conv_norm(net, x, 4, 3, "relu")

        return Part("constant", build)

    record_part(GraphBuilder("small"), with_constant(LARGEST_CONSTANT // 8), CHAIN.shape)
    with pytest.raises(ValueError, match="large constant"):
        record_part(GraphBuilder("large"), with_constant(LARGEST_CONSTANT // 8 + 1), CHAIN.shape)

"""Spaces out of fields: a user's own, in a few lines, passes the conformance suite."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import pytest

from latcast.schema import InvalidArchitectureError
from profilers.search_spaces.builder import GraphBuilder
from profilers.search_spaces.layers import conv_norm, flatten, global_pool, linear
from profilers.search_spaces.text_space import TextSpace, Values
from profilers.testing.search_spaces import SearchSpaceSuite


class Tiny(TextSpace):
    name: ClassVar[str] = "tiny"
    stages: ClassVar[int] = 2
    head: ClassVar[dict[str, Sequence[int]]] = {"r": (16, 32)}
    fields: ClassVar[dict[str, Sequence[int | str]]] = {"c": (8, 16), "act": ("relu", "silu", "hardswish")}

    def build(self, net: GraphBuilder, head: Values, stages: Sequence[Values]) -> None:
        x = net.input("image", (1, 3, head["r"], head["r"]))
        for stage in stages:
            x = conv_norm(net, x, stage["c"], 3, stage["act"], stride=2)
        net.output(linear(net, flatten(net, global_pool(net, x)), 10))


class TestTiny(SearchSpaceSuite):
    space = Tiny()
    malformed = ("r16|c8,actrelu", "r16|c8|c8,actrelu", "r17|c8,actrelu|c8,actrelu", "r16|c8,actrelu,x|c8,actrelu")


def test_size_example_and_places_follow_from_the_fields() -> None:
    space = Tiny()
    assert (space.size, space.example) == (72, "r16|c8,actrelu|c8,actrelu")
    assert [position.name for position in space.positions()] == [
        "r",
        "stage 1 c",
        "stage 1 act",
        "stage 2 c",
        "stage 2 act",
    ]
    architecture = space.parse("r32|c8,actsilu|c16,actrelu")
    assert space.choices(architecture) == (1, 0, 1, 1, 0)
    assert space.from_choices(space.choices(architecture)) == architecture
    assert len(list(space.neighbours(architecture))) == 1 + 1 + 2 + 1 + 2


def test_an_error_names_the_place_and_what_may_stand_there() -> None:
    with pytest.raises(
        InvalidArchitectureError, match=r"character 7, found 'actrelux' instead of one of actrelu, actsilu"
    ):
        Tiny().parse("r32|c8,actrelux|c16,actrelu")


def test_samples_reach_every_value() -> None:
    rng = np.random.default_rng(0)
    drawn = np.array([Tiny().choices(Tiny().sample(rng)) for _ in range(200)])
    assert drawn.max(axis=0).tolist() == [1, 1, 2, 1, 2]

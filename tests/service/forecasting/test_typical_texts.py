"""Texts as searches come across them: drawn ones, and neighbours of the quickest and slowest so far."""

import numpy as np
import pytest

from latcast.schema import Architecture
from profilers.search_spaces import get_space, space_names
from service.forecasting.typical_texts import ENDS, FIRST, TypicalTexts

SPACES = ("fbnet", "mnasnet", "nasbench201", "ofa_mbv3")


def costs(architectures: list[Architecture]) -> list[float]:
    """Some latencies, in ms: the same of the same text."""
    return [1.0 + sum(map(ord, each.text)) % 97 for each in architectures]


@pytest.mark.parametrize("space", SPACES)
def test_they_are_texts_of_the_space_and_no_two_are_the_same(space: str) -> None:
    assert space in space_names()
    texts = TypicalTexts(get_space(space))
    for _ in range(10):
        drawn = texts.next(16)
        assert 1 <= len(drawn) <= 16
        assert len({each.text for each in drawn}) == len(drawn)
        assert all(get_space(space).parse(each.text) == each for each in drawn)
        texts.learn(drawn, costs(drawn))


def test_half_of_them_are_neighbours_of_the_ends_once_enough_are_known() -> None:
    space = get_space("fbnet")
    texts, known = TypicalTexts(space), dict[str, tuple[float, Architecture]]()
    while len(known) < FIRST:
        drawn = texts.next(16)
        known |= {each.text: (ms, each) for each, ms in zip(drawn, costs(drawn), strict=True)}
        texts.learn(drawn, costs(drawn))
    ordered = [each for _, each in sorted(known.values(), key=lambda item: item[0])]
    ends = [*ordered[:ENDS], *ordered[-ENDS:]]
    near = {each.text for end in ends for each in space.neighbours(end)}
    assert sum(each.text in near for each in texts.next(16)) >= 8


def test_the_same_seed_gives_the_same_texts() -> None:
    first, second, other = (TypicalTexts(get_space("nasbench201"), seed=seed) for seed in (1, 1, 2))
    for _ in range(6):
        drawn = first.next(16)
        assert drawn == second.next(16)
        assert drawn != other.next(16)
        for each in (first, second, other):
            each.learn(drawn, np.linspace(1, 2, len(drawn)).tolist())

"""Architectures of a search space as searches come across them."""

from collections.abc import Sequence
from itertools import islice

import numpy as np

from latcast.schema import Architecture
from profilers.search_spaces import SearchSpace

__all__ = ["TypicalTexts"]

FIRST = 64
"""Architectures that are drawn before others are changed."""
ENDS = 16
"""The quickest so far, and the slowest, from which a search goes on."""
MOST_NEIGHBOURS = 500


class TypicalTexts:
    """Draws half of the architectures at random, and changes the quickest and the slowest so far for the other half.

    A search for what is quick leaves the sizes that random networks have, and so does one for what is accurate.

    Args:
        space: whose architectures.
        seed: of what is drawn.
    """

    def __init__(self, space: SearchSpace, *, seed: int = 0) -> None:
        self._space, self._rng = space, np.random.default_rng(seed)
        self._ends: list[tuple[float, Architecture]] = []
        self._learnt = 0

    def next(self, count: int) -> list[Architecture]:
        """The next ones, no two of them the same: `count` at most."""
        changed = count // 2 if self._learnt >= FIRST else 0
        drawn = [self._neighbour() for _ in range(changed)]
        drawn += [self._space.sample(self._rng) for _ in range(count - changed)]
        return list({each.text: each for each in drawn}.values())

    def learn(self, architectures: Sequence[Architecture], latency_ms: Sequence[float]) -> None:
        """How long n of them take, in ms; the ends are kept."""
        self._learnt += len(architectures)
        known = {each.text: (latency, each) for latency, each in self._ends}
        known |= {each.text: (ms, each) for each, ms in zip(architectures, latency_ms, strict=True)}
        ordered = sorted(known.values(), key=lambda item: item[0])
        self._ends = ordered if len(ordered) <= 2 * ENDS else ordered[:ENDS] + ordered[-ENDS:]

    def _neighbour(self) -> Architecture:
        _, parent = self._ends[int(self._rng.integers(len(self._ends)))]
        others = list(islice(self._space.neighbours(parent), MOST_NEIGHBOURS))
        return others[int(self._rng.integers(len(others)))] if others else parent

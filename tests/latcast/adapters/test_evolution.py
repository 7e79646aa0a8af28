"""Regularised evolution under limits: one call a generation, only what is allowed is scored, and each once."""

from collections import Counter

import pytest

from latcast.adapters.evolution import evolve
from latcast.constraints import Feasible
from latcast.schema import InputError
from profilers.search_spaces import get_space
from tests.latcast.doubles import FakeTarget

SPACE = get_space("nasbench201")


def work(text: str) -> float:
    return 1.0 + 2 * text.count("nor_conv_3x3") + text.count("nor_conv_1x1")


def test_it_finds_the_best_that_keeps_the_limit_with_a_call_a_generation() -> None:
    target, scored = FakeTarget(work, width=1.001), Counter[str]()

    def score(texts: list[str]) -> list[float]:
        scored.update(texts)
        return [work(text) + 0.1 * text.count("skip_connect") for text in texts]

    limit = Feasible(target, 7.5, space="nasbench201")  # type: ignore[arg-type]
    best = evolve(SPACE, limit, score, population=30, generations=8, seed=2)  # type: ignore[arg-type]
    assert best[0].score >= 7.2  # 7 of 7.5, and skips beside it
    assert best[0].latency_ms <= 7.5
    assert set(scored.values()) == {1}
    assert max(map(work, scored)) <= 7.5
    assert target.calls <= 8 + 4
    again = evolve(SPACE, limit, score, population=30, generations=8, seed=2)  # type: ignore[arg-type]
    assert again == best


def test_limits_that_hardly_anything_keeps_are_said() -> None:
    limit = Feasible(FakeTarget(work), 0.1, space="nasbench201")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="loosen"):
        evolve(SPACE, limit, lambda texts: [0.0] * len(texts), population=10, generations=1, tries=2)

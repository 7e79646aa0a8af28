"""The common sequence: balanced, without repetition but for the wanted ones, and the same every time."""

from collections import Counter
from itertools import islice

import pytest

from latcast.schema import Architecture, InputError
from profilers.campaign import Recipe, known_families, steps
from profilers.campaign.steps import family_fits

CHEAP = ("kernels/gemm", "kernels/unary", "nasbench201", "zoo/recommender", "zoo/plain")


def first(count: int, **recipe: object) -> list:
    return list(islice(steps(Recipe(**{"only": CHEAP, **recipe})), count))  # type: ignore[arg-type]


def family(text: str) -> str:
    return "cell" if text.startswith("|") else text.partition("/")[0]


def test_the_same_seed_gives_the_same_sequence() -> None:
    assert first(60, seed=3) == first(60, seed=3) != first(60, seed=4)


def test_each_round_has_every_family_and_kernels_follow_each_network() -> None:
    taken = [step for step in first(126) if not step.repeat]
    counts = Counter(family(step.architecture.text) for step in taken)
    assert counts["gemm"] + counts["unary"] == 80
    assert counts["cell"] == 20
    assert counts["recommender"] == counts["plain"] == 10


def test_nothing_is_drawn_twice_but_one_in_twenty_measured_again() -> None:
    taken = first(210)
    counts = Counter(step.architecture for step in taken)
    again = [step for step in taken if step.repeat]
    assert len(again) == 10
    assert set(counts.values()) == {1, 2}
    for step in again:
        assert counts[step.architecture] == 2
        assert step.careful == next(other for other in taken if other.architecture == step.architecture).careful


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (0.25, 10), (1.0, 40)])
def test_the_careful_share_is_of_the_networks(share: float, expected: int) -> None:
    taken = first(42, kernels_per_network=0, careful_share=share)
    assert sum(step.careful for step in taken if not step.repeat) == expected


def test_kernels_alone() -> None:
    taken = first(30, only=("kernels/gemm",))
    assert {family(step.architecture.text) for step in taken} == {"gemm"}
    assert not any(step.careful for step in taken)


def test_patterns_that_nothing_fits_are_answered_with_what_there_is() -> None:
    with pytest.raises(InputError, match="zoo/residual"):
        next(steps(Recipe(only=("zebra/*",))))


def test_all_spaces_are_known() -> None:
    known = known_families()
    assert {"nasbench201", "fbnet", "ofa_mbv3", "kernels/conv", "zoo/mobile"} <= set(known)
    assert len(known) == len(set(known))


@pytest.mark.parametrize(
    ("space", "text", "pattern"),
    [
        ("kernels", "gemm", "kernels/gemm"),
        ("kernels", "gemm/rows=2", "kernels/*"),
        ("zoo", "mobile/width=8", "zoo/mobile"),
        ("nasbench201", "|a~0|", "nasbench201"),
    ],
)
def test_architectures_fit_the_patterns_of_their_family(space: str, text: str, pattern: str) -> None:
    architecture = Architecture(space=space, text=text)
    assert family_fits(architecture, ("nothing", pattern))
    assert not family_fits(architecture, ("zoo/decoder", "fbnet"))

"""What a campaign measures, and in which order: the same endless sequence on every target.

Networks come in rounds, each with every family of the zoo once and some of each other space, so that whatever ends a
campaign leaves families in balance; so many kernels follow each network. One in twenty is measured a second time a
little later, which shows how far two measurements of one graph lie apart.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import count, islice

import numpy as np

from latcast.schema import Architecture, InputError
from profilers.search_spaces import get_space, space_names
from profilers.search_spaces.families import FamilySpace, family_of

__all__ = ["Recipe", "Step", "family_fits", "known_families", "steps"]

KERNELS = "kernels"
ROUND: Mapping[str, int] = {"nasbench201": 2, "fbnet": 2, "ofa_mbv3": 1}
"""Networks of a space without families in each round; one of any other."""
REPEAT_EVERY, REPEAT_AFTER = 20, 10
MOST_DRAWS = 50
"""Draws of a family until one is new; a family that gives none is left out of the round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One measurement that is wanted on each target.

    Args:
        architecture: what to measure.
        careful: in sandboxed processes of its own, rather than in one that measures many.
        repeat: 1 for the second measurement of this architecture, else 0.
    """

    architecture: Architecture
    careful: bool = False
    repeat: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What to draw.

    Args:
        only: patterns of families, for example `zoo/*` or `kernels/conv*`; a space without families is its name.
        careful_share: share of the networks that are measured in sandboxed processes of their own, 0–1.
        kernels_per_network: graphs of a single kernel after each network.
        seed: seed of the draws.
    """

    only: tuple[str, ...] = ("*",)
    careful_share: float = 0.1
    kernels_per_network: int = 2
    seed: int = 0


def known_families() -> list[str]:
    """Names of all families of all spaces."""
    spaces = [(name, get_space(name)) for name in space_names()]
    return [
        label
        for name, space in spaces
        for label in ([f"{name}/{family}" for family in space.families] if isinstance(space, FamilySpace) else [name])
    ]


def family_fits(architecture: Architecture, only: Sequence[str]) -> bool:
    """Whether the architecture's family fits one of the patterns of a recipe."""
    name = family_of(architecture)
    return any(fnmatchcase(name, pattern) for pattern in only)


def steps(recipe: Recipe) -> Iterator[Step]:
    """The sequence that the recipe describes; it has no end.

    Raises:
        InputError: no family fits the patterns.
    """
    families = [name for name in known_families() if any(fnmatchcase(name, pattern) for pattern in recipe.only)]
    if not families:
        raise InputError(f"No family fits {', '.join(recipe.only)}: known are {', '.join(known_families())}.")
    return _with_repeats(_interleave(families, recipe))


def _interleave(families: Sequence[str], recipe: Recipe) -> Iterator[Step]:
    networks = [name for name in families if not name.startswith(f"{KERNELS}/")]
    kernels = [name for name in families if name not in networks]
    kernel = _draw(
        _by_weight(kernels, np.random.default_rng([recipe.seed, 1])), np.random.default_rng([recipe.seed, 2])
    )
    if not networks:
        yield from (Step(architecture=architecture) for architecture in kernel)
        return
    turns = _in_rounds(networks, np.random.default_rng([recipe.seed, 3]))
    for number, network in enumerate(_draw(turns, np.random.default_rng([recipe.seed, 4]))):
        yield Step(architecture=network, careful=_is_careful(number, recipe.careful_share))
        for architecture in islice(kernel, recipe.kernels_per_network if kernels else 0):
            yield Step(architecture=architecture)


def _is_careful(number: int, share: float) -> bool:
    """Evenly spaced, so that any beginning of the sequence has about this share."""
    return int((number + 1) * share) > int(number * share)


def _in_rounds(networks: Sequence[str], rng: np.random.Generator) -> Iterator[str]:
    each = [name for name in networks for _ in range(ROUND.get(name, 1))]
    while True:
        yield from (each[place] for place in rng.permutation(len(each)))


def _by_weight(kernels: Sequence[str], rng: np.random.Generator) -> Iterator[str]:
    """Kernels as often as their space draws them."""
    weights = np.array([_weight(name) for name in kernels])
    while kernels:
        yield kernels[int(rng.choice(len(kernels), p=weights / weights.sum()))]


def _weight(name: str) -> float:
    space, _, family = name.partition("/")
    space_of_family = get_space(space)
    return space_of_family.families[family].weight if isinstance(space_of_family, FamilySpace) else 1.0


def _draw(families: Iterator[str], rng: np.random.Generator) -> Iterator[Architecture]:
    """An architecture for each family, none twice."""
    seen: set[Architecture] = set()
    for name in families:
        draw = _sampler(name, rng)
        fresh = next((drawn for drawn in (draw() for _ in range(MOST_DRAWS)) if drawn not in seen), None)
        if fresh is not None:
            seen.add(fresh)
            yield fresh


def _sampler(name: str, rng: np.random.Generator) -> Callable[[], Architecture]:
    space, _, family = name.partition("/")
    space_of_family = get_space(space)
    if isinstance(space_of_family, FamilySpace):
        return lambda: space_of_family.sample_of(family, rng)
    return lambda: space_of_family.sample(rng)


def _with_repeats(plain: Iterator[Step]) -> Iterator[Step]:
    recent: list[Step] = []
    for number in count():
        step = next(plain)
        recent = [*recent, step][-REPEAT_AFTER:]
        yield step
        if number % REPEAT_EVERY == REPEAT_EVERY - 1:
            again = recent[0]
            yield Step(architecture=again.architecture, careful=again.careful, repeat=1)

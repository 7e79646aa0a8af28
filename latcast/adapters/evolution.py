"""Regularised evolution (Real et al., AAAI 2019, https://arxiv.org/abs/1802.01548) under limits, with few calls."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from latcast.constraints import Feasible
from latcast.schema import Architecture, InputError
from latcast.schema.counting import counted

__all__ = ["Candidate", "Moves", "evolve"]


class Moves(Protocol):
    """What evolution needs of a search space; those of `profilers.search_spaces` have it."""

    name: str

    def sample(self, rng: Any) -> Architecture:
        """One architecture at random."""
        ...

    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        """Architectures one edit away."""
        ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """A network that kept the limits.

    Args:
        text: the architecture.
        score: larger is better.
        latency_ms: forecast or measured.
    """

    text: str
    score: float
    latency_ms: float


def evolve(
    space: Moves,
    feasible: Feasible,
    score: Callable[[Sequence[str]], Sequence[float]],
    *,
    population: int = 100,
    generations: int = 50,
    children: int | None = None,
    tournament: int = 10,
    seed: int = 0,
    tries: int = 20,
) -> list[Candidate]:
    """Networks that kept the limits, the best first. Only these are scored, each once.

    Args:
        space: a search space.
        feasible: the limits, of this space.
        score: what is maximised, of many networks.
        population: networks that live at a time; the oldest die.
        generations: how often children are made.
        children: in a generation; as many as live where left out. The paper makes one at a time.
        tournament: networks of which the best one is the parent.
        seed: of everything random.
        tries: calls in which the first population has to be found.

    Raises:
        InputError: hardly any network keeps the limits.
        LatcastError: the target cannot be asked.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    trials = _Trials(space, feasible, score)
    alive: deque[Candidate] = deque(maxlen=population)
    for _ in range(tries):
        alive.extend(trials.of([space.sample(rng).text for _ in range(population)])[: population - len(alive)])
        if len(alive) == population:
            break
    if len(alive) < min(tournament, population):
        raise InputError(
            f"Of {counted(tries * population, 'network')} at random, {counted(len(alive), 'keeps', 'keep')} the "
            "limits: loosen them."
        )
    for _ in range(generations):
        parents = [_winner(alive, tournament, rng) for _ in range(children or population)]
        alive.extend(trials.of([_child(space, parent.text, rng) for parent in parents]))
    return sorted(trials.kept.values(), key=lambda one: -one.score)


def _winner(alive: Sequence[Candidate], size: int, rng: Any) -> Candidate:
    chosen = rng.choice(len(alive), size=min(size, len(alive)), replace=False)
    return max((alive[int(place)] for place in chosen), key=lambda one: one.score)


def _child(space: Moves, text: str, rng: Any) -> str:
    around = list(space.neighbours(Architecture(space=space.name, text=text)))
    return around[int(rng.integers(len(around)))].text


class _Trials:
    """Judges and scores networks, each once.

    Attributes:
        kept: those that kept the limits, by text.
    """

    def __init__(self, space: Moves, feasible: Feasible, score: Callable[[Sequence[str]], Sequence[float]]) -> None:
        self._space, self._feasible, self._score = space, feasible, score
        self.kept: dict[str, Candidate] = {}

    def of(self, texts: Sequence[str]) -> list[Candidate]:
        """The candidates among texts, in order."""
        judgement = self._feasible.judge(texts)
        latencies = dict(zip(texts, map(float, judgement.forecasts.latency_ms), strict=True))
        good = [text for text, keeps in zip(texts, judgement.feasible, strict=True) if keeps]
        fresh = [text for text in dict.fromkeys(good) if text not in self.kept]
        if fresh:
            scores = zip(fresh, self._score(fresh), strict=True)
            self.kept.update({text: Candidate(text, float(score), latencies[text]) for text, score in scores})
        return [self.kept[text] for text in good]

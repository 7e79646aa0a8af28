"""BRP-NAS's search (Dudziak et al., NeurIPS 2020, https://arxiv.org/abs/2007.08668, section 4.3) under limits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latcast.schema import InputError
from latcast.schema.counting import counted
from predictors.base import FloatArray, Query
from predictors.kinds.brp_nas.ranker import Ranker, select_next

__all__ = ["GuidedSearch", "guided_search"]


@dataclass(frozen=True, slots=True)
class GuidedSearch:
    """What was trained, in order.

    Args:
        places: intp (n,), indices of the candidates.
        values: float64 (n,), their values.
    """

    places: NDArray[np.intp]
    values: FloatArray

    @property
    def best(self) -> int:
        """Index of the best candidate."""
        return int(self.places[int(self.values.argmax())])


def guided_search(
    candidates: Sequence[Query],
    value_of: Callable[[Sequence[int]], Sequence[float]],
    *,
    allowed: Sequence[bool] | NDArray[np.bool_],
    make_ranker: Callable[[], Ranker] = Ranker,
    first: int = 20,
    rounds: int = 4,
    best: int = 10,
    exploring: int = 10,
    seed: int = 0,
) -> GuidedSearch:
    """Train some candidates at random; then, round by round, learn to rank and train the highest ranked and some more.

    Only candidates that keep the limits are ranked and trained, so that no training is spent on others.

    Args:
        candidates: architectures of one space.
        value_of: what is maximised, of candidates by index: trains them.
        allowed: whether each candidate keeps the limits (`latcast.Feasible` says it).
        make_ranker: an unfitted ranker for each round.
        first: trained at random at the beginning.
        rounds: that follow.
        best: the highest ranked that are trained in a round.
        exploring: trained in a round from among the better ones, at random.
        seed: of what is random.

    Raises:
        InputError: fewer candidates keep the limits than are to be trained.
    """
    left = [int(place) for place in np.flatnonzero(np.asarray(allowed))]
    wanted = first + rounds * (best + exploring)
    if len(left) < wanted:
        raise InputError(
            f"{counted(wanted, 'candidate is', 'candidates are')} to be trained, but only "
            f"{counted(len(left), 'keeps', 'keep')} the limits."
        )
    chosen = np.random.default_rng([seed, 0]).permutation(len(left))[:first]
    places = [left[int(one)] for one in chosen]
    values = [float(value) for value in value_of(places)]
    for number in range(1, rounds + 1):
        ranker = make_ranker().fit([candidates[place] for place in places], values)
        left = [place for place in left if place not in set(places)]
        ranked = [candidates[place] for place in left]
        following = select_next(ranker, ranked, round_number=number, best=best, exploring=exploring, seed=seed)
        fresh = [left[place] for place in following]
        places += fresh
        values += [float(value) for value in value_of(fresh)]
    return GuidedSearch(np.array(places, dtype=np.intp), np.array(values))

"""Contenders for a target: all bases that read the same networks, adapted together and believed by the evidence."""

from collections.abc import Sequence

from predictors.base import Predictor
from predictors.kinds.stack import StackPredictor
from predictors.kinds.stack.contest import Contender, Standing, record_of
from service.graphs.queries import reads_natively
from service.learning.catalogue import StoredPredictor, bases_for

__all__ = ["MOST_CONTENDERS", "bases_to_adapt", "leading", "unwrapped"]

MOST_CONTENDERS = 6
"""Each is adapted eleven times: to the support, and to what is left of it without each tenth; those that train networks
to adapt, four times at most."""


def bases_to_adapt(bases: Sequence[StoredPredictor], space: str) -> list[StoredPredictor]:
    """What is adapted to networks of a space, or `GRAPHS`, the first choice first.

    Where several bases read the space as it is, or else several read graphs, they come first as a stack, whose id is
    that of the first; then each by itself.
    """
    fitting = bases_for(bases, space)
    native = [base for base in fitting if reads_natively(base.predictor, space)]
    alike = (native or fitting)[:MOST_CONTENDERS]
    if len(alike) < 2:
        return fitting
    contenders = [Contender(name=one.id, predictor=one.predictor, record=record_of(one.predictor)) for one in alike]
    return [StoredPredictor(id=alike[0].id, predictor=StackPredictor.of(contenders)), *fitting]


def unwrapped(adapted: Predictor) -> tuple[Predictor, tuple[Standing, ...]]:
    """What answers, which is one contender by itself where one is believed alone, and how each contender did."""
    if not isinstance(adapted, StackPredictor) or adapted.contest_ is None:
        return adapted, ()
    believed = adapted.contest_.adapted
    return believed[0] if len(believed) == 1 else adapted, adapted.standings


def leading(base: StoredPredictor, adapted: Predictor) -> StoredPredictor:
    """The base that is believed most in what it was adapted to, or all of it where it is no stack."""
    if not isinstance(base.predictor, StackPredictor) or not isinstance(adapted, StackPredictor):
        return base
    first = max(adapted.standings, key=lambda standing: standing.weight, default=None)
    named = [one for one in base.predictor.contenders if first is not None and one.name == first.name]
    # A stack that was trained as such names its contenders by their kinds, and has one row.
    if not named or base.id not in {one.name for one in base.predictor.contenders}:
        return base
    return StoredPredictor(id=named[0].name, predictor=named[0].predictor)

"""A target's forecasts of a search space as a table: what each option costs at each position.

Searches by gradient (FBNet, ProxylessNAS, SNAS, DARTS with a latency term) need latency as a sum over positions. The
table is the sum that comes closest to the forecasts of architectures at random, and says how close that is.
"""

from dataclasses import dataclass

import numpy as np

from latcast.schema import InputError, TargetId
from predictors.inference.additive_costs import AdditiveCosts, fit_costs
from profilers.search_spaces import Position, get_space
from service.forecasting.types import Forecast, ForecasterLike
from service.graphs.resolver import Item

__all__ = ["LookupTable", "lookup_table"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupTable:
    """What options cost on a target.

    Args:
        space: name of the search space.
        positions: of its architectures.
        costs: of their options.
        predictor: id of the predictor whose forecasts it is made of; None where several answered, or measurements.
        measured: architectures among them that were measured.
    """

    space: str
    positions: tuple[Position, ...]
    costs: AdditiveCosts
    predictor: str | None
    measured: int


def lookup_table(
    forecaster: ForecasterLike, target_id: TargetId, space_name: str, *, samples: int, seed: int = 0
) -> LookupTable:
    """The table of a search space on a target.

    Args:
        forecaster: of the service.
        target_id: the target.
        space_name: of the search space.
        samples: architectures at random whose forecasts it is made of.
        seed: of them.

    Raises:
        NotFoundError: nobody registered the target.
        UnknownNameError: there is no such space.
        InputError: the space's architectures have no fixed positions, or the samples are too few.
        ConflictError: no predictor answers.
    """
    space = get_space(space_name)
    positions = space.positions()
    if not positions:
        raise InputError(
            f"Architectures of {space.name} have no fixed positions, so there is no table of their options."
        )
    rng = np.random.default_rng(seed)
    drawn = list(dict.fromkeys(space.sample(rng) for _ in range(samples)))
    answers = forecaster.forecast(target_id, [Item(space=one.space, text=one.text) for one in drawn], 0.9)
    good = [(one, answer) for one, answer in zip(drawn, answers, strict=True) if isinstance(answer, Forecast)]
    if not good:
        raise next(answer for answer in answers if not isinstance(answer, Forecast))
    choices = np.array([space.choices(one) for one, _ in good], dtype=np.intp)
    latency_ms = np.array([answer.latency_ms for _, answer in good])
    predictors = {answer.predictor for _, answer in good if answer.predictor is not None}
    return LookupTable(
        space=space.name,
        positions=positions,
        costs=fit_costs(choices, [len(position.options) for position in positions], latency_ms),
        predictor=predictors.pop() if len(predictors) == 1 else None,
        measured=sum(answer.source == "measured" for _, answer in good),
    )

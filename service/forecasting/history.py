"""How forecasts did: a target's adaptations by how many networks they had, the forecast that stood before a
measurement, and the operators of what was measured.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from latcast.schema import TargetId
from service.db.statements import chunks
from service.db.tables import Adaptation, GraphFacts, Score
from service.forecasting.types import QualityPair

__all__ = ["AdaptationError", "ForecastBefore", "adaptation_errors", "forecast_before", "forecasts_before",
           "pairs_by_operator"]  # fmt: skip

MOST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptationError:
    """How good an adaptation was when it was made.

    Args:
        samples: measured networks that it rests on.
        median_ape: median absolute percentage error on them as a share, each forecast by an adaptation without it;
            None where too few are left.
        predictor: id of the base predictor.
        active: whether it answers now.
        created_unix_s: when it was made.
    """

    samples: int
    median_ape: float | None
    predictor: str
    active: bool
    created_unix_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastBefore:
    """The forecast of a network that stood until it was measured.

    Args:
        latency_ms: the forecast.
        interval_ms: (low, high) at the level 0.9; None where nobody claimed one.
        predictor: id of who answered.
        adapted: whether that was adapted to the target.
    """

    latency_ms: float
    interval_ms: tuple[float, float] | None
    predictor: str
    adapted: bool


def forecast_before(session: Session, measurement_id: int) -> ForecastBefore | None:
    """The forecast that a measurement was compared with; None where the network had been measured before."""
    return forecasts_before(session, [measurement_id]).get(measurement_id)


def forecasts_before(session: Session, measurement_ids: Collection[int]) -> dict[int, ForecastBefore]:
    """The forecasts that measurements were compared with, by the measurement's id; those without one are left out."""
    found: dict[int, ForecastBefore] = {}
    for part in chunks(measurement_ids):
        scores = session.scalars(select(Score).where(Score.measurement_id.in_(part)))
        found |= {score.measurement_id: _forecast_of(score) for score in scores}
    return found


def _forecast_of(score: Score) -> ForecastBefore:
    interval_ms = None
    if score.half_width is not None:
        factor = math.exp(score.half_width * score.interval_scale)
        interval_ms = (score.forecast_ms / factor, score.forecast_ms * factor)
    return ForecastBefore(
        latency_ms=score.forecast_ms, interval_ms=interval_ms, predictor=score.predictor, adapted=score.adapted
    )


def adaptation_errors(session: Session, target_id: TargetId) -> list[AdaptationError]:
    """The target's newest adaptations, the oldest of them first; those that ended are among them."""
    query = select(Adaptation).where(Adaptation.target_id == target_id)
    rows = session.scalars(query.order_by(Adaptation.created_unix_s.desc()).limit(MOST)).all()
    return [
        AdaptationError(
            samples=int(row.metrics.get("support", len(row.support))),
            median_ape=row.metrics.get("support_loo_median_ape"),
            predictor=row.predictor_id,
            active=row.active,
            created_unix_s=row.created_unix_s,
        )
        for row in reversed(rows)
    ]


def pairs_by_operator(session: Session, pairs: Sequence[QualityPair]) -> dict[str, list[int]]:
    """Places of the pairs whose network has each operator; those without a graph have none."""
    operators: dict[str, Sequence[str]] = {}
    for part in chunks({pair.graph for pair in pairs if pair.graph}):
        rows = session.execute(select(GraphFacts.hash, GraphFacts.operators).where(GraphFacts.hash.in_(part)))
        operators |= {graph: names.split() for graph, names in rows}
    places: dict[str, list[int]] = {}
    for place, pair in enumerate(pairs):
        for name in operators.get(pair.graph or "", ()):
            places.setdefault(name, []).append(place)
    return places

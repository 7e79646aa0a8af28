"""How much wider or narrower a target's intervals have to be, by what was measured after they were given."""

import math
from collections.abc import Mapping

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from latcast.schema import TargetId
from predictors.inference.adaptive_conformal import tracked_scales
from service.db.tables import Measurement, Score

__all__ = ["IntervalScales", "interval_scales", "score_of", "scores_of"]

IntervalScales = Mapping[tuple[str, bool], float]
"""By the space that a predictor reads as text, `""` for one that reads graphs, and by whether it is adapted."""
LAST = 200
"""Scores of a target that count: those of long ago have no say."""


def interval_scales(session: Session, target_id: TargetId) -> IntervalScales:
    """Factors on the width of intervals for a target, after all that was scored; 1 is left out."""
    by_kind: dict[tuple[str, bool], list[float]] = {}
    for row in reversed(session.scalars(scores_of(target_id).order_by(Score.id.desc()).limit(LAST)).all()):
        score = score_of(row.forecast_ms, row.measured_ms, row.half_width)
        if score is not None:
            by_kind.setdefault((row.space, row.adapted), []).append(score)
    return {key: tracked_scales(scores)[-1] for key, scores in by_kind.items()}


def scores_of(target_id: TargetId) -> Select[Score]:
    """The scores of a target, but for those of measurements that are hidden."""
    return select(Score).join(Measurement, Measurement.id == Score.measurement_id).where(Score.target_id == target_id)


def score_of(forecast_ms: float, measured_ms: float, half_width: float | None) -> float | None:
    """|log(measured / forecast)| over the interval's half-width; None where nobody claimed an interval."""
    if half_width is None or half_width <= 0:
        return None
    return abs(math.log(measured_ms / forecast_ms)) / half_width

"""Targets whose machine became slower or faster: the sentinel, a small network that runs beside every measurement."""

from collections.abc import Mapping
from statistics import median

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from latcast.schema import TargetId
from service.db.tables import Measurement
from service.db.visibility import ALL_ROWS

__all__ = ["WORTH_SAYING", "drifts"]

NEWEST_ROWS = 5000
"""Measurements of all targets together that are looked at."""
LATEST, FEWEST = 5, 15
"""Rows of a target that say how fast it is now, and how many it takes to say how fast it was."""
WORTH_SAYING = 0.1
"""Share by which a machine has to differ; clocks and temperature alone make a few percent."""


def drifts(session: Session) -> Mapping[TargetId, float]:
    """How much longer than before the sentinel takes on each target, as a share (0.2 is a fifth longer).

    The median of the latest measurements over the median of those before them, of what was measured lately; targets
    with few measurements are left out.
    """
    newest = session.scalar(select(func.max(Measurement.id)), execution_options=ALL_ROWS) or 0
    rows = select(Measurement.target_id, Measurement.sentinel_median_ms).where(Measurement.id > newest - NEWEST_ROWS)
    by_target: dict[TargetId, list[float]] = {}
    for target_id, ms in session.execute(rows.order_by(Measurement.id)):
        if ms is not None:
            by_target.setdefault(target_id, []).append(ms)
    return {
        target_id: median(readings[-LATEST:]) / median(readings[:-LATEST]) - 1
        for target_id, readings in by_target.items()
        if len(readings) >= FEWEST
    }

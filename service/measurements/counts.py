"""How many measurements each target has: counted whole once, then only what was added since."""

import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from latcast.schema import TargetId
from service.db.tables import Measurement, Target
from service.db.visibility import ALL_ROWS

__all__ = ["MeasuredCounts"]

NEWEST = 200
"""Ids that are counted every time: writers beside each other commit them in any order."""
RECOUNT_S = 600.0
"""Rows may be taken away, which a number that only grows does not notice: so often all is counted anew."""


@dataclass(slots=True)
class _Counted:
    last_id: int = 0
    revisions: int = 0
    since: float = field(default_factory=time.monotonic)
    rows: Counter[TargetId] = field(default_factory=Counter)


class MeasuredCounts:
    """Counts measurements with a latency by target. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counted = _Counted()

    def of(self, session: Session) -> Mapping[TargetId, int]:
        """How many each target has now; those without any are left out."""
        with self._lock:
            revisions = session.scalar(select(func.sum(Target.revision)), execution_options=ALL_ROWS) or 0
            if time.monotonic() - self._counted.since > RECOUNT_S or revisions != self._counted.revisions:
                self._counted = _Counted(revisions=revisions)
            counted = self._counted
            settled = (session.scalar(select(func.max(Measurement.id)), execution_options=ALL_ROWS) or 0) - NEWEST
            if settled - counted.last_id > NEWEST:
                counted.rows += _rows(session, counted.last_id, settled)
                counted.last_id = settled
            return counted.rows + _rows(session, counted.last_id, None)


def _rows(session: Session, after: int, last: int | None) -> Counter[TargetId]:
    """Rows by target whose ids lie behind one, up to another one; by the narrow index, which begins with targets."""
    table = Measurement
    targets = select(Target.id).execution_options(**ALL_ROWS)
    query = select(table.target_id, func.count()).where(table.median_ms.is_not(None), table.id > after)
    query = query.where(table.target_id.in_(session.scalars(targets).all()))
    if last is not None:
        query = query.where(table.id <= last)
    return Counter({row[0]: row[1] for row in session.execute(query.group_by(table.target_id))})

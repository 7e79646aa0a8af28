"""How many measurements there are, and when they were made: counted once, then only what was added since."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Integer, Row, case, cast, func, select
from sqlalchemy.orm import Session

from service.db.tables import Measurement, Target
from service.db.visibility import ALL_ROWS

__all__ = ["Activity", "ActivityCounts", "Hour"]

HOUR_S = 3600
RECOUNT_S = 600.0
"""Rows may be taken away, which a number that only grows does not notice: so often all is counted anew."""


@dataclass(slots=True, kw_only=True)
class Hour:
    """Measurements that were stored in one hour; `measured` counts the noisy ones too."""

    at_unix_s: int
    measured: int = 0
    noisy: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityCounts:
    """Totals of the database, and its latest hours, the oldest first and none left out."""

    measured: int
    noisy: int
    failed: int
    hours: Sequence[Hour]


@dataclass(slots=True)
class _Counted:
    last_id: int = 0
    revisions: int = 0
    since: float = field(default_factory=time.monotonic)
    hours: dict[int, Hour] = field(default_factory=dict)


class Activity:
    """Counts measurements by hour. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counted = _Counted()

    def counts(self, session: Session, *, hours: int) -> ActivityCounts:
        """What there is now.

        Args:
            session: reads.
            hours: how many of the latest are listed.
        """
        with self._lock:
            revisions = session.scalar(select(func.sum(Target.revision)), execution_options=ALL_ROWS) or 0
            if time.monotonic() - self._counted.since > RECOUNT_S or revisions != self._counted.revisions:
                self._counted = _Counted(revisions=revisions)
            self._count(session)
            counted = self._counted.hours
            now = int(time.time()) // HOUR_S
            return ActivityCounts(
                measured=sum(hour.measured for hour in counted.values()),
                noisy=sum(hour.noisy for hour in counted.values()),
                failed=sum(hour.failed for hour in counted.values()),
                hours=[
                    counted.get(number) or Hour(at_unix_s=number * HOUR_S) for number in range(now - hours + 1, now + 1)
                ],
            )

    def _count(self, session: Session) -> None:
        last_id = session.scalar(select(func.max(Measurement.id))) or 0
        if last_id == self._counted.last_id:
            return
        for row in session.execute(_query(self._counted.last_id, last_id)):
            self._add(row)
        self._counted.last_id = last_id

    def _add(self, row: Row[Any]) -> None:
        hour = self._counted.hours.setdefault(row.hour, Hour(at_unix_s=row.hour * HOUR_S))
        hour.failed += row.failed
        hour.measured += row.rows - row.failed
        hour.noisy += row.noisy


def _query(after: int, last: int) -> Any:
    """Counts by hour; without a lower end, so that the first look can read the narrow index alone."""
    hour = cast(func.floor(Measurement.created_unix_s / HOUR_S), Integer).label("hour")
    query = select(
        hour,
        func.count().label("rows"),
        func.sum(case((Measurement.noisy, 1), else_=0)).label("noisy"),
        func.sum(case((Measurement.median_ms.is_(None), 1), else_=0)).label("failed"),
    ).where(Measurement.id <= last)
    if after:
        query = query.where(Measurement.id > after)
    return query.group_by(hour)

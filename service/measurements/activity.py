"""How many measurements there are, and when they were made: counted once, then only what was added since."""

import threading
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Integer, Row, case, cast, func, select
from sqlalchemy.orm import Session

from latcast.schema import TargetId
from service.db.tables import Measurement, Target
from service.db.visibility import ALL_ROWS

__all__ = ["Activity", "ActivityCounts", "Hour"]

HOUR_S = 3600
NEWEST = 200
"""Ids that are counted every time: writers beside each other commit them in any order."""
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
            counted = self._count(session)
            now = int(time.time()) // HOUR_S
            return ActivityCounts(
                measured=sum(hour.measured for hour in counted.values()),
                noisy=sum(hour.noisy for hour in counted.values()),
                failed=sum(hour.failed for hour in counted.values()),
                hours=[
                    counted.get(number) or Hour(at_unix_s=number * HOUR_S) for number in range(now - hours + 1, now + 1)
                ],
            )

    def _count(self, session: Session) -> Mapping[int, Hour]:
        """Every hour by its number; what is older than the newest ids is counted once."""
        counted, targets = self._counted, session.scalars(select(Target.id)).all()
        settled = (session.scalar(select(func.max(Measurement.id)), execution_options=ALL_ROWS) or 0) - NEWEST
        if settled - counted.last_id > NEWEST:
            _add(counted.hours, session.execute(_query(targets, counted.last_id, settled)))
            counted.last_id = settled
        hours = {number: replace(hour) for number, hour in counted.hours.items()}
        _add(hours, session.execute(_query(targets, counted.last_id, None)))
        return hours


def _add(hours: dict[int, Hour], rows: Iterable[Row[Any]]) -> None:
    for row in rows:
        hour = hours.setdefault(row.hour, Hour(at_unix_s=row.hour * HOUR_S))
        hour.failed += row.failed
        hour.measured += row.rows - row.failed
        hour.noisy += row.noisy


def _query(targets: Collection[TargetId], after: int, last: int | None) -> Any:
    """Counts by hour of the rows of these targets whose ids lie behind one, up to another one; without a lower end
    where all are counted, so that the narrow index is read alone.
    """
    hour = cast(func.floor(Measurement.created_unix_s / HOUR_S), Integer).label("hour")
    query = select(
        hour,
        func.count().label("rows"),
        func.sum(case((Measurement.noisy, 1), else_=0)).label("noisy"),
        func.sum(case((Measurement.median_ms.is_(None), 1), else_=0)).label("failed"),
    ).where(Measurement.target_id.in_(targets))
    if after:
        query = query.where(Measurement.id > after)
    if last is not None:
        query = query.where(Measurement.id <= last)
    return query.group_by(hour)

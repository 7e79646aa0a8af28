"""The columns of targets that somebody looks at, kept while there is memory and renewed by what was added."""

import threading
import time
from dataclasses import dataclass, replace

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from latcast.schema import TargetId
from profilers.caching import Cache
from service.db.changes import Changes
from service.db.session import Database
from service.db.tables import Architecture, Measurement
from service.measurements.columns import TargetColumns, loaded, with_names

__all__ = ["ColumnStore"]

RECOUNT_S = 30.0
"""So often at most it is counted whether rows were taken away, or networks named."""


@dataclass(frozen=True, slots=True)
class _Kept:
    columns: TargetColumns
    generation: int
    counted_at: float
    named: int


class ColumnStore:
    """Columns by target. Thread-safe; of one target only one caller loads at a time.

    Args:
        database: read.
        changes: tells when something was committed.
        cache_bytes: most memory for columns that are kept.
    """

    def __init__(self, database: Database, changes: Changes, *, cache_bytes: int) -> None:
        self._database, self._changes = database, changes
        self._kept: Cache[TargetId, _Kept] = Cache(cache_bytes, weigh=lambda kept: kept.columns.size_bytes)
        self._lock = threading.Lock()
        self._loading: dict[TargetId, threading.Lock] = {}

    def of(self, target_id: TargetId) -> TargetColumns:
        """The target's rows as they are now."""
        generation = self._changes.generation
        with self._lock:
            kept = self._kept.get(target_id)
            if kept is not None and kept.generation == generation:
                return kept.columns
            loading = self._loading.setdefault(target_id, threading.Lock())
        with loading:
            return self._renewed(target_id, generation)

    def _renewed(self, target_id: TargetId, generation: int) -> TargetColumns:
        with self._lock:
            kept = self._kept.get(target_id)
        if kept is not None and kept.generation >= generation:
            return kept.columns
        with self._database.read() as session:
            kept = self._read(session, target_id, kept, generation)
        with self._lock:
            self._kept.put(target_id, kept)
        return kept.columns

    def _read(self, session: Session, target_id: TargetId, kept: _Kept | None, generation: int) -> _Kept:
        now = time.monotonic()
        if kept is not None and now - kept.counted_at < RECOUNT_S:
            return replace(kept, columns=loaded(session, target_id, kept.columns), generation=generation)
        named = session.scalar(select(func.count(Architecture.graph_hash))) or 0
        columns = loaded(session, target_id, kept.columns if kept else None)
        if kept is not None:
            count = session.scalar(select(func.count()).where(Measurement.target_id == target_id))
            if count != len(columns):
                columns = loaded(session, target_id)
            elif named != kept.named:
                columns = with_names(session, columns)
        return _Kept(columns, generation, now, named)

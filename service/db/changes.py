"""Whether anything was committed to the database, by any process: one number, asked for ten times a second.

Agents commit all the time. What forecasts and keys depend on changes less often: after a commit a few aggregates tell
which of it did, so that what is kept of a target need not be looked up again because another one was measured.
"""

import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import structlog
from sqlalchemy import Connection, Dialect, Select, bindparam, distinct, func, select, true
from sqlalchemy.exc import SQLAlchemyError

from latcast.schema import TargetId
from service.db import tables
from service.db.session import READ_ONLY, Database
from service.db.statements import chunks

__all__ = ["LOOK_SECONDS", "Changes"]

LOOK_SECONDS = 0.1
"""Pause between two looks."""

_SIGNS = {
    "sqlite": "PRAGMA data_version",
    "postgresql": "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()"
    " ELSE pg_current_wal_insert_lsn() END",
}
"""What differs once another connection has committed: SQLite's own counter, PostgreSQL's place in its log."""
MOST_TARGETS = 10_000
"""Targets whose changes are told apart."""

log = structlog.get_logger(__name__)


class Changes:
    """Counts commits by whoever; what was read before one may be out of date. Thread-safe.

    Attributes:
        generation: a number that grows when something was committed, or when the database cannot be asked.
        noticed_at: `time.monotonic()` at which it grew last.
        reachable: whether the database answered the last look.
    """

    def __init__(self, database: Database) -> None:
        self._engine = database.engine.execution_options(**{READ_ONLY: True})
        self._connection: Connection | None = None
        self._sign: object = None
        self._lock = threading.Lock()
        self.generation, self.noticed_at, self.reachable = 0, time.monotonic(), False
        self._seen: _Seen | None = None
        self._of_keys = self._of_all_targets = 0
        self._of_target: dict[TargetId, int] = {}

    @property
    def of_keys(self) -> int:
        """The generation in which keys, or whose they are, changed last."""
        return self._of_keys

    def of_target(self, target_id: TargetId) -> int:
        """The generation in which something that forecasts for a target rest on changed last."""
        return max(self._of_all_targets, self._of_target.get(target_id, 0))

    def look(self) -> bool:
        """Ask the database once; False, as the thread that calls it again has nothing to catch up with."""
        with self._lock:
            self._look()
        return False

    def _look(self) -> None:
        try:
            sign, seen, changed = self._ask()
        except SQLAlchemyError as error:
            self._give_back()
            if self.reachable:
                log.warning("the database cannot be asked for changes", reason=type(error).__name__)
            self._grow(None, None, (), reachable=False)
            return
        if sign != self._sign or not self.reachable:
            self._grow(sign, seen, changed, reachable=True)

    def close(self) -> None:
        """Give the connection back; the next look takes a new one."""
        with self._lock:
            self._give_back()

    def _give_back(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()

    def _ask(self) -> "tuple[object, _Seen | None, Collection[TargetId]]":
        """(what differs after a commit, what was seen after one, targets that were measured or adapted since)."""
        if self._connection is None:
            # SQLite's counter tells a connection of the others' commits only: it has to stay the same.
            self._connection = self._engine.connect()
        with self._connection.begin():  # a transaction that stays open sees no commit of others
            sign = self._connection.exec_driver_sql(_SIGNS[self._connection.dialect.name]).scalar()
            if sign == self._sign and self.reachable:
                return sign, None, ()
            seen = _look_closer(self._connection)
            return sign, seen, _changed_between(self._connection, self._seen, seen)

    def _grow(self, sign: object, seen: "_Seen | None", changed: Collection[TargetId], *, reachable: bool) -> None:
        generation, before = self.generation + 1, self._seen
        if seen is None or before is None or seen.keys != before.keys:
            self._of_keys = generation
        is_less = seen is not None and before is not None and seen.newest < before.newest
        too_many = len(self._of_target) + len(changed) > MOST_TARGETS
        if seen is None or before is None or seen.serving != before.serving or is_less or too_many:
            self._of_all_targets, self._of_target = generation, {}
        else:
            self._of_target |= dict.fromkeys(changed, generation)
        self._sign, self._seen, self.reachable = sign, seen, reachable
        self.noticed_at = time.monotonic()
        self.generation = generation


@dataclass(frozen=True, slots=True)
class _Seen:
    """What keys and forecasts depend on, in short.

    Args:
        keys: of keys and agents.
        serving: of predictors and targets.
        adapted: the active adaptation of each target that has one.
        newest: id of the newest measurement, 0 without any.
        revisions: of targets whose measurements were hidden, shown again or merged, by id.
        scored: id of the newest score, 0 without any.
    """

    keys: tuple[object, ...]
    serving: tuple[object, ...]
    adapted: Mapping[TargetId, str]
    newest: int
    revisions: Mapping[TargetId, int]
    scored: int


def _look_closer(connection: Connection) -> _Seen:
    (counts,), predictors, adapted, revised = (
        connection.exec_driver_sql(each).all() for each in _spelt_out(connection.dialect)
    )
    return _Seen(
        keys=counts[:_OF_KEYS],
        serving=(*counts[_OF_KEYS:-2], *(predictor for (predictor,) in predictors)),
        adapted=dict(map(tuple, adapted)),
        newest=counts[-2] or 0,
        revisions=dict(map(tuple, revised)),
        scored=counts[-1] or 0,
    )


def _counts() -> tuple[Select[*tuple[Any, ...]], int]:
    """(everything that is one number, in one row: of keys and agents, of targets, newest measurement and score; how
    many of these are of keys and agents).
    """
    key, agent, target = tables.ApiKey, tables.Agent, tables.Target
    keys = select(
        func.count().label("keys"), func.count(key.revoked_unix_s).label("revoked"),
        func.count(key.expires_unix_s).label("expiring"), func.sum(key.expires_unix_s).label("expire"),
        func.count(key.first_used_unix_s).label("used"),
    ).select_from(key).subquery()  # fmt: skip
    agents = select(
        func.count().label("agents"), func.count(distinct(agent.device_id)).label("devices")
    ).select_from(agent).subquery()  # fmt: skip
    targets = select(
        func.count().label("targets"), func.count(target.former_id).label("moved"),
        func.count(target.hidden_unix_s).label("hidden"), func.sum(target.hidden_unix_s).label("hidden_at"),
    ).select_from(target).subquery()  # fmt: skip
    newest = [select(func.max(table.id)).scalar_subquery() for table in (tables.Measurement, tables.Score)]
    each = keys.join(agents, true()).join(targets, true())
    return select(*keys.c, *agents.c, *targets.c, *newest).select_from(each), len(keys.c) + len(agents.c)


# Put together once: that takes longer than to answer them.
_COUNTS, _OF_KEYS = _counts()
_PREDICTORS = select(tables.Predictor.id).where(tables.Predictor.active).order_by(tables.Predictor.id)
_ADAPTED = select(tables.Adaptation.target_id, tables.Adaptation.id).where(tables.Adaptation.active)
_REVISED = select(tables.Target.id, tables.Target.revision).where(tables.Target.revision > 0)
_NEWER = {
    table: select(table.target_id).distinct().where(table.id > bindparam("since"))
    for table in (tables.Measurement, tables.Score)
}


@lru_cache(maxsize=8)
def _spelt_out(dialect: Dialect) -> tuple[str, ...]:
    """The statements of a closer look as a database is asked them: beside agents there are ten looks a second, and
    SQLAlchemy takes several times as long to come by its text of a statement as the database to answer it.
    """
    statements = (_COUNTS, _PREDICTORS, _ADAPTED, _REVISED)
    return tuple(str(each.compile(dialect=dialect, compile_kwargs={"literal_binds": True})) for each in statements)


def _changed_between(connection: Connection, before: _Seen | None, seen: _Seen) -> Collection[TargetId]:
    """Targets that were measured, scored or adapted in between, or whose measurements were hidden, shown again or
    merged; with an adaptation all targets of its device, which may be answered by what is carried over.
    """
    if before is None:
        return ()
    changed = {name for name, revision in seen.revisions.items() if before.revisions.get(name, 0) != revision}
    for table, since, until in (
        (tables.Measurement, before.newest, seen.newest),
        (tables.Score, before.scored, seen.scored),
    ):
        if until > since:
            changed |= set(connection.scalars(_NEWER[table], {"since": since}))
    adapted = {name for name, _ in before.adapted.items() ^ seen.adapted.items()}
    for part in chunks(adapted):
        devices = select(tables.Target.device_id).where(tables.Target.id.in_(part))
        changed |= set(connection.scalars(select(tables.Target.id).where(tables.Target.device_id.in_(devices))))
    return changed | adapted

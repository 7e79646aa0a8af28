"""Public tables in the database: all of an import, or nothing of it.

Rows are put into temporary tables first, where nobody waits for them. What the database does not have is then taken
over by statements that both databases execute in bulk; a process that dies before its end leaves nothing behind. On
SQLite the taking over is a short transaction of its own, for others cannot write meanwhile; on PostgreSQL all of it is
one transaction, because a pooler may give the next one another connection, which lacks the temporary tables.
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Double,
    Integer,
    MetaData,
    ScalarSelect,
    String,
    Table,
    and_,
    case,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    update,
)

from latcast.schema import Target
from predictors.base import Progress, Query
from predictors.data.importers import Imported
from profilers.progress import no_progress
from service.db import records, tables
from service.db.session import READ_ONLY, Database
from service.db.statements import chunks, insert_missing, lock_until_commit
from service.graphs.store import facts_of

__all__ = ["Stored", "store"]

ADVISORY_LOCK = 0x1A7CA58
"""Key of the PostgreSQL lock that makes a second import wait for the first; on SQLite writers wait anyway."""
STAGE_ROWS = 20_000
NO_PROTOCOL = 0
"""Version of our measuring protocol for numbers that others measured."""

_METADATA = MetaData()
_WHAT = Table(
    "import_what",
    _METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("space", String),
    Column("text", String),
    Column("graph_hash", String),
    Column("architecture_id", BigInteger),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DROP",
)
"""The networks of an import, each once: an architecture, or a graph."""
_ROW = Table(
    "import_row",
    _METADATA,
    Column("target_id", String),
    Column("number", Integer),
    Column("latency_ms", Double),
    Column("known_ms", Double),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DROP",
)
"""Its latencies; `known_ms` is the newest that the database has for the same target and network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What an import changed.

    Args:
        targets: columns that the database did not have.
        added: rows for networks that their target had no latency of.
        changed: rows that differ from what was imported before; the new value counts from now on.
        known: rows that the database had already, with the same value.
    """

    targets: int
    added: int
    changed: int
    known: int


def store(database: Database, imported: Imported, *, progress: Progress | None = None) -> Stored:
    """Take over what the database does not have; doing so twice changes nothing the second time.

    Args:
        database: at the newest migration; other processes may use it meanwhile.
        imported: what an importer read.
        progress: called with the share that is done.

    Raises:
        InputError: a name that a database cannot keep; nothing is changed.
    """
    tell = progress or no_progress
    targets = [_target_values(imported, index) for index in range(len(imported.report.targets))]
    with database.engine.connect() as connection:
        connection.detach()  # closed afterwards, and the temporary tables with it
        if connection.dialect.name == "postgresql":
            with connection.begin():
                graphs = _stage(connection, imported, tell)
                return _take_over(connection, targets, graphs, statistic=imported.statistic)
        connection.execution_options(**{READ_ONLY: True})
        with connection.begin():
            graphs = _stage(connection, imported, tell)
        connection.execution_options(**{READ_ONLY: False})
        with connection.begin():
            return _take_over(connection, targets, graphs, statistic=imported.statistic)


def _target_values(imported: Imported, index: int) -> dict[str, Any]:
    target = imported.report.targets[index]
    record = records.storable(target)
    return {
        "id": target.id,
        "backend": target.backend,
        "origin": target.origin,
        "record": record,
        "offered": False,  # nobody measures on it
    }


# --- Staging: touches no table that others use ------------------------------------------------------------------


def _stage(connection: Connection, imported: Imported, tell: Progress) -> list[dict[str, Any]]:
    """Fill the temporary tables; rows of the graphs that the database lacks."""
    _METADATA.create_all(connection, checkfirst=False)
    queries, latency_ms = imported.dataset.queries, imported.dataset.latency_ms.tolist()
    ids = _TargetIds()
    numbers: dict[tuple[str, str], int] = {}
    rows = [
        {"target_id": ids.of(query.target), "number": numbers.setdefault(_key(query), len(numbers)), "latency_ms": ms}
        for query, ms in zip(queries, latency_ms, strict=True)
    ]
    for done, part in enumerate(_batches(rows), start=1):
        connection.execute(insert(_ROW), part)
        tell(0.5 * min(1.0, done * STAGE_ROWS / len(rows)), "staging")
    for part in _batches([_what_values(key, number) for key, number in numbers.items()]):
        connection.execute(insert(_WHAT), part)
    if connection.dialect.name == "postgresql":
        for table in (_ROW, _WHAT):
            connection.execute(text(f"ANALYZE {table.name}"))
    graphs = _missing_graphs(connection, imported)
    tell(0.6, "writing")
    return graphs


class _TargetIds:
    """Ids of targets, each derived once: rows of a column share their target."""

    def __init__(self) -> None:
        self._ids: dict[int, str] = {}

    def of(self, target: Target) -> str:
        if id(target) not in self._ids:
            self._ids[id(target)] = target.id
        return self._ids[id(target)]


def _key(query: Query) -> tuple[str, str]:
    """(space, text) of an architecture, ("", hash) of a graph."""
    if query.architecture is not None:
        return query.architecture.space, query.architecture.text
    return "", query.graph.hash


def _what_values(key: tuple[str, str], number: int) -> dict[str, Any]:
    space, name = key
    if space:
        return {"number": number, "space": space, "text": name, "graph_hash": None}
    return {"number": number, "space": None, "text": None, "graph_hash": name}


def _batches(rows: Sequence[dict[str, Any]]) -> Iterator[Sequence[dict[str, Any]]]:
    for start in range(0, len(rows), STAGE_ROWS):
        yield rows[start : start + STAGE_ROWS]


def _missing_graphs(connection: Connection, imported: Imported) -> list[dict[str, Any]]:
    """Rows of the graphs that came with the table and that the database lacks."""
    known: set[str] = set()
    for part in chunks(list(imported.models)):
        known.update(connection.scalars(select(tables.Graph.hash).where(tables.Graph.hash.in_(part))))
    graphs = {query.graph.hash: query.graph for query in imported.dataset.queries if query.has_graph}
    return [
        {
            "hash": graph_hash,
            "model": zlib.compress(model),
            "summary": graphs[graph_hash].summary,
        }
        for graph_hash, model in imported.models.items()
        if graph_hash in graphs and graph_hash not in known
    ]


# --- Taking over: one transaction --------------------------------------------------------------------------------


def _take_over(
    connection: Connection, targets: list[dict[str, Any]], graphs: list[dict[str, Any]], *, statistic: str
) -> Stored:
    lock_until_commit(connection, ADVISORY_LOCK)
    new_targets = _insert_targets(connection, targets)
    for part in _batches(graphs):
        connection.execute(insert_missing(connection, tables.Graph), part)
        facts = [facts_of(graph["hash"], graph["summary"]) for graph in part]
        connection.execute(insert_missing(connection, tables.GraphFacts), facts)
    _insert_architectures(connection)
    _find_known(connection)
    counts = _counts(connection)
    connection.execute(_measurements(statistic))
    return Stored(targets=new_targets, **counts)


def _insert_targets(connection: Connection, targets: list[dict[str, Any]]) -> int:
    ids = [target["id"] for target in targets]
    before = {row for part in chunks(ids) for row in connection.scalars(_known_targets(part))}
    missing = [target for target in targets if target["id"] not in before]
    if missing:
        connection.execute(insert_missing(connection, tables.Target), missing)
    return len(missing)


def _known_targets(ids: list[str]) -> Any:
    return select(tables.Target.id).where(tables.Target.id.in_(ids))


def _insert_architectures(connection: Connection) -> None:
    """Architectures that are missing; then every staged one knows its number."""
    named = select(_WHAT.c.space, _WHAT.c.text).where(_WHAT.c.text.is_not(None)).order_by(_WHAT.c.number)
    connection.execute(insert_missing(connection, tables.Architecture).from_select(["space", "text"], named))
    own = select(tables.Architecture.id).where(
        tables.Architecture.space == _WHAT.c.space, tables.Architecture.text == _WHAT.c.text
    )
    connection.execute(
        update(_WHAT).where(_WHAT.c.text.is_not(None)).values(architecture_id=own.correlate(_WHAT).scalar_subquery())
    )


def _find_known(connection: Connection) -> None:
    """Note beside each staged row the newest latency that the database has for it."""
    connection.execute(
        update(_ROW)
        .where(_ROW.c.number == _WHAT.c.number)
        .values(known_ms=case((_WHAT.c.graph_hash.is_(None), _newest("architecture_id")), else_=_newest("graph_hash")))
    )


def _newest(column: str) -> ScalarSelect[Any]:
    table = tables.Measurement
    same = getattr(table, column) == _WHAT.c[column]
    query = select(table.median_ms).where(table.target_id == _ROW.c.target_id, same)
    return query.order_by(table.id.desc()).limit(1).correlate(_ROW, _WHAT).scalar_subquery()


def _counts(connection: Connection) -> dict[str, int]:
    differs = _ROW.c.known_ms != _ROW.c.latency_ms
    counted = {"added": _ROW.c.known_ms.is_(None), "changed": differs, "known": _ROW.c.known_ms == _ROW.c.latency_ms}
    row = connection.execute(
        select(*(func.coalesce(func.sum(case((condition, 1), else_=0)), 0) for condition in counted.values()))
    ).one()
    return dict(zip(counted, (int(value) for value in row), strict=True))


def _measurements(statistic: str) -> Any:
    """The insertion of every row that is new or differs; columns that are not named get the table's defaults."""
    table = tables.Measurement
    values: dict[str, ColumnElement[Any]] = {
        "target_id": _ROW.c.target_id,
        "architecture_id": _WHAT.c.architecture_id,
        "graph_hash": _WHAT.c.graph_hash,
        "statistic": literal(statistic),
        "median_ms": _ROW.c.latency_ms,
        **{name: literal([], table.__table__.c[name].type) for name in ("feeds", "runs", "sentinel_ms")},
        "settings": literal({}, table.__table__.c["settings"].type),
        "protocol_version": literal(NO_PROTOCOL),
    }
    new = or_(_ROW.c.known_ms.is_(None), _ROW.c.known_ms != _ROW.c.latency_ms)
    rows = select(*values.values()).where(and_(_ROW.c.number == _WHAT.c.number, new))
    ordered = rows.order_by(_ROW.c.target_id, _WHAT.c.number)
    return insert(table).from_select(list(values), ordered)

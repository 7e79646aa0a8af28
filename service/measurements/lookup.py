"""What is known of a target: latencies by network, the row that speaks for each, and in what way it was measured.

A network may have been measured often with default feeds; the newest row that is not noisy speaks for it, else the
newest. A network is named by its text in a search space, or by the hash of its graph.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from latcast.schema import Summary, Target
from service.db import records
from service.db.statements import chunks
from service.db.tables import Architecture, Measurement

__all__ = ["GRAPHS", "Known", "KnownRow", "known_latencies", "known_rows", "known_spaces"]

SAMPLES = "samples"
"""`statistic` of a row that has samples."""
GRAPHS = ""
"""In place of a search space's name: networks that are named by their graphs' hashes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A latency that was measured.

    Args:
        median_ms: in ms.
        statistic: what it is: `median` of samples taken here, or what a public table gives (`mean`, `reported`).
        samples: how many; 0 where a table does not tell.
        noise_log: standard error of its logarithm; None where a table does not tell.
    """

    median_ms: float
    statistic: str
    samples: int = 0
    noise_log: float | None = None


@dataclass(frozen=True, slots=True)
class KnownRow:
    """The row that speaks for a network."""

    id: int
    name: str


def known_latencies(session: Session, target: Target, space: str, names: Collection[str]) -> dict[str, Known]:
    """Latencies of those networks that were measured on the target with default feeds, by name."""
    keys = _keys(session, target, space, names)
    speaking: dict[object, Any] = {}
    for part in chunks(set(keys.values())):
        query = _rows(target, space).where(_key_column(target, space).in_(part))
        speaking.update((row.key, row) for row in _speaking(session.execute(query)))
    sampled = _sampled(session, [row.id for row in speaking.values() if row.statistic == SAMPLES])
    known = {
        key: sampled.get(row.id) or Known(median_ms=row.median_ms, statistic=row.statistic)
        for key, row in speaking.items()
    }
    return {name: known[key] for name, key in keys.items() if key in known}


def known_rows(session: Session, target: Target, space: str) -> list[KnownRow]:
    """Every network of the space, or of `GRAPHS`, that was measured on the target with default feeds, oldest first.

    Where several texts yield one graph, it is there once.
    """
    query = _rows(target, space)
    if space:
        column = Architecture.id if target.origin else Architecture.graph_hash
        query = query.join(Architecture, column == _key_column(target, space)).where(Architecture.space == space)
        query = query.add_columns(Architecture.text.label("name"))
    else:
        query = query.where(Measurement.graph_hash.is_not(None)).add_columns(Measurement.graph_hash.label("name"))
    return [KnownRow(row.id, row.name) for row in _speaking(session.execute(query))]


def known_spaces(session: Session, target: Target) -> list[str]:
    """Search spaces that an imported target has latencies of, and `GRAPHS` where it has any of graphs."""
    mine = (Measurement.target_id == target.id, Measurement.median_ms.is_not(None))
    spaces = select(Architecture.space).join(Measurement, Measurement.architecture_id == Architecture.id)
    found = list(session.scalars(spaces.where(*mine).distinct().order_by(Architecture.space)))
    graphs = select(Measurement.id).where(*mine, Measurement.graph_hash.is_not(None)).limit(1)
    return found if session.scalar(graphs) is None else [*found, GRAPHS]


def _key_column(target: Target, space: str) -> Any:
    """What rows are found by: tables name architectures, what we measure is a graph."""
    return Measurement.architecture_id if space and target.origin else Measurement.graph_hash


def _keys(session: Session, target: Target, space: str, names: Collection[str]) -> dict[str, object]:
    """Keys of those of the names that the database knows."""
    if not space:
        return {name: name for name in names}
    key = Architecture.id if target.origin else Architecture.graph_hash
    found: dict[str, object] = {}
    for part in chunks(names):
        query = select(Architecture.text, key).where(Architecture.space == space, Architecture.text.in_(part))
        found.update((text, value) for text, value in session.execute(query) if value is not None)
    return found


def _rows(target: Target, space: str) -> Select[Any]:
    """The target's rows. No other condition: with one, SQLite takes the wrong index, and reads them all."""
    columns = (Measurement.id, Measurement.median_ms, Measurement.statistic, Measurement.noisy, Measurement.feeds_key)
    return select(_key_column(target, space).label("key"), *columns).where(Measurement.target_id == target.id)


def _speaking(rows: Iterable[Any]) -> list[Any]:
    """Of each network that was measured with default feeds the row that speaks for it, oldest first."""
    chosen: dict[object, Any] = {}
    for row in rows:
        if row.median_ms is None or row.feeds_key != records.DEFAULT_FEEDS:
            continue
        other = chosen.get(row.key)
        if other is None or (not row.noisy, row.id) > (not other.noisy, other.id):
            chosen[row.key] = row
    return sorted(chosen.values(), key=lambda row: int(row.id))


def _sampled(session: Session, row_ids: list[int]) -> dict[int, Known]:
    """Summaries of measurements that have samples."""
    found: dict[int, Known] = {}
    for part in chunks(row_ids):
        query = select(Measurement.id, Measurement.runs).where(Measurement.id.in_(part))
        found.update(
            (row.id, _known(summary)) for row in session.execute(query) if (summary := records.summary_record(row))
        )
    return found


def _known(summary: Summary) -> Known:
    return Known(median_ms=summary.median_ms, statistic="median", samples=summary.samples, noise_log=summary.noise_log)

"""What is known of a target: latencies by network, the row that speaks for each, and in what way it was measured.

A network may have been measured often with default feeds; the newest row that is not noisy speaks for it, else the
newest. A network is named by its text in a search space, or by the hash of its graph.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from profilers.schema import Target
from service import records
from service.datasets import chunks
from service.db.tables import Architecture, Measurement

__all__ = ["GRAPHS", "Known", "KnownRow", "known_latencies", "known_rows", "known_spaces"]

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
    query, name = _rows(target, space)
    speaking: dict[str, int] = {}
    for part in chunks(names):
        speaking.update((row.name, row.id) for row in _speaking(session.execute(query.where(name.in_(part)))))
    known = {row.id: _known(row) for part in chunks(set(speaking.values())) for row in session.execute(_values(part))}
    return {name: known[row_id] for name, row_id in speaking.items()}


def known_rows(session: Session, target: Target, space: str) -> list[KnownRow]:
    """Every network of the space, or of `GRAPHS`, that was measured on the target with default feeds, oldest first.

    Where several texts yield one graph, it is there once.
    """
    query, _ = _rows(target, space)
    by_id = {row.id: KnownRow(row.id, row.name) for row in _speaking(session.execute(query))}
    return list(by_id.values())


def known_spaces(session: Session, target: Target) -> list[str]:
    """Search spaces that an imported target has latencies of, and `GRAPHS` where it has any of graphs."""
    mine = (Measurement.target_id == target.id, Measurement.median_ms.is_not(None))
    spaces = select(Architecture.space).join(Measurement, Measurement.architecture_id == Architecture.id)
    found = list(session.scalars(spaces.where(*mine).distinct().order_by(Architecture.space)))
    graphs = select(Measurement.id).where(*mine, Measurement.graph_hash.is_not(None)).limit(1)
    return found if session.scalar(graphs) is None else [*found, GRAPHS]


def _rows(target: Target, space: str) -> tuple[Any, Any]:
    """A query of the target's rows, and the column that names them: tables name architectures, we measure graphs."""
    name = Architecture.text if space else Measurement.graph_hash
    query = select(Measurement.id, name.label("name"), Measurement.noisy).where(
        Measurement.target_id == target.id,
        Measurement.median_ms.is_not(None),
        Measurement.feeds_key == records.DEFAULT_FEEDS,
    )
    if not space:
        return query.where(Measurement.graph_hash.is_not(None)), name
    same = (
        Measurement.architecture_id == Architecture.id
        if target.origin
        else Measurement.graph_hash == Architecture.graph_hash
    )
    return query.join(Architecture, same).where(Architecture.space == space), name


def _speaking(rows: Iterable[Any]) -> list[Any]:
    """Of each network the row that speaks for it, oldest first."""
    chosen: dict[str, Any] = {}
    for row in rows:
        other = chosen.get(row.name)
        if other is None or (not row.noisy, row.id) > (not other.noisy, other.id):
            chosen[row.name] = row
    return sorted(chosen.values(), key=lambda row: int(row.id))


def _values(row_ids: list[int]) -> Select[Any]:
    columns = (Measurement.id, Measurement.median_ms, Measurement.statistic, Measurement.runs)
    return select(*columns).where(Measurement.id.in_(row_ids))


def _known(row: Any) -> Known:
    summary = records.summary_record(row)
    if summary is None:
        return Known(median_ms=row.median_ms, statistic=row.statistic)
    return Known(median_ms=summary.median_ms, statistic="median", samples=summary.samples, noise_log=summary.noise_log)

"""What was measured on a target: latencies by network, and the rows that represent networks.

A network is named by its text in a search space, or by the hash of its graph; of several rows about it, one represents
it (`service.measurements.representative`).
"""

from collections.abc import Collection
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from sqlalchemy import Row, Select, select
from sqlalchemy.orm import Session

from latcast.schema import Summary, Target
from service.db import records
from service.db.statements import chunks
from service.db.tables import Architecture, GraphFacts, Measurement
from service.measurements.representative import COLUMNS, representative_measurements

__all__ = [
    "GRAPHS",
    "MeasuredLatency",
    "MeasuredNetwork",
    "measured_latencies",
    "measured_networks",
    "measured_sizes",
    "measured_spaces",
]

SAMPLES = "samples"
"""`statistic` of a row that has samples."""
GRAPHS = ""
"""In place of a search space's name: networks that are named by their graphs' hashes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredLatency:
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
class MeasuredNetwork:
    """A network, and the row that represents it.

    Args:
        id: of the row.
        name: text in the search space, or hash of the graph.
        noisy: whether the row is flagged as noisy.
    """

    id: int
    name: str
    noisy: bool = False


def measured_latencies(
    session: Session, target: Target, space: str, names: Collection[str]
) -> dict[str, MeasuredLatency]:
    """Latencies of those networks that were measured on the target with default feeds, by name."""
    keys = _keys(session, target, space, names)
    rows: dict[object, Any] = {}
    for part in chunks(set(keys.values())):
        query = _rows(target, space).where(_key_column(target, space).in_(part))
        rows |= representative_measurements(session.execute(query), key=_key)
    sampled = _sampled(session, [row.id for row in rows.values() if row.statistic == SAMPLES])
    latencies = {
        key: sampled.get(row.id) or MeasuredLatency(median_ms=row.median_ms, statistic=row.statistic)
        for key, row in rows.items()
    }
    return {name: latencies[key] for name, key in keys.items() if key in latencies}


def measured_networks(
    session: Session, target: Target, space: str, *, before: int | None = None
) -> list[MeasuredNetwork]:
    """Every network of the space, or of `GRAPHS`, that was measured on the target with default feeds, oldest first.

    Where several texts yield one graph, it is there once.

    Args:
        session: reads.
        target: the target.
        space: name of the search space, or `GRAPHS`.
        before: id of a measurement; only those before it count.
    """
    query = _rows(target, space)
    if before is not None:
        query = query.where(Measurement.id < before)
    if space:
        column = Architecture.id if target.origin else Architecture.graph_hash
        query = query.join(Architecture, column == _key_column(target, space)).where(Architecture.space == space)
        query = query.add_columns(Architecture.text.label("name"))
    else:
        query = query.where(Measurement.graph_hash.is_not(None)).add_columns(Measurement.graph_hash.label("name"))
    rows = representative_measurements(session.execute(query), key=_key).values()
    return [MeasuredNetwork(row.id, row.name, row.noisy) for row in sorted(rows, key=attrgetter("id"))]


def _key(row: Row[Any]) -> object:
    return row.key


def measured_spaces(session: Session, target: Target) -> list[str]:
    """Search spaces that an imported target has latencies of, and `GRAPHS` where it has any of graphs."""
    mine = (Measurement.target_id == target.id, Measurement.median_ms.is_not(None))
    spaces = select(Architecture.space).join(Measurement, Measurement.architecture_id == Architecture.id)
    names = list(session.scalars(spaces.where(*mine).distinct().order_by(Architecture.space)))
    graphs = select(Measurement.id).where(*mine, Measurement.graph_hash.is_not(None)).limit(1)
    return names if session.scalar(graphs) is None else [*names, GRAPHS]


def measured_sizes(session: Session, target: Target) -> frozenset[tuple[float, int]]:
    """(floating-point operations, nodes) of every graph that was measured on the target."""
    facts = select(GraphFacts.flops, GraphFacts.nodes).join(Measurement, Measurement.graph_hash == GraphFacts.hash)
    rows = session.execute(facts.where(Measurement.target_id == target.id).distinct())
    return frozenset((row.flops, row.nodes) for row in rows)


def _key_column(target: Target, space: str) -> Any:
    """What rows are looked up by: tables name architectures, what we measure is a graph."""
    return Measurement.architecture_id if space and target.origin else Measurement.graph_hash


def _keys(session: Session, target: Target, space: str, names: Collection[str]) -> dict[str, object]:
    """Keys of those of the names that the database knows."""
    if not space:
        return {name: name for name in names}
    key = Architecture.id if target.origin else Architecture.graph_hash
    keys: dict[str, object] = {}
    for part in chunks(names):
        query = select(Architecture.text, key).where(Architecture.space == space, Architecture.text.in_(part))
        keys.update((text, value) for text, value in session.execute(query) if value is not None)
    return keys


def _rows(target: Target, space: str) -> Select[Any]:
    """The target's rows. No other condition: with one, SQLite takes the wrong index, and reads them all."""
    key = _key_column(target, space).label("key")
    return select(key, *COLUMNS, Measurement.statistic).where(Measurement.target_id == target.id)


def _sampled(session: Session, row_ids: list[int]) -> dict[int, MeasuredLatency]:
    """Summaries of measurements that have samples."""
    latencies: dict[int, MeasuredLatency] = {}
    for part in chunks(row_ids):
        query = select(Measurement.id, Measurement.runs).where(Measurement.id.in_(part))
        latencies.update(
            (row.id, _latency(summary)) for row in session.execute(query) if (summary := records.summary_record(row))
        )
    return latencies


def _latency(summary: Summary) -> MeasuredLatency:
    return MeasuredLatency(
        median_ms=summary.median_ms, statistic="median", samples=summary.samples, noise_log=summary.noise_log
    )

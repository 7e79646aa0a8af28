"""Pages of a target's measurements: filter, sort, and a cursor to go on from."""

import base64
import binascii
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlalchemy.orm import Session

from latcast.schema import InputError, TargetId
from service.db import records
from service.db.tables import Architecture, Measurement
from service.graphs.store import architectures_of

__all__ = ["Filter", "MeasurementSummary", "Outcome", "Page", "Sort", "iterate", "page", "summaries"]

Outcome = Literal["measured", "failed", "all"]
Sort = Literal["id", "-id", "median_ms", "-median_ms"]
EXPORT_CHUNK = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which rows of a target are wanted; None means any.

    Args:
        target_id: the target.
        outcome: rows with samples, failures, or both.
        noisy: rows that are, or are not, flagged as noisy.
        graph: rows of this graph.
        space: rows of graphs that are architectures of this search space.
    """

    target_id: TargetId
    outcome: Outcome = "all"
    noisy: bool | None = None
    graph: str | None = None
    space: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementSummary:
    """One row of a list. Times in ms; None where the measurement failed."""

    id: int
    target: str
    graph: str | None
    space: str | None
    text: str | None
    median_ms: float | None
    p10_ms: float | None
    p90_ms: float | None
    iqr_ms: float | None
    samples: int
    process_spread: float | None
    statistic: str
    noisy: bool
    failure_stage: str | None
    failure_message: str | None
    feeds_key: str
    peak_memory_bytes: int
    created_unix_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Rows, and the cursor of the next page; None on the last one."""

    items: tuple[MeasurementSummary, ...]
    next_cursor: str | None


def page(session: Session, wanted: Filter, *, limit: int, cursor: str | None = None, sort: Sort = "-id") -> Page:
    """One page of measurements.

    Args:
        session: reads.
        wanted: which rows.
        limit: most rows on the page.
        cursor: where the page before ended; belongs to its `sort`.
        sort: by time or by latency; `-` for descending. Failures have no latency and are left out of the latter.

    Raises:
        InputError: a cursor that no page gave, or one of another order.
    """
    query = _select(wanted, sort)
    if cursor is not None:
        query = query.where(_after(sort, *_decode(cursor, sort)))
    rows = session.scalars(query.limit(limit + 1)).all()
    more = len(rows) > limit
    return Page(
        items=tuple(summaries(session, rows[:limit])), next_cursor=_encode(rows[limit - 1], sort) if more else None
    )


def iterate(session: Session, wanted: Filter) -> Iterator[tuple[MeasurementSummary, list[list[float]]]]:
    """Every row that is wanted, oldest first, with the samples of each process in ms."""
    last = 0
    while rows := session.scalars(_select(wanted, "id").where(Measurement.id > last).limit(EXPORT_CHUNK)).all():
        for row, summary in zip(rows, summaries(session, rows), strict=True):
            yield summary, [run["samples_ms"] for run in row.runs]
        last = rows[-1].id
        session.expunge_all()


def _select(wanted: Filter, sort: Sort) -> Select[Measurement]:
    query = select(Measurement).where(Measurement.target_id == wanted.target_id)
    if wanted.outcome != "all":
        failed = wanted.outcome == "failed"
        query = query.where(Measurement.median_ms.is_(None) if failed else Measurement.median_ms.is_not(None))
    if wanted.noisy is not None:
        query = query.where(Measurement.noisy == wanted.noisy)
    if wanted.graph is not None:
        query = query.where(Measurement.graph_hash == wanted.graph)
    if wanted.space is not None:
        graphs = select(Architecture.graph_hash).where(Architecture.space == wanted.space)
        own = select(Architecture.id).where(Architecture.space == wanted.space)
        query = query.where(or_(Measurement.graph_hash.in_(graphs), Measurement.architecture_id.in_(own)))
    if sort.endswith("median_ms"):
        query = query.where(Measurement.median_ms.is_not(None))
    return query.order_by(*_order(sort))


def _order(sort: Sort) -> list[ColumnElement[Any]]:
    columns: list[ColumnElement[Any]] = [Measurement.id.expression]
    if sort.endswith("median_ms"):
        columns.insert(0, Measurement.median_ms.expression)
    return [column.desc() for column in columns] if sort.startswith("-") else columns


def _after(sort: Sort, value: float, row_id: int) -> ColumnElement[bool]:
    down = sort.startswith("-")
    beyond = Measurement.id < row_id if down else Measurement.id > row_id
    if not sort.endswith("median_ms"):
        return beyond
    further = Measurement.median_ms < value if down else Measurement.median_ms > value
    return or_(further, and_(Measurement.median_ms == value, beyond))


def _encode(row: Measurement, sort: Sort) -> str:
    return base64.urlsafe_b64encode(json.dumps([sort, row.median_ms or 0.0, row.id]).encode()).decode()


def _decode(cursor: str, sort: Sort) -> tuple[float, int]:
    try:
        kept, value, row_id = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        decoded = float(value), int(row_id)
    except (binascii.Error, ValueError, TypeError, OverflowError):
        raise InputError("This cursor is none that a page gave; leave it out to begin at the first page.") from None
    if kept != sort or abs(decoded[1]) >= 2**63:
        raise InputError(f"This cursor belongs to another order than sort={sort}; leave it out to begin anew.")
    return decoded


def summaries(session: Session, rows: Sequence[Measurement]) -> list[MeasurementSummary]:
    """Rows as they stand in lists."""
    texts = architectures_of(session, {row.graph_hash for row in rows if row.graph_hash})
    return [_summary(row, texts.get(row.graph_hash or "") or row.architecture) for row in rows]


def _summary(row: Measurement, architecture: Any) -> MeasurementSummary:
    summary = records.summary_record(row)
    return MeasurementSummary(
        id=row.id,
        target=row.target_id,
        graph=row.graph_hash,
        space=architecture.space if architecture else None,
        text=architecture.text if architecture else None,
        median_ms=row.median_ms,
        p10_ms=summary.p10_ms if summary else None,
        p90_ms=summary.p90_ms if summary else None,
        iqr_ms=summary.iqr_ms if summary else None,
        samples=summary.samples if summary else 0,
        process_spread=summary.process_spread if summary else None,
        statistic=row.statistic,
        noisy=row.noisy,
        failure_stage=row.failure_stage,
        failure_message=row.failure_message,
        feeds_key=row.feeds_key,
        peak_memory_bytes=max((run["peak_memory_bytes"] for run in row.runs), default=0),
        created_unix_s=row.created_unix_s,
    )

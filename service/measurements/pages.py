"""Pages of a target's measurements: filter, sort, and a cursor to go on from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Select, inspect, or_, select
from sqlalchemy.orm import Session, defer

from latcast.errors import NotFoundError
from latcast.schema import TargetId
from service.db import records
from service.db.pagination import Order, Page, fetch_page
from service.db.statements import chunks
from service.db.tables import Architecture, Measurement
from service.db.visibility import ALL_ROWS
from service.graphs.store import architectures_of, precisions_of

__all__ = ["WITHOUT_SAMPLES", "Filter", "MeasurementSummary", "Outcome", "Sort", "iterate", "iterate_ids",
           "measurement_row", "page", "summaries"]  # fmt: skip

Outcome = Literal["measured", "failed", "all"]
Sort = Literal["id", "-id", "median_ms", "-median_ms"]
EXPORT_CHUNK = 500
ROWS_WITH_SAMPLES = 4
WITHOUT_SAMPLES = tuple(
    defer(column) for column in (Measurement.runs, Measurement.settings, Measurement.before, Measurement.after)
)
"""Lists need none of these of the rows themselves; one row's samples may take megabytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which rows of a target are wanted; None means any.

    Args:
        target_id: the target.
        outcome: rows with samples, failures, or both.
        noisy: rows that are, or are not, flagged as noisy.
        graph: rows of this graph.
        space: rows of graphs that are architectures of this search space.
        hidden: rows that were hidden, instead of the others.
    """

    target_id: TargetId
    outcome: Outcome = "all"
    noisy: bool | None = None
    graph: str | None = None
    space: str | None = None
    hidden: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementSummary:
    """One row of a list. Times in ms; None where the measurement failed.

    `file_precision` is what the graph's file itself computes in; empty where that is not known. `agent` is who reported
    the row, empty for rows of public tables; `job` is what asked for it, empty once that was deleted.
    """

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
    hidden_unix_s: float | None = None
    file_precision: str = ""
    agent: str | None = None
    job: str | None = None


ORDERS: Mapping[Sort, Order] = {
    "id": Order("id", (Measurement.id,)),
    "-id": Order("-id", (Measurement.id,), descending=True),
    "median_ms": Order("median_ms", (Measurement.median_ms, Measurement.id)),
    "-median_ms": Order("-median_ms", (Measurement.median_ms, Measurement.id), descending=True),
}


def page(
    session: Session, wanted: Filter, *, limit: int, cursor: str | None = None, sort: Sort = "-id"
) -> Page[MeasurementSummary]:
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
    query = _select(wanted)
    if sort.endswith("median_ms"):
        query = query.where(Measurement.median_ms.is_not(None))
    rows = fetch_page(session, query.options(*WITHOUT_SAMPLES), ORDERS[sort], limit=limit, cursor=cursor)
    return Page(items=summaries(session, [row for (row,) in rows.items]), next_cursor=rows.next_cursor)


def iterate(session: Session, wanted: Filter) -> Iterator[tuple[MeasurementSummary, list[list[float]]]]:
    """Every row that is wanted, oldest first, with the samples of each process in ms.

    A few rows' samples are in memory at a time, however long the rows are.
    """
    cursor: str | None = ""
    while cursor is not None:
        query = _select(wanted).options(*WITHOUT_SAMPLES)
        rows = fetch_page(session, query, ORDERS["id"], limit=EXPORT_CHUNK, cursor=cursor or None)
        yield from _whole(session, [row for (row,) in rows.items])
        cursor = rows.next_cursor


def iterate_ids(session: Session, ids: Sequence[int]) -> Iterator[tuple[MeasurementSummary, list[list[float]]]]:
    """The rows of these ids, oldest first, as `iterate` gives them; those that are gone are left out."""
    for part in chunks(sorted(ids)):
        query = select(Measurement).where(Measurement.id.in_(part)).order_by(Measurement.id).options(*WITHOUT_SAMPLES)
        yield from _whole(session, session.scalars(query).all())


def _whole(session: Session, rows: Sequence[Measurement]) -> Iterator[tuple[MeasurementSummary, list[list[float]]]]:
    texts, precisions = _texts(session, rows), _precisions(session, rows)
    for row, runs in _with_runs(session, rows):
        yield _summary(row, texts.get(row.id), runs, precisions), [run["samples_ms"] for run in runs]
    session.expunge_all()


def _select(wanted: Filter) -> Select[Measurement]:
    query = select(Measurement).where(Measurement.target_id == wanted.target_id)
    if wanted.hidden:
        query = query.where(Measurement.hidden_unix_s.is_not(None)).execution_options(**ALL_ROWS)
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
    return query


def measurement_row(session: Session, measurement_id: int) -> Measurement:
    """The row of a measurement, hidden or not.

    Raises:
        NotFoundError: there is none.
    """
    possible = 0 <= measurement_id < 2**63
    row = session.get(Measurement, measurement_id, execution_options=ALL_ROWS) if possible else None
    if row is None:
        raise NotFoundError(f"There is no measurement {measurement_id}.")
    return row


def summaries(session: Session, rows: Sequence[Measurement]) -> list[MeasurementSummary]:
    """Rows as they stand in lists, in their order."""
    texts, precisions = _texts(session, rows), _precisions(session, rows)
    listed = {row.id: _summary(row, texts.get(row.id), runs, precisions) for row, runs in _with_runs(session, rows)}
    return [listed[row.id] for row in rows]


def _texts(session: Session, rows: Sequence[Measurement]) -> dict[int, Any]:
    """The architecture of each row that is of one, by the row's id."""
    texts = architectures_of(session, {row.graph_hash for row in rows if row.graph_hash})
    named = {row.id: texts.get(row.graph_hash or "") or row.architecture for row in rows}
    return {row_id: architecture for row_id, architecture in named.items() if architecture is not None}


def _precisions(session: Session, rows: Sequence[Measurement]) -> dict[str, str]:
    return precisions_of(session, {row.graph_hash for row in rows if row.graph_hash})


def _with_runs(session: Session, rows: Sequence[Measurement]) -> Iterator[tuple[Measurement, list[Any]]]:
    """Each row with the processes that measured; a few are in memory at a time beside those that were there before."""
    by_id = {row.id: row for row in rows if "runs" in inspect(row).unloaded}
    yield from ((row, row.runs) for row in rows if row.id not in by_id)
    for part in chunks(sorted(by_id)):
        query = select(Measurement.id, Measurement.runs).where(Measurement.id.in_(part)).order_by(Measurement.id)
        for row_id, runs in session.execute(query, execution_options={"yield_per": ROWS_WITH_SAMPLES, **ALL_ROWS}):
            yield by_id[row_id], runs


def _summary(row: Measurement, architecture: Any, runs: list[Any], precisions: Mapping[str, str]) -> MeasurementSummary:
    summary = records.summary_of_runs(runs)
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
        peak_memory_bytes=max((run["peak_memory_bytes"] for run in runs), default=0),
        created_unix_s=row.created_unix_s,
        hidden_unix_s=row.hidden_unix_s,
        file_precision=precisions.get(row.graph_hash or "", ""),
        agent=row.agent_id,
        job=row.job_id,
    )

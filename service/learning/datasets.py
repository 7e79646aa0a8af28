"""Data to learn from: the measurements of targets, with graphs and kernels.

Of a network that was measured often one row counts (`service.measurements.representative`).
"""

import hashlib
import zlib
from collections.abc import Collection, Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from latcast.errors import NotFoundError
from latcast.schema import Architecture, KernelTiming, TargetId
from predictors.base import FloatArray, LatencyDataset, Query
from predictors.data.host_drift import scaled_kernels, sentinel_drift_factors
from service.db import records, tables
from service.db.statements import chunks
from service.fleet.evidence import target_evidence
from service.graphs.queries import NetworkQuery
from service.graphs.store import architectures_of
from service.measurements.representative import representative_ids

__all__ = [
    "baseline_sentinel_ms",
    "freeze_dataset",
    "frozen_row_ids",
    "load_dataset",
    "network_keys",
    "visible_among",
]  # fmt: skip

SCHEMA_VERSION = 1
"""Of the rows that a manifest's digest covers."""


def load_dataset(
    session: Session,
    *,
    target_id: TargetId | None = None,
    target_ids: Collection[TargetId] | None = None,
    measurement_ids: Collection[int] | None = None,
    imported: bool = False,
    baseline_speed: bool = False,
) -> LatencyDataset:
    """Rows to learn from, oldest first, with what else is known of their targets.

    Their queries have no graphs yet: `service.graphs.resolver.Resolver.readable_rows` reads them for the predictor.

    Args:
        session: reads; may be closed afterwards.
        target_id: of this target alone.
        target_ids: of these targets alone.
        measurement_ids: exactly these measurements, for example a support set; the other arguments do not count then.
        imported: columns of public tables too.
        baseline_speed: latencies as they would be at the baseline speed of the machine, which is what the
            sentinel beside these rows has as its median; otherwise as measured.

    Raises:
        NotFoundError: measurements that are named were deleted or hidden, or their target was.
    """
    if target_id is not None:
        target_ids = [target_id]
    if measurement_ids is None:
        measurement_ids = representative_ids(session, target_ids=target_ids, imported=imported)
    rows = [row for row in _load_rows(session, sorted(measurement_ids)) if records.is_latency(row.median_ms)]
    kernels = _kernels(session, [row.id for row in rows])
    noise = [summary.noise_log for row in rows if (summary := records.summary_record(row)) is not None]
    drift = _drift_factors(rows) if baseline_speed else np.ones(len(rows))
    timings = [scaled_kernels(kernels.get(row.id), 1 / slow) for row, slow in zip(rows, drift.tolist(), strict=True)]
    return LatencyDataset(
        queries=_queries(session, rows),
        latency_ms=np.array([row.median_ms for row in rows], dtype=np.float64) / drift,
        noise_log=np.array(noise, dtype=np.float64) if rows and len(noise) == len(rows) else None,
        kernels=timings if kernels else None,
        evidence=target_evidence(session, {row.target_id for row in rows}),
    )


def _drift_factors(rows: Sequence[tables.Measurement]) -> FloatArray:
    """Of each row among those of its target, float64 (n,)."""
    drift = np.ones(len(rows))
    for target_id in {row.target_id for row in rows}:
        own = [place for place, row in enumerate(rows) if row.target_id == target_id]
        drift[own] = sentinel_drift_factors(
            [_sentinel_ms(rows[place]) for place in own],
            [(rows[place].before or {}).get("time_unix_s") for place in own],
        )
    return drift


def _sentinel_ms(row: tables.Measurement) -> float | None:
    readings = [ms for ms in row.sentinel_ms if records.is_latency(ms)]  # others were stored once
    return median(readings) if readings else None


def baseline_sentinel_ms(session: Session, row_ids: Collection[int]) -> float | None:
    """Median of the sentinel beside these measurements of one target, in ms; None where it never ran.

    It is the speed of the machine that `load_dataset(..., baseline_speed=True)` states these measurements at.
    """
    known = [ms for row in _load_rows(session, sorted(row_ids)) if (ms := _sentinel_ms(row)) is not None]
    return median(known) if known else None


def _load_rows(session: Session, row_ids: Sequence[int]) -> list[tables.Measurement]:
    rows: list[tables.Measurement] = []
    for part in chunks(row_ids):
        query = select(tables.Measurement).where(tables.Measurement.id.in_(part)).order_by(tables.Measurement.id)
        rows += session.scalars(query.options(joinedload(tables.Measurement.architecture)))
    if len(rows) != len(row_ids):
        raise NotFoundError(
            f"{len(row_ids) - len(rows)} of the measurements are not in the database, or were hidden since they were "
            "chosen: ask again."
        )
    return rows


def _queries(session: Session, rows: Sequence[tables.Measurement]) -> list[Query]:
    targets = {row.id: records.target_record(row) for row in session.scalars(select(tables.Target))}
    hashes = {row.graph_hash for row in rows if row.graph_hash is not None}
    texts = architectures_of(session, hashes)
    queries: list[Query] = []
    for row in rows:
        target = targets.get(row.target_id)
        if target is None:
            raise NotFoundError(f"Target {row.target_id} was hidden since its measurements were chosen: ask again.")
        if row.graph_hash is not None:
            architecture = texts.get(row.graph_hash)
            queries.append(NetworkQuery(target=target, architecture=architecture, graph_hash=row.graph_hash))
        elif row.architecture is not None:
            architecture = Architecture(space=row.architecture.space, text=row.architecture.text)
            queries.append(NetworkQuery(target=target, architecture=architecture))
    return queries


def _kernels(session: Session, row_ids: Sequence[int]) -> Mapping[int, tuple[KernelTiming, ...]]:
    """Kernels of the first process that has them, by measurement."""
    found: dict[int, dict[int, list[KernelTiming]]] = {}
    table = tables.KernelMeasurement
    for part in chunks(row_ids):
        query = select(table).where(table.measurement_id.in_(part)).order_by(table.run, table.position)
        for row in session.scalars(query):
            found.setdefault(row.measurement_id, {}).setdefault(row.run, []).append(records.kernel_record(row))
    return {row_id: tuple(next(iter(runs.values()))) for row_id, runs in found.items()}


def visible_among(session: Session, row_ids: Collection[int]) -> set[int]:
    """Those of the measurements that are there, and not hidden."""
    table = tables.Measurement
    return {row for part in chunks(row_ids) for row in session.scalars(select(table.id).where(table.id.in_(part)))}


def network_keys(session: Session, row_ids: Collection[int]) -> dict[int, str | int]:
    """What each of the measurements is of: a graph's hash, or an architecture's number where it has no graph."""
    keys: dict[int, str | int] = {}
    table = tables.Measurement
    for part in chunks(row_ids):
        query = select(table.id, table.graph_hash, table.architecture_id).where(table.id.in_(part))
        keys |= {row.id: row.graph_hash or row.architecture_id for row in session.execute(query)}
    return keys


def freeze_dataset(session: Session, row_ids: Sequence[int], *, chosen_by: Mapping[str, Any]) -> tables.Dataset:
    """A manifest of measurements.

    The digest covers the ids, which never change their content: whoever has the digest can tell whether a later
    selection is the same.

    Args:
        session: in a transaction.
        row_ids: ids of the measurements, ascending.
        chosen_by: what was asked for, in JSON values.
    """
    dataset = tables.Dataset(
        filter=dict(chosen_by),
        rows=len(row_ids),
        rows_digest=hashlib.sha256(",".join(map(str, row_ids)).encode()).hexdigest(),
        row_ids=zlib.compress(np.diff(np.array(row_ids, dtype="<i8"), prepend=0).tobytes()),
        schema_version=SCHEMA_VERSION,
    )
    session.add(dataset)
    session.flush()
    return dataset


def frozen_row_ids(session: Session, dataset_id: str) -> list[int]:
    """Ids of the measurements of a manifest, ascending.

    Raises:
        NotFoundError: there is no such manifest, or it is of a version that kept their digest alone.
    """
    packed = session.scalar(select(tables.Dataset.row_ids).where(tables.Dataset.id == dataset_id))
    if packed is None:
        raise NotFoundError(f"There is no data set {dataset_id!r} whose rows are kept.")
    ids: list[int] = np.cumsum(np.frombuffer(zlib.decompress(packed), dtype="<i8")).tolist()
    return ids

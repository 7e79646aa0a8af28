"""What is known of targets besides latencies of networks: microbenchmarks, and what hardware counted."""

from collections.abc import Collection, Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from latcast.schema import DeviceEvidence, TargetId
from predictors.data.counter_rates import CountedRun, counter_rates
from profilers.counters.hardware import SYSTEM_EVENTS
from service.db import tables
from service.db.records import is_latency
from service.db.statements import chunks
from service.fleet.microbenchmarks import chosen_microbenches

__all__ = ["target_evidence"]

MOST_COUNTED = 256
"""Newest measurements of a target whose counters are read: more change the rates by less than they repeat to."""


def target_evidence(session: Session, target_ids: Collection[TargetId]) -> dict[TargetId, DeviceEvidence]:
    """What is known of those targets that anything is known of.

    Counters are those of the target's newest measurements that are visible, as rates
    (`predictors.data.counter_rates`).
    """
    chosen = chosen_microbenches(session, target_ids)
    found: dict[TargetId, DeviceEvidence] = {}
    for target_id in sorted(set(target_ids)):
        counters = counter_rates(_counted_runs(session, target_id)) or None
        microbench = chosen[target_id].record["values"] if target_id in chosen else None
        if counters is not None or microbench is not None:
            found[target_id] = DeviceEvidence(counters=counters, microbench=microbench)
    return found


def _counted_runs(session: Session, target_id: TargetId) -> list[CountedRun]:
    """What the newest measurements counted in hardware; those that are not noisy while there are any."""
    table = tables.Measurement
    measured = select(table.id, table.median_ms, table.noisy).where(
        table.target_id == target_id, table.statistic == "samples", table.failure_stage.is_(None)
    )
    newest = session.execute(measured.order_by(table.id.desc()).limit(MOST_COUNTED)).all()
    rows = {row.id: row for row in newest if is_latency(row.median_ms)}
    counts = _counts(session, sorted(rows))
    steady = [row_id for row_id in counts if not rows[row_id].noisy] or list(counts)
    kernel_ms = _kernel_ms(session, steady)
    return [
        CountedRun(counts=counts[row_id], latency_ms=rows[row_id].median_ms, kernel_ms=kernel_ms.get(row_id, {}))
        for row_id in steady
    ]


def _counts(session: Session, row_ids: Sequence[int]) -> dict[int, dict[str, float]]:
    """Event → count of one run, by measurement, of the first process that counted."""
    table = tables.CounterReading
    found: dict[int, tuple[int, dict[str, float]]] = {}
    for part in chunks(row_ids):
        query = select(table.measurement_id, table.run, table.event, table.value).where(
            table.measurement_id.in_(part), table.value.is_not(None), table.event.not_in(SYSTEM_EVENTS)
        )
        for row in session.execute(query.order_by(table.measurement_id, table.run)):
            run, counts = found.setdefault(row.measurement_id, (row.run, {}))
            if row.run == run:
                counts[row.event] = row.value
    return {row_id: counts for row_id, (_, counts) in found.items()}


def _kernel_ms(session: Session, row_ids: Sequence[int]) -> dict[int, dict[str, float]]:
    """Operator → time of its kernels in ms, by measurement, of the first process whose kernels were timed."""
    table = tables.KernelMeasurement
    found: dict[int, tuple[int, dict[str, float]]] = {}
    for part in chunks(sorted(row_ids)):
        summed = func.sum(table.time_ms).label("total_ms")
        query = select(table.measurement_id, table.run, table.operator, summed).where(table.measurement_id.in_(part))
        query = query.group_by(table.measurement_id, table.run, table.operator)
        for row in session.execute(query.order_by(table.measurement_id, table.run)):
            run, times = found.setdefault(row.measurement_id, (row.run, {}))
            if row.run == run:
                times[row.operator] = row.total_ms
    return {row_id: times for row_id, (_, times) in found.items()}

"""What was hidden long enough is deleted, and samples that nobody needs any more make way for their summaries.

Each step is a short transaction, so a service that runs goes on meanwhile.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Select, delete, or_, select, update
from sqlalchemy.orm import Session

from service.db import records
from service.db.session import Database
from service.db.statements import chunks
from service.db.tables import (
    Adaptation,
    Agent,
    Architecture,
    Attempt,
    Device,
    EnrolmentToken,
    Graph,
    Job,
    Measurement,
    Microbench,
    Target,
)
from service.db.visibility import ALL_ROWS

__all__ = ["Pruned", "prune"]

NO_SYNC: Mapping[str, Any] = {"synchronize_session": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What went.

    Args:
        rows: how many, by table; kernels and counters go with their measurements and are not counted.
        samples: measurements whose samples made way for their summary.
    """

    rows: Mapping[str, int] = field(default_factory=dict)
    samples: int = 0


def prune(
    database: Database,
    *,
    hidden_before_unix_s: float | None = None,
    samples_before_unix_s: float | None = None,
    dry_run: bool = False,
) -> Pruned:
    """Delete what was hidden before a time, and the samples of measurements that were stored before another.

    Targets go with their measurements, jobs and adaptations, devices with their agents, graphs with their measurements
    and jobs. Trainings and adaptations that learned from what is deleted stay; they cannot be repeated to the letter.

    Args:
        database: written, a few hundred rows at a time.
        hidden_before_unix_s: None deletes no rows.
        samples_before_unix_s: None keeps all samples.
        dry_run: counts, and changes nothing.
    """
    rows: dict[str, int] = {}
    if hidden_before_unix_s is not None:
        for table, ids in _doomed(database, hidden_before_unix_s):
            rows[table.__tablename__] = len(ids)
            for part in () if dry_run else chunks(ids):
                with database.write.begin() as session:
                    DELETE[table](session, part)
    old = [] if samples_before_unix_s is None else _with_samples(database, samples_before_unix_s)
    samples = 0
    for part in chunks(list(old)):
        with database.write.begin() as session:
            samples += _strip(session, part, dry_run=dry_run)
    return Pruned(rows=rows, samples=samples)


def _doomed(database: Database, before: float) -> Iterator[tuple[type[Any], Sequence[Any]]]:
    """Keys of the rows of each table that go, those first that refer to others."""
    targets = select(Target.id).where(Target.hidden_unix_s < before)
    graphs = select(Graph.hash).where(Graph.hidden_unix_s < before)
    of_these = or_(Measurement.target_id.in_(targets), Measurement.graph_hash.in_(graphs))
    queries: tuple[tuple[type[Any], Select[Any]], ...] = (
        (Measurement, select(Measurement.id).where(or_(Measurement.hidden_unix_s < before, of_these))),
        (Job, select(Job.id).where(or_(Job.target_id.in_(targets), Job.graph_hash.in_(graphs)))),
        (Target, targets),
        (Graph, graphs),
        (Device, select(Device.id).where(Device.hidden_unix_s < before)),
    )
    for table, query in queries:
        with database.read() as session:
            ids = session.scalars(query, execution_options=ALL_ROWS).all()
        yield table, ids


def _delete_measurements(session: Session, ids: Sequence[int]) -> None:
    session.execute(delete(Measurement).where(Measurement.id.in_(ids)), execution_options=NO_SYNC)


def _delete_jobs(session: Session, ids: Sequence[str]) -> None:
    """Jobs with their leases; what came of them stays, and so do jobs that others were part of."""
    for table in (Measurement, Adaptation):
        _set_null(session, table.job_id, ids)
    _set_null(session, Job.parent_id, ids)
    session.execute(delete(Attempt).where(Attempt.job_id.in_(ids)), execution_options=NO_SYNC)
    session.execute(delete(Job).where(Job.id.in_(ids)), execution_options=NO_SYNC)


def _delete_targets(session: Session, ids: Sequence[str]) -> None:
    for table in (Microbench, Adaptation):
        session.execute(delete(table).where(table.target_id.in_(ids)), execution_options=NO_SYNC)
    session.execute(delete(Target).where(Target.id.in_(ids)), execution_options=NO_SYNC)


def _delete_graphs(session: Session, hashes: Sequence[str]) -> None:
    _set_null(session, Architecture.graph_hash, hashes)
    session.execute(delete(Graph).where(Graph.hash.in_(hashes)), execution_options=NO_SYNC)


def _delete_devices(session: Session, ids: Sequence[str]) -> None:
    """Devices with their agents; one that has targets still, which were shown again, stays."""
    left = select(Target.device_id).where(Target.device_id.in_(ids))
    kept = set(session.scalars(left, execution_options=ALL_ROWS))
    gone = [one for one in ids if one not in kept]
    tokens = or_(EnrolmentToken.device_id.in_(gone), EnrolmentToken.used_by.in_(gone))
    session.execute(delete(EnrolmentToken).where(tokens), execution_options=NO_SYNC)
    agents = select(Agent.id).where(Agent.device_id.in_(gone))
    # An agent whose leases are of jobs that stay, as of targets that were merged, keeps its row and its device.
    busy = select(Agent.device_id).where(Agent.id.in_(select(Attempt.agent_id).where(Attempt.agent_id.in_(agents))))
    stays = set(session.scalars(busy))
    gone = [one for one in gone if one not in stays]
    session.execute(delete(Agent).where(Agent.device_id.in_(gone)), execution_options=NO_SYNC)
    session.execute(delete(Device).where(Device.id.in_(gone)), execution_options=NO_SYNC)


def _set_null(session: Session, column: Any, ids: Sequence[str]) -> None:
    emptied = update(column.class_).where(column.in_(ids)).values({column.key: None})
    session.execute(emptied, execution_options=NO_SYNC)


DELETE: Mapping[type[Any], Callable[[Session, Sequence[Any]], None]] = {
    Measurement: _delete_measurements,
    Job: _delete_jobs,
    Target: _delete_targets,
    Graph: _delete_graphs,
    Device: _delete_devices,
}


def _with_samples(database: Database, before: float) -> Sequence[int]:
    old = select(Measurement.id).where(Measurement.created_unix_s < before, Measurement.statistic == "samples")
    with database.read() as session:
        measured = old.where(Measurement.median_ms.is_not(None))
        return session.scalars(measured.order_by(Measurement.id), execution_options=ALL_ROWS).all()


def _strip(session: Session, ids: Sequence[int], *, dry_run: bool) -> int:
    """Put the summary in the place of samples; how many measurements had some."""
    count = 0
    query = select(Measurement.id, Measurement.runs).where(Measurement.id.in_(ids))
    for row_id, runs in session.execute(query, execution_options=ALL_ROWS).all():
        bare = records.runs_without_samples(runs)
        count += bare is not None
        if bare is not None and not dry_run:
            stripped = update(Measurement).where(Measurement.id == row_id).values(runs=bare)
            session.execute(stripped, execution_options=NO_SYNC)
    return count

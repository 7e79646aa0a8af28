"""Rows as answers."""

from collections.abc import Collection, Mapping, Sequence
from math import isfinite

from sqlalchemy import select
from sqlalchemy.orm import Session

from latcast.schema import JobState
from service.api import schemas
from service.db import records, tables
from service.db.statements import chunks
from service.db.visibility import ALL_ROWS
from service.fleet.microbenchmarks import chosen_microbenches, target_microbench
from service.fleet.presence import Presence, presence_of
from service.forecasting.history import forecast_before, forecasts_before
from service.forecasting.lookup_tables import LookupTable
from service.graphs.store import architectures_of
from service.jobs import queue
from service.jobs.payloads import ProfilePayload, parsed
from service.jobs.waiting import why_waiting
from service.learning.training_record import warning_of
from service.measurements import pages
from service.measurements.columns import NO_AGENT
from service.measurements.sources import names_of
from service.settings import Settings

__all__ = ["children_out", "graph_out", "job_out", "job_ref", "job_refs", "jobs_out", "key_out", "lease_out",
           "lookup_table_out", "measurement_out", "microbench_out", "microbench_ref", "target_out",
           "targets_out"]  # fmt: skip


def job_ref(job: tables.Job, waiting: str | None = None) -> schemas.JobRef:
    """A job as it stands in lists, with why it waits."""
    return schemas.JobRef(**_job_fields(job), waiting=waiting)


def job_refs(session: Session, jobs: Sequence[tables.Job], settings: Settings) -> list[schemas.JobRef]:
    """Jobs as they stand in lists."""
    waiting = why_waiting(session, jobs, settings)
    return [job_ref(job, waiting.get(job.id)) for job in jobs]


def _job_fields(job: tables.Job) -> dict[str, object]:
    own = ("id", "kind", "state", "attempts", "max_attempts", "created_unix_s", "updated_unix_s", "priority")
    fields = {name: getattr(job, name) for name in own}
    return {**fields, "target": job.target_id, "graph": job.graph_hash, "parent": job.parent_id, "key": job.api_key_id}


def job_out(session: Session, job: tables.Job, settings: Settings) -> schemas.JobOut:
    """A job with its attempts and children, and why it waits."""
    waiting = why_waiting(session, [job], settings).get(job.id)
    return _job_out(job, queue.attempts_of(session, job.id), queue.child_states(session, job.id), waiting)


def jobs_out(session: Session, job_ids: Collection[str], settings: Settings) -> dict[str, schemas.JobOut]:
    """Jobs with their attempts and children, by id; those that do not exist are left out."""
    out: dict[str, schemas.JobOut] = {}
    for ids in chunks(job_ids):
        jobs = session.scalars(select(tables.Job).where(tables.Job.id.in_(ids))).all()
        attempts, states = queue.attempts_of_all(session, ids), queue.child_states_of_all(session, ids)
        waiting = why_waiting(session, jobs, settings)
        out |= {
            job.id: _job_out(job, attempts.get(job.id, []), states.get(job.id, {}), waiting.get(job.id)) for job in jobs
        }
    return out


def _job_out(
    job: tables.Job, attempts: Sequence[tables.Attempt], children: Mapping[JobState, int], waiting: str | None
) -> schemas.JobOut:
    return schemas.JobOut(
        **_job_fields(job),
        waiting=waiting,
        progress=None if job.progress is None else schemas.ProgressOut(**job.progress),
        request=job.payload,
        result=job.result,
        reasons=[schemas.AttemptOut.model_validate(row) for row in attempts],
        children=dict(children),
    )


def children_out(session: Session, job_id: str, settings: Settings) -> schemas.ChildrenOut:
    """The jobs that a job waits for, with the networks that these measure and what came of it."""
    jobs = queue.children(session, job_id)
    names = architectures_of(session, {job.graph_hash for job in jobs if job.graph_hash})
    measured = {job.id: (job.result or {}).get("measurement_id") for job in jobs}
    ids = [one for one in measured.values() if one is not None]
    latencies: dict[int, float | None] = {}
    for part in chunks(ids):
        query = select(tables.Measurement.id, tables.Measurement.median_ms).where(tables.Measurement.id.in_(part))
        latencies |= {row.id: row.median_ms for row in session.execute(query, execution_options=ALL_ROWS)}
    forecasts = forecasts_before(session, ids)
    items = [
        schemas.ChildOut(
            **ref.model_dump(),
            text=name.text if (name := names.get(ref.graph or "")) else None,
            measurement=measured[ref.id],
            median_ms=latencies.get(measured[ref.id] or 0),
            forecast=forecasts.get(measured[ref.id] or 0),
        )
        for ref in job_refs(session, jobs, settings)
    ]
    return schemas.ChildrenOut(items=items)


def measurement_out(session: Session, row: tables.Measurement) -> schemas.MeasurementOut:
    """A measurement whole, with who reported it and the forecast that stood until then."""
    return schemas.MeasurementOut(
        job=row.job_id,
        source=names_of(session, [row.agent_id or NO_AGENT])[row.agent_id or NO_AGENT],
        summary=pages.summaries(session, [row])[0],
        measurement=records.measurement_record(row),
        forecast=forecast_before(session, row.id),
    )


def key_out(key: tables.ApiKey) -> schemas.KeyOut:
    """A key without its secret."""
    names = schemas.KeyOut.model_fields.keys() - {"scope"}
    return schemas.KeyOut(scope=key.granted, **{name: getattr(key, name) for name in names})


def lease_out(job: tables.Job, lease_seconds: float) -> schemas.LeaseOut:
    """A leased job as its agent gets it."""
    payload = parsed(ProfilePayload, job)
    return schemas.LeaseOut(
        id=job.id,
        lease_token=job.lease_token or "",
        kind=job.kind,
        graph=job.graph_hash or "",
        settings=payload.settings,
        feeds=list(payload.feeds),
        lease_seconds=lease_seconds,
    )


def graph_out(session: Session, row: tables.Graph) -> schemas.GraphOut:
    """A stored graph with its summary."""
    architecture = architectures_of(session, [row.hash]).get(row.hash)
    named = architecture and schemas.ArchitectureRef(space=architecture.space, text=architecture.text)
    return schemas.GraphOut(hash=row.hash, architecture=named or None, created_unix_s=row.created_unix_s, **row.summary)


def targets_out(
    session: Session, rows: Sequence[tables.Target], settings: Settings, counts: Mapping[str, int]
) -> list[schemas.TargetOut]:
    """Targets with their devices' names, how many measurements they have (`counts`), and what is adapted to them."""
    ids = [row.id for row in rows]
    devices = {row.id: row.name for row in session.scalars(select(tables.Device), execution_options=ALL_ROWS)}
    active = select(tables.Adaptation).where(tables.Adaptation.active, tables.Adaptation.target_id.in_(ids))
    adaptations = {row.target_id: row for row in session.scalars(active)}
    microbenches = chosen_microbenches(session, ids)
    presences = presence_of(session, {row.device_id for row in rows if row.device_id}, settings)
    return [
        target_out(
            row,
            device_name=devices.get(row.device_id or ""),
            measurements=counts.get(row.id, 0),
            adaptation=adaptations.get(row.id),
            microbench=microbenches.get(row.id),
            presence=presences.get(row.device_id or ""),
        )
        for row in rows
    ]


def target_out(
    row: tables.Target,
    *,
    device_name: str | None,
    measurements: int,
    adaptation: tables.Adaptation | None,
    microbench: tables.Microbench | None,
    presence: Presence | None,
) -> schemas.TargetOut:
    """One target; a column of a public table is named by its device there."""
    target = records.target_record(row)
    return schemas.TargetOut(
        id=row.id,
        label=target.label,
        device_id=row.device_id,
        device_name=device_name or target.device,
        backend=target.backend,
        backend_version=target.backend_version,
        precision=target.precision,
        threads=target.threads,
        options=dict(target.options),
        origin=target.origin,
        offered=row.offered and not (presence and presence.gone),
        online=row.offered and presence is not None and presence.online,
        seen_unix_s=presence.seen_unix_s if presence else None,
        measurements=measurements,
        adaptation=_adaptation_out(adaptation) if adaptation else None,
        microbench=microbench_ref(microbench) if microbench else None,
        created_unix_s=row.created_unix_s,
    )


def _adaptation_out(row: tables.Adaptation) -> schemas.AdaptationOut:
    found = schemas.AdaptationOut.model_validate(row)
    return found.model_copy(update={"warning": warning_of(row.metrics)})


def microbench_out(session: Session, target_id: str) -> schemas.MicrobenchOut:
    """The microbenchmarks that represent a target."""
    row, record = target_microbench(session, target_id)
    return schemas.MicrobenchOut(target=target_id, microbench=record, created_unix_s=row.created_unix_s)


def microbench_ref(row: tables.Microbench) -> schemas.MicrobenchRef:
    """What a list of targets tells of a microbenchmark."""
    return schemas.MicrobenchRef(
        version=row.version,
        entries=len(row.record["values"]),
        noisy=row.noisy,
        created_unix_s=row.created_unix_s,
    )


def lookup_table_out(target_id: str, table: LookupTable) -> schemas.LookupTableOut:
    """What options cost, named."""
    costs = table.costs
    rows = zip(table.positions, costs.costs_ms, costs.errors_ms, strict=True)
    return schemas.LookupTableOut(
        target=target_id,
        space=table.space,
        overhead_ms=costs.overhead_ms,
        positions=[
            schemas.LookupPosition(
                name=position.name,
                optional=position.optional,
                options=[
                    schemas.LookupOption(name=name, cost_ms=_or_null(cost), error_ms=_or_null(error))
                    for name, cost, error in zip(position.options, cost_ms.tolist(), error_ms.tolist(), strict=True)
                ],
            )
            for position, cost_ms, error_ms in rows
        ],
        explained_variance=costs.explained,
        error_ms=costs.error_ms,
        samples=costs.rows,
        measured=table.measured,
        predictor=table.predictor,
    )


def _or_null(value: float) -> float | None:
    return value if isfinite(value) else None

"""The overview: the fleet, its work and its data in one answer."""

from collections.abc import Sequence
from itertools import islice

from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.orm import Session

from latcast.schema import JobState
from service.api import schemas, views
from service.api.deps import Parts, PartsOf, Reader
from service.api.door.routes import Route
from service.api.routes.devices import device_out
from service.db import tables
from service.fleet.alerts import alerts_of
from service.fleet.presence import presence_of
from service.forecasting.track_record import fleet_periods
from service.graphs.store import architectures_of

__all__ = ["router"]

router = APIRouter(tags=["overview"], route_class=Route)
MOST_DEVICES = MOST_TARGETS = 1000
MOST_QUEUED = 12
HOURS = 48
MOST_POOR = 10


@router.get("/overview")
def get_overview(parts: PartsOf, _caller: Reader) -> schemas.OverviewOut:
    """Devices, targets, the queue with why its jobs wait, activity, and what needs attention."""
    with parts.database.read() as session:
        devices = session.scalars(select(tables.Device).order_by(tables.Device.name).limit(MOST_DEVICES)).all()
        presences = presence_of(session, [row.id for row in devices], parts.settings)
        targets = session.scalars(select(tables.Target).order_by(tables.Target.id).limit(MOST_TARGETS)).all()
        counts = parts.activity.counts(session, hours=HOURS)
        shown = views.targets_out(session, targets, parts.settings, parts.counts.of(session))
        return schemas.OverviewOut(
            devices=[device_out(row, presences[row.id]) for row in devices],
            devices_online=sum(presence.online for presence in presences.values()),
            targets=shown,
            measurements=counts.measured,
            noisy=counts.noisy,
            failed=counts.failed,
            jobs={state.value: count for state, count in parts.jobs.of(session).items()},
            queue=_queue(session, parts),
            activity=[schemas.HourOut.model_validate(hour) for hour in counts.hours],
            alerts=[
                *(schemas.AlertOut.model_validate(one) for one in alerts_of(session, presences)),
                *_poor_adaptations(shown),
            ],
            forecasts=list(fleet_periods(session)),
        )


def _poor_adaptations(targets: Sequence[schemas.TargetOut]) -> list[schemas.AlertOut]:
    poor = {one.label: one.adaptation.warning for one in targets if one.adaptation and one.adaptation.warning}
    return [
        schemas.AlertOut(level="warning", subject=label, text=warning)
        for label, warning in islice(poor.items(), MOST_POOR)
    ]


def _queue(session: Session, parts: Parts) -> list[schemas.QueuedOut]:
    table = tables.Job
    jobs = [
        job
        for state in (JobState.LEASED, JobState.QUEUED)
        for job in session.scalars(select(table).where(table.state == state).order_by(table.id).limit(MOST_QUEUED))
    ][:MOST_QUEUED]
    names = architectures_of(session, {job.graph_hash for job in jobs if job.graph_hash})
    return [
        schemas.QueuedOut(**ref.model_dump(), what=name.text if (name := names.get(ref.graph or "")) else _what(ref))
        for ref in views.job_refs(session, jobs, parts.settings)
    ]


def _what(job: schemas.JobRef) -> str:
    return f"graph {job.graph[:13]}" if job.graph else f"target {job.target}" if job.target else ""

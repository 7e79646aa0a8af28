"""Why jobs wait, and the end of those for which nobody will come."""

import time
from collections.abc import Sequence

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from latcast.schema import FINISHED_STATES, JobKind, JobState
from service.db import tables
from service.db.statements import chunks
from service.fleet.presence import clock_time, presence_of, unmeasurable
from service.settings import Settings

__all__ = ["abandoned", "fail_abandoned", "why_nobody", "why_waiting"]


WORKER_S = 2.0
"""An idle worker takes a training within this time: it looks every `tick_seconds`."""
OWN_WORKER_S = 60.0
"""The worker that the service starts for a training takes it within this time, also on a slow machine."""


def why_waiting(session: Session, jobs: Sequence[tables.Job], settings: Settings) -> dict[str, str]:
    """Of those of the jobs for which no agent or worker is there: why they wait, in a sentence, by the job's id."""
    queued = [job for job in jobs if job.state == JobState.QUEUED]
    reasons = why_nobody(session, {job.target_id for job in queued if job.target_id is not None}, settings)
    trainings = [job for job in queued if job.kind == JobKind.TRAIN]
    return {
        **{job.id: reasons[job.target_id] for job in queued if job.target_id in reasons},
        **(_why_not_trained(session, trainings, settings) if trainings else {}),
    }


def _why_not_trained(session: Session, trainings: Sequence[tables.Job], settings: Settings) -> dict[str, str]:
    """Why nobody has begun these trainings. No worker tells that it is there: an idle one takes what waits."""
    leased = select(tables.Job.id).where(tables.Job.kind == JobKind.TRAIN, tables.Job.state == JobState.LEASED)
    under_way = session.scalar(leased.order_by(tables.Job.id).limit(1))
    patience_s = OWN_WORKER_S if settings.embedded_worker else max(WORKER_S, 2 * settings.tick_seconds)
    latest = time.time() - patience_s
    ended = select(func.max(tables.Job.updated_unix_s)).where(
        tables.Job.kind == JobKind.TRAIN, tables.Job.state.in_(FINISHED_STATES)
    )
    free_since = session.scalar(ended) or 0.0  # a worker that has just ended another training begins in a moment
    waiting = {job: job.updated_unix_s if under_way else max(job.updated_unix_s, free_since) for job in trainings}
    return {job.id: _not_trained(since, under_way, settings) for job, since in waiting.items() if since < latest}


def _not_trained(since_unix_s: float, under_way: str | None, settings: Settings) -> str:
    if under_way is not None:
        return (
            f"A worker trains one at a time, and {under_way} is under way: start another one (latcast worker), or wait."
        )
    since = clock_time(since_unix_s)
    if settings.embedded_worker:
        return (
            f"The service's own worker has not begun since {since}: its log says why; start another one (latcast "
            "worker), or cancel the job."
        )
    return (
        f"No worker has begun since {since}: start one on the service's database (latcast worker), or cancel the job."
    )


def why_nobody(session: Session, target_ids: set[str], settings: Settings) -> dict[str, str]:
    """Of those of the targets whose jobs no agent is there to take: why, in a sentence."""
    reasons: dict[str, str] = {}
    for part in chunks(sorted(target_ids)):
        reasons |= _nobody_there(session, set(part), settings)
        reasons |= {target_id: why for target_id, (_, why) in unmeasurable(session, set(part), settings).items()}
    return reasons


def _nobody_there(session: Session, target_ids: set[str], settings: Settings) -> dict[str, str]:
    query = select(tables.Target.id, tables.Device).join(tables.Device, tables.Device.id == tables.Target.device_id)
    rows = session.execute(query.where(tables.Target.id.in_(target_ids))).all()
    presences = presence_of(session, {device.id for _, device in rows}, settings)
    sentences = {target_id: presences[device.id].why_nobody(device) for target_id, device in rows}
    return {target_id: sentence for target_id, sentence in sentences.items() if sentence}


def abandoned(session: Session, settings: Settings) -> dict[str, str]:
    """Targets with queued measurements which nobody will take, for `unoffered_job_seconds` already, and why."""
    waiting = select(tables.Job.target_id).where(
        tables.Job.state == JobState.QUEUED, tables.Job.kind == JobKind.PROFILE, tables.Job.target_id.is_not(None)
    )
    target_ids = [target_id for target_id in session.scalars(waiting.distinct()) if target_id is not None]
    latest = time.time() - settings.unoffered_job_seconds
    reasons: dict[str, str] = {}
    for part in chunks(target_ids):
        found = unmeasurable(session, part, settings)
        reasons |= {target_id: why for target_id, (since, why) in found.items() if since < latest}
    return reasons


def fail_abandoned(session: Session, settings: Settings) -> int:
    """Fail queued measurements that nobody will take, with the reason; how many there were."""
    count = 0
    for target_id, why in abandoned(session, settings).items():
        lost = update(tables.Job).where(
            tables.Job.state == JobState.QUEUED,
            tables.Job.kind == JobKind.PROFILE,
            tables.Job.target_id == target_id,
        )
        values = {"state": JobState.FAILED, "result": {"error": why}}
        count += len(session.scalars(lost.values(**values).returning(tables.Job.id)).all())
    return count

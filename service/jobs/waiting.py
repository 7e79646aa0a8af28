"""Why jobs wait, and the end of those for which nobody will come."""

import time
from collections.abc import Sequence

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from latcast.schema import JobKind, JobState
from service.db import tables
from service.db.statements import chunks
from service.fleet.presence import presence_of, unmeasurable
from service.settings import Settings

__all__ = ["abandoned", "fail_abandoned", "why_nobody", "why_waiting"]


def why_waiting(session: Session, jobs: Sequence[tables.Job], settings: Settings) -> dict[str, str]:
    """Of those of the jobs which wait for an agent that is not there: why, in a sentence, by the job's id."""
    queued = [job for job in jobs if job.state == JobState.QUEUED and job.target_id is not None]
    reasons = why_nobody(session, {job.target_id for job in queued if job.target_id is not None}, settings)
    return {job.id: reasons[job.target_id] for job in queued if job.target_id in reasons}


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

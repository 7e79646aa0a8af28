"""What an operator asks of fleet and queue, in numbers: who is there, what waits and why, what was leased when."""

import time
from collections import Counter

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from latcast.schema import JobState
from service.db.tables import Agent, Attempt, Job
from service.fleet.drift import WORTH_SAYING, drifts
from service.jobs.waiting import why_nobody
from service.settings import Settings

__all__ = ["fleet_gauges"]

Values = dict[tuple[str, ...], float]
SILENT_S = 120.0
"""An agent asks for a job at least twice a minute; whoever was silent for longer is not there."""


def fleet_gauges(session: Session, settings: Settings) -> dict[str, tuple[str, tuple[str, ...], Values]]:
    """Gauges by name: what each is, names of its labels, values by labels; see `service.operations.metrics`."""
    now = time.time()
    return {
        "latcast_jobs": ("Jobs by kind and state.", ("kind", "state"), _jobs(session)),
        "latcast_jobs_queued": (
            "Queued jobs by why they wait: `turn`, or `agent` where none that could take them is there.",
            ("reason",),
            _queued(session, settings),
        ),
        "latcast_queue_age_seconds": ("Age of the oldest queued job.", (), _oldest(session, now)),
        "latcast_lease_age_seconds": ("Age of the oldest lease that runs.", (), _lease_age(session, now)),
        "latcast_devices": (
            "Devices with agents, by whether one of them asked lately.",
            ("state",),
            _devices(session, now),
        ),
        "latcast_targets_drifted": (
            "Targets whose sentinel takes more than a tenth longer or less than before.",
            (),
            {(): sum(abs(share) > WORTH_SAYING for share in drifts(session).values())},
        ),
    }


def _jobs(session: Session) -> Values:
    rows = session.execute(select(Job.kind, Job.state, func.count()).group_by(Job.kind, Job.state))
    return {(str(kind), str(state)): count for kind, state, count in rows}


def _queued(session: Session, settings: Settings) -> Values:
    rows = session.execute(
        select(Job.target_id, func.count()).where(Job.state == JobState.QUEUED).group_by(Job.target_id)
    ).all()
    reasons = why_nobody(session, {target_id for target_id, _ in rows if target_id is not None}, settings)
    counts: Counter[str] = Counter(turn=0, agent=0)
    for target_id, count in rows:
        counts["agent" if target_id in reasons else "turn"] += count
    return {(reason,): count for reason, count in counts.items()}


def _oldest(session: Session, now: float) -> Values:
    since = session.scalar(select(func.min(Job.created_unix_s)).where(Job.state == JobState.QUEUED))
    return {(): 0.0 if since is None else max(0.0, now - since)}


def _lease_age(session: Session, now: float) -> Values:
    running = select(func.min(Attempt.started_unix_s)).join(Job, Job.lease_token == Attempt.lease_token)
    since = session.scalar(running.where(Job.state == JobState.LEASED))
    return {(): 0.0 if since is None else max(0.0, now - since)}


def _devices(session: Session, now: float) -> Values:
    seen = session.scalars(select(func.max(Agent.seen_unix_s)).group_by(Agent.device_id)).all()
    online = sum(now - each <= SILENT_S for each in seen)
    return {("online",): online, ("silent",): len(seen) - online}

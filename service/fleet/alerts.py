"""What somebody should look at: devices that are away while work waits for them or that drift, jobs that failed."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from latcast.schema import JobKind, JobState
from latcast.schema.counting import counted
from service.db import tables
from service.fleet.drift import WORTH_SAYING, drifts
from service.fleet.presence import Presence

__all__ = ["Alert", "alerts_of"]

RECENT_S = 86_400.0
MOST = 20
LONGEST_REASON = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Something that somebody should look at.

    Args:
        level: whether it stops work, or may be as it should.
        subject: the device or the kind of work that it is about.
        text: a sentence.
    """

    level: Literal["error", "warning"]
    subject: str
    text: str


def alerts_of(session: Session, presences: Mapping[str, Presence]) -> list[Alert]:
    """The alerts of now, those that stop work first.

    Args:
        session: reads.
        presences: of every device.
    """
    alerts = [*_missing_agents(session, presences), *_failed_work(session), *_drifted(session)]
    return sorted(alerts, key=lambda alert: alert.level)[:MOST]


def _missing_agents(session: Session, presences: Mapping[str, Presence]) -> list[Alert]:
    query = (
        select(tables.Target.device_id, func.count())
        .join(tables.Job, tables.Job.target_id == tables.Target.id)
        .where(tables.Job.state == JobState.QUEUED, tables.Job.kind == JobKind.PROFILE)
        .group_by(tables.Target.device_id)
    )
    waiting = {device_id: count for device_id, count in session.execute(query) if device_id is not None}
    alerts = []
    for device in session.scalars(select(tables.Device).where(tables.Device.id.in_(waiting))):
        presence = presences.get(device.id, Presence())
        if not presence.online:
            count = waiting[device.id]
            text = f"{_jobs(count)} for it. {presence.why_nobody(device)}"
            alerts.append(Alert(level="error", subject=device.name, text=text))
    return alerts


def _failed_work(session: Session) -> list[Alert]:
    """One alert for each reason for which adaptations and trainings failed, and one for all measurements that did."""
    table = tables.Job
    failed = select(table).where(table.state == JobState.FAILED, table.updated_unix_s > time.time() - RECENT_S)
    counts = Counter((job.kind, _reason(job)) for job in session.scalars(failed.order_by(table.id.desc()).limit(200)))
    return [
        Alert(level="warning", subject=kind, text=f"Failed {_times(count)} in the last day. {reason}")
        for (kind, reason), count in counts.most_common(MOST)
    ]


def _drifted(session: Session) -> list[Alert]:
    """One alert for each target whose machine became slower or faster by the sentinel, the worst first."""
    found = {name: share for name, share in drifts(session).items() if abs(share) > WORTH_SAYING}
    table = tables.Target
    names = select(table.id, tables.Device.name).join(tables.Device, tables.Device.id == table.device_id)
    named = session.execute(names.where(table.id.in_(found))).all()
    return [
        Alert(
            level="warning",
            subject=name,
            text=f"Its sentinel takes {abs(found[target_id]):.0%} {'longer' if found[target_id] > 0 else 'less'} than "
            f"before: look at temperature, power and other programs, and adapt target {target_id} again if it stays.",
        )
        for target_id, name in sorted(named, key=lambda row: -abs(found[row[0]]))
    ]


def _reason(job: tables.Job) -> str:
    result = job.result or {}
    reason = str(result.get("error") or ("The model could not be measured." if "measurement_id" in result else ""))
    return reason if len(reason) <= LONGEST_REASON else f"{reason[:LONGEST_REASON]} …"


def _jobs(count: int) -> str:
    return "One measurement waits" if count == 1 else f"{counted(count, 'measurement')} wait"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"

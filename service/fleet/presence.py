"""Whether the agents of devices are there: when they last called, and whether they may call again.

An agent that waits for work calls every half minute at most, and one that measures sends heartbeats.
"""

import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from service.db import tables
from service.settings import Settings

__all__ = ["Presence", "agent_at_work", "clock_time", "online_seconds", "presence_of", "unmeasurable"]

LEAST_ONLINE_S = 90.0
"""An agent that called this lately is there; where leases are longer, so are the pauses between heartbeats."""
CLOCK_SLACK_S = 60.0
"""A call further in the future than this came while the clock was ahead, and says nothing of now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """Whether a device's agents are there.

    Args:
        seen_unix_s: when one of them last called; None where it never had one.
        online: whether that was just now, with a key that is valid.
        revoked_unix_s: when the last of their keys was revoked; None while one is valid.
        gone: whether nobody will measure on the device unless an agent is started: its keys were revoked, or it was
            silent for `agent_gone_seconds`.
        quarantined_unix_s: since when what one of them reports is hidden; None where nothing is.
    """

    seen_unix_s: float | None = None
    online: bool = False
    revoked_unix_s: float | None = None
    gone: bool = False
    quarantined_unix_s: float | None = None

    def why_nobody(self, device: tables.Device) -> str:
        """Why nobody measures on the device, in a sentence; empty while an agent is there."""
        if self.online:
            return ""
        if self.revoked_unix_s is not None:
            return (
                f"The key of {device.name}'s agent was revoked at {clock_time(self.revoked_unix_s)}: let the device in "
                f"again (latcast keys enrol --device {device.id}), or cancel the job."
            )
        if self.seen_unix_s is None:
            return f"No agent of {device.name} ever called: start one there (latcast agent), or cancel the job."
        return (
            f"No agent of {device.name} since {clock_time(self.seen_unix_s)}: start it there (latcast agent), or "
            "cancel the job."
        )


NEVER = Presence()


def presence_of(session: Session, device_ids: Collection[str], settings: Settings) -> dict[str, Presence]:
    """The presence of each of these devices."""
    table, now = tables.Agent, time.time()
    query = (
        select(
            table.device_id,
            func.max(table.seen_unix_s).label("seen"),
            func.count().filter(tables.ApiKey.revoked_unix_s.is_(None)).label("valid"),
            func.max(tables.ApiKey.revoked_unix_s).label("revoked"),
            func.max(table.quarantined_unix_s).label("quarantined"),
        )
        .join(tables.ApiKey, tables.ApiKey.id == table.api_key_id)
        .where(table.device_id.in_(list(device_ids)))
        .group_by(table.device_id)
    )
    found = {row.device_id: _presence(row, now, settings) for row in session.execute(query)}
    return {device_id: found.get(device_id, NEVER) for device_id in device_ids}


def _presence(row: Row[*tuple[Any, ...]], now: float, settings: Settings) -> Presence:
    revoked = None if row.valid else row.revoked
    return Presence(
        seen_unix_s=row.seen,
        online=revoked is None and -CLOCK_SLACK_S <= now - row.seen <= online_seconds(settings),
        revoked_unix_s=revoked,
        gone=revoked is not None or now - row.seen > settings.agent_gone_seconds,
        quarantined_unix_s=row.quarantined,
    )


def online_seconds(settings: Settings) -> float:
    """How long an agent that called counts as being there."""
    return max(LEAST_ONLINE_S, settings.lease_seconds)


def agent_at_work(session: Session, device_id: str, settings: Settings) -> float | None:
    """When the device's agent last called, if it is there; one that only registered, and never called, is not.

    Args:
        session: reads.
        device_id: of the device.
        settings: for how long an agent counts as being there.
    """
    table, now = tables.Agent, time.time()
    query = (
        select(func.max(table.seen_unix_s))
        .join(tables.ApiKey, tables.ApiKey.id == table.api_key_id)
        .where(table.device_id == device_id, tables.ApiKey.revoked_unix_s.is_(None))
        .where(tables.ApiKey.first_used_unix_s.is_not(None))
        .where(table.seen_unix_s.between(now - online_seconds(settings), now + CLOCK_SLACK_S))
    )
    return session.scalar(query)


def unmeasurable(session: Session, target_ids: Collection[str], settings: Settings) -> dict[str, tuple[float, str]]:
    """Those of the targets that no agent will measure on as things are: since when, and why, in a sentence."""
    table = tables.Target
    query = select(table, tables.Device).join(tables.Device, tables.Device.id == table.device_id)
    rows = session.execute(query.where(table.id.in_(list(target_ids)))).all()
    presences = presence_of(session, {device.id for _, device in rows}, settings)
    answers: dict[str, tuple[float, str]] = {}
    for target, device in rows:
        presence = presences[device.id]
        if not target.offered:
            answers[target.id] = device.registered_unix_s, _no_longer_offered(device)
        elif presence.gone:
            since = presence.revoked_unix_s or presence.seen_unix_s or 0.0
            answers[target.id] = since, presence.why_nobody(device)
    return answers


def _no_longer_offered(device: tables.Device) -> str:
    return (
        f"{device.name} no longer offers this target since its agent registered at "
        f"{clock_time(device.registered_unix_s)} (its runtime or the agent's options changed): "
        "ask for one that it offers (latcast targets --offered)."
    )


def clock_time(unix_s: float) -> str:
    """A time of day, with the date where that is not today; in UTC."""
    then = datetime.fromtimestamp(unix_s, UTC)
    today = then.date() == datetime.now(UTC).date()
    return f"{then:%H:%M} UTC" if today else f"{then:%d %b %Y %H:%M} UTC"

"""Who reported the rows of a target: agents, by the names of their devices."""

from collections import Counter
from collections.abc import Collection, Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.db.statements import chunks
from service.db.tables import Agent, Device
from service.db.visibility import ALL_ROWS
from service.measurements.columns import NO_AGENT

__all__ = ["names_of"]

SHOWN = 6
"""Last characters of an agent's id, which tell two of one device apart."""


def names_of(session: Session, sources: Collection[str]) -> Mapping[str, str]:
    """What people call each source: an agent's device, with the end of the agent's id where a device has several."""
    devices: dict[str, str] = {}
    for part in chunks(sources):
        query = select(Agent.id, Device.name).join(Device, Device.id == Agent.device_id).where(Agent.id.in_(part))
        devices.update((row.id, row.name) for row in session.execute(query, execution_options=ALL_ROWS))
    often = Counter(devices.values())
    names = {agent: name if often[name] == 1 else f"{name} \u2026{agent[-SHOWN:]}" for agent, name in devices.items()}
    gone = {agent: f"an agent that is gone, \u2026{agent[-SHOWN:]}" for agent in sources if agent not in devices}
    return {**gone, **names, NO_AGENT: "a public table, or unknown"}

"""Measurements are hidden and shown again: those of an agent that measured nonsense, of a network, of an afternoon.

Hidden rows teach nothing, answer nothing and are not exported (`service.db.visibility`). An adaptation that learned
from one of them ends; the newest one that did not answers in its place, and the ended one comes back with its rows.
"""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Update, or_, select, update
from sqlalchemy.orm import Session

from latcast.errors import NotFoundError
from latcast.schema import InputError, TargetId
from service.db.statements import chunks
from service.db.tables import Adaptation, Agent, Attempt, Device, Measurement, Target
from service.db.visibility import ALL_ROWS
from service.graphs.names import find_known_hash
from service.measurements.revisions import revise

__all__ = ["HiddenRows", "RowChoice", "hide", "hide_where", "show", "show_where"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChoice:
    """Which measurements: those that everything named here fits to.

    Args:
        ids: exactly these.
        agent: reported by this agent; a device's id or name stands for its agents.
        target: of this target.
        graph: of this graph, named by its hash or the beginning of one.
        since_unix_s, until_unix_s: stored between these.
    """

    ids: Sequence[int] = ()
    agent: str | None = None
    target: TargetId | None = None
    graph: str | None = None
    since_unix_s: float | None = None
    until_unix_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HiddenRows:
    """What was hidden or shown.

    Args:
        rows: how many measurements.
        targets: whose.
        agents: that are in quarantine from now on, or no longer.
        adaptations_ended: that had learned from what is hidden now.
        adaptations_back: that answer again.
    """

    rows: int
    targets: Sequence[TargetId]
    agents: Sequence[str] = ()
    adaptations_ended: Sequence[str] = ()
    adaptations_back: Sequence[str] = ()


def hide(session: Session, choice: RowChoice) -> HiddenRows:
    """Hide measurements. An agent that is named without an end of time is in quarantine: what it reports from now on is
    hidden as it comes.

    Args:
        session: in a transaction.
        choice: which.

    Raises:
        InputError: neither rows nor agent, target or graph are named.
        NotFoundError: there is no such agent, device, target or graph.
    """
    now, agents = time.time(), _agents(session, choice)
    quarantined = agents if choice.until_unix_s is None else []
    session.execute(_of_agents(quarantined, Agent.quarantined_unix_s.is_(None)).values(quarantined_unix_s=now))
    return hide_where(session, _conditions(session, choice, agents), at_unix_s=now, agents=quarantined)


def hide_where(
    session: Session, conditions: Sequence[ColumnElement[bool]], *, at_unix_s: float, agents: Sequence[str] = ()
) -> HiddenRows:
    """Hide the measurements that all conditions fit to, at a time by which they can be shown again together."""
    return _mark(session, [*conditions, Measurement.hidden_unix_s.is_(None)], at_unix_s, agents)


def show(session: Session, choice: RowChoice) -> HiddenRows:
    """Show measurements again; an agent that is named is no longer in quarantine.

    Raises:
        InputError: neither rows nor agent, target or graph are named.
        NotFoundError: there is no such agent, device, target or graph.
    """
    agents = _agents(session, choice)
    session.execute(_of_agents(agents).values(quarantined_unix_s=None))
    return show_where(session, _conditions(session, choice, agents), agents=agents)


def show_where(
    session: Session, conditions: Sequence[ColumnElement[bool]], *, agents: Sequence[str] = ()
) -> HiddenRows:
    """Show those hidden measurements again that all conditions fit to."""
    return _mark(session, [*conditions, Measurement.hidden_unix_s.is_not(None)], None, agents)


def _of_agents(agents: Collection[str], *also: ColumnElement[bool]) -> Update:
    return update(Agent).where(Agent.id.in_(list(agents)), *also).execution_options(synchronize_session=False)


def _agents(session: Session, choice: RowChoice) -> list[str]:
    if choice.agent is None:
        return []
    devices = select(Device.id).where(or_(Device.id == choice.agent, Device.name == choice.agent))
    named = select(Agent.id).where(or_(Agent.id == choice.agent, Agent.device_id.in_(devices)))
    agents = list(session.scalars(named, execution_options=ALL_ROWS))
    if not agents:
        raise NotFoundError(
            f"There is no agent {choice.agent!r}, and no device of that id or name that has one: `latcast devices` "
            "lists devices, GET /v1/jobs/{id} the agents that worked on a job."
        )
    return agents


def _conditions(session: Session, choice: RowChoice, agents: Sequence[str]) -> list[ColumnElement[bool]]:
    if not (choice.ids or agents or choice.target or choice.graph):
        raise InputError("Say which measurements: their ids, an agent, a target or a graph.")
    if choice.target is not None and session.get(Target, choice.target, execution_options=ALL_ROWS) is None:
        raise NotFoundError(f"There is no target {choice.target!r}: `latcast targets` lists them.")
    conditions: list[ColumnElement[bool]] = []
    if choice.ids:
        conditions.append(Measurement.id.in_(list(choice.ids)))
    if agents:
        conditions.append(Measurement.lease_token.in_(select(Attempt.lease_token).where(Attempt.agent_id.in_(agents))))
    if choice.target:
        conditions.append(Measurement.target_id == choice.target)
    if choice.graph is not None:
        conditions.append(Measurement.graph_hash == find_known_hash(session, choice.graph))
    if choice.since_unix_s is not None:
        conditions.append(Measurement.created_unix_s >= choice.since_unix_s)
    if choice.until_unix_s is not None:
        conditions.append(Measurement.created_unix_s <= choice.until_unix_s)
    return conditions


def _mark(
    session: Session, conditions: Sequence[ColumnElement[bool]], at_unix_s: float | None, agents: Sequence[str]
) -> HiddenRows:
    found = select(Measurement.target_id).where(*conditions).distinct().order_by(Measurement.target_id)
    targets = list(session.scalars(found, execution_options=ALL_ROWS))
    changed = update(Measurement).where(*conditions).values(hidden_unix_s=at_unix_s)
    rows = session.connection().execute(changed).rowcount
    session.expire_all()
    revise(session, targets)
    ended, back = _settle(session, targets)
    return HiddenRows(rows=rows, targets=targets, agents=agents, adaptations_ended=ended, adaptations_back=back)


def _settle(session: Session, target_ids: Sequence[TargetId]) -> tuple[list[str], list[str]]:
    """Let the newest adaptation of each target answer that learned from nothing hidden: (those ended, those back)."""
    ended: list[str] = []
    back: list[str] = []
    for target_id in target_ids:
        mine = select(Adaptation).where(Adaptation.target_id == target_id).order_by(Adaptation.id.desc())
        adaptations = session.scalars(mine).all()
        active = next((one for one in adaptations if one.active), None)
        best = next((one for one in adaptations if not _has_hidden(session, one.support)), None)
        if active is best:
            continue
        if active is not None:
            active.active = False
            ended.append(active.id)
        session.flush()  # two active ones of a target are not allowed for a moment either
        if best is not None:
            best.active = True
            back.append(best.id)
        session.flush()
    return ended, back


def _has_hidden(session: Session, ids: Sequence[int]) -> bool:
    hidden = select(Measurement.id).where(Measurement.hidden_unix_s.is_not(None)).limit(1)
    parts = (hidden.where(Measurement.id.in_(part)) for part in chunks(ids))
    return any(session.scalar(part, execution_options=ALL_ROWS) is not None for part in parts)

"""Devices, targets and graphs are taken out of sight and brought back; `service.curation.pruning` throws away."""

import time
from collections.abc import Sequence
from typing import TypeVar

from sqlalchemy import ColumnElement, Update, select, update
from sqlalchemy.orm import Session

from latcast.errors import NotFoundError
from latcast.schema import FINISHED_STATES, GraphHash, InputError, TargetId
from service.curation.hiding import hide_where, show_where
from service.db import tables
from service.db.visibility import ALL_ROWS
from service.fleet import access
from service.fleet.registration import find_device
from service.fleet.targets import find_target
from service.graphs import store
from service.jobs import queue
from service.measurements.revisions import revise

__all__ = ["hide_device", "hide_graph", "hide_target", "rename_device", "show_device", "show_graph", "show_target"]

LONGEST_NAME = 200
R = TypeVar("R", tables.Device, tables.Target, tables.Graph)


def hide_device(session: Session, wanted: str) -> tables.Device:
    """Take a device out of sight with its targets and all that was measured on them, and end its agents' keys.

    Its jobs that have not finished are cancelled. It comes back by `show_device`, or when it registers again.

    Raises:
        NotFoundError: there is no such device.
        InputError: several devices have the name.
    """
    row, now = find_device(session, wanted), time.time()
    for target_id in _targets(session, row.id, tables.Target.hidden_unix_s.is_(None)):
        _hide_target(session, session.get_one(tables.Target, target_id), now)
    for key_id in session.scalars(select(tables.Agent.api_key_id).where(tables.Agent.device_id == row.id)).all():
        access.revoke_key(session, key_id)
    row.hidden_unix_s = now
    session.flush()
    return row


def show_device(session: Session, device_id: str) -> tables.Device:
    """Bring a device back, with the targets that went with it. Its agent needs a new key.

    Raises:
        NotFoundError: no device of this id is hidden.
    """
    row = _hidden(session, tables.Device, device_id)
    together = tables.Target.hidden_unix_s == row.hidden_unix_s
    shown = _targets(session, row.id, together)
    session.execute(_update_targets(shown).values(hidden_unix_s=None))
    revise(session, shown)
    row.hidden_unix_s = None
    session.flush()
    return row


def rename_device(session: Session, wanted: str, name: str) -> tables.Device:
    """Give a device a name, which it keeps whatever its agent calls it; an empty one leaves it to the agent again.

    Raises:
        NotFoundError: there is no such device.
        InputError: several devices have the former name, or the new one is too long.
    """
    if len(name) > LONGEST_NAME:
        raise InputError(f"name: at most {LONGEST_NAME} characters.")
    row = find_device(session, wanted)
    row.given_name = name or None
    row.name = name or row.record["name"]
    session.flush()
    return row


def hide_target(session: Session, target_id: TargetId) -> tables.Target:
    """Take a target out of sight, with what was measured on it; its jobs that have not finished are cancelled.

    Raises:
        NotFoundError: there is no such target.
    """
    row = find_target(session, target_id)
    _hide_target(session, row, time.time())
    return row


def _hide_target(session: Session, row: tables.Target, now: float) -> None:
    _cancel(session, tables.Job.target_id == row.id)
    row.hidden_unix_s, row.revision = now, row.revision + 1
    session.flush()


def show_target(session: Session, target_id: TargetId) -> tables.Target:
    """Bring a target back.

    Raises:
        NotFoundError: no target of this id is hidden, or its device is.
    """
    row = _hidden(session, tables.Target, target_id)
    if row.device_id is not None and session.get(tables.Device, row.device_id, populate_existing=True) is None:
        raise NotFoundError(f"Its device {row.device_id} is hidden; bring that back first.")
    row.hidden_unix_s, row.revision = None, row.revision + 1
    session.flush()
    return row


def hide_graph(session: Session, graph_hash: GraphHash) -> int:
    """Take a graph out of sight with its measurements, and cancel its jobs; how many measurements. Uploading the graph
    again brings it back without them, `show_graph` with them.

    Raises:
        NotFoundError: there is no such graph.
    """
    row, now = store.find(session, graph_hash), time.time()
    _cancel(session, tables.Job.graph_hash == graph_hash)
    row.hidden_unix_s = now
    session.flush()
    return hide_where(session, [tables.Measurement.graph_hash == graph_hash], at_unix_s=now).rows


def show_graph(session: Session, graph_hash: GraphHash) -> int:
    """Bring a graph back with the measurements that went with it; how many.

    Raises:
        NotFoundError: no graph of this hash is hidden.
    """
    row = _hidden(session, tables.Graph, graph_hash)
    together = tables.Measurement.hidden_unix_s == row.hidden_unix_s
    row.hidden_unix_s = None
    session.flush()
    return show_where(session, [tables.Measurement.graph_hash == graph_hash, together]).rows


def _hidden(session: Session, table: type[R], key: str) -> R:
    row = session.get(table, key, execution_options=ALL_ROWS)
    if row is None or row.hidden_unix_s is None:
        raise NotFoundError(f"There is no hidden {table.__tablename__} {key!r}.")
    return row


def _targets(session: Session, device_id: str, condition: ColumnElement[bool]) -> list[TargetId]:
    mine = select(tables.Target.id).where(tables.Target.device_id == device_id, condition)
    return list(session.scalars(mine, execution_options=ALL_ROWS))


def _update_targets(ids: Sequence[TargetId]) -> Update:
    chosen = update(tables.Target).where(tables.Target.id.in_(list(ids)))
    return chosen.execution_options(synchronize_session="fetch")


def _cancel(session: Session, condition: ColumnElement[bool]) -> None:
    unfinished = tables.Job.state.not_in(FINISHED_STATES)
    for job_id in session.scalars(select(tables.Job.id).where(condition, unfinished).order_by(tables.Job.id)).all():
        if queue.find(session, job_id).state not in FINISHED_STATES:  # a job before it may have ended it
            queue.cancel(session, job_id)

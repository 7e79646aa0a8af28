"""Devices, targets, graphs and measurements are hidden, shown again, renamed and merged; an admin does that."""

from typing import Annotated

from fastapi import APIRouter, Path
from sqlalchemy.orm import Session

from service.api import schemas, views
from service.api.deps import Admin, Parts, PartsOf
from service.api.door.routes import Route
from service.api.routes.devices import device_out
from service.curation import hiding, removal
from service.curation.hiding import HiddenRows, RowChoice
from service.db import tables
from service.fleet import audit, moves, presence
from service.fleet.registration import find_device
from service.fleet.targets import find_target
from service.graphs.names import find_hash, find_hidden_hash

__all__ = ["router"]

router = APIRouter(tags=["curation"], route_class=Route)
Id = Annotated[str, Path(max_length=100)]


def _device(parts: Parts, session: Session, row: tables.Device) -> schemas.DeviceOut:
    return device_out(row, presence.presence_of(session, [row.id], parts.settings)[row.id])


def _target(parts: Parts, session: Session, row: tables.Target) -> schemas.TargetOut:
    return views.targets_out(session, [row], parts.settings, parts.counts.of(session))[0]


def _changed(parts: Parts) -> None:
    """Let this process notice at once; others look by themselves."""
    parts.identities.forget()
    parts.changes.look()


@router.delete("/devices/{device_id}")
def hide_device(device_id: Id, parts: PartsOf, caller: Admin) -> schemas.DeviceOut:
    """Take a device out of sight: its targets, what was measured on them, and its agents' keys. `latcast db prune`
    deletes it later; until then `show` brings it back, and so does its agent with a new enrolment token.
    """
    with parts.database.write.begin() as session:
        row = removal.hide_device(session, device_id)
        audit.record(session, caller.key_id, "devices.hide", row.id, name=row.name)
        out = _device(parts, session, row)
    _changed(parts)
    return out


@router.post("/devices/{device_id}/show")
def show_device(device_id: Id, parts: PartsOf, caller: Admin) -> schemas.DeviceOut:
    """Bring a hidden device back with its targets. Its agent needs a new key (`POST /v1/keys/enrolment`)."""
    with parts.database.write.begin() as session:
        row = removal.show_device(session, device_id)
        audit.record(session, caller.key_id, "devices.show", row.id)
        out = _device(parts, session, row)
    _changed(parts)
    return out


@router.post("/devices/{device_id}/rename")
def rename_device(device_id: Id, body: schemas.RenameIn, parts: PartsOf, caller: Admin) -> schemas.DeviceOut:
    """Give a device a name, which it keeps whatever its agent calls it."""
    with parts.database.write.begin() as session:
        row = removal.rename_device(session, device_id, body.name)
        audit.record(session, caller.key_id, "devices.rename", row.id, name=body.name)
        out = _device(parts, session, row)
    _changed(parts)
    return out


@router.post("/devices/{device_id}/merge")
def merge_device(device_id: Id, body: schemas.MergeIn, parts: PartsOf, caller: Admin) -> schemas.DeviceOut:
    """Give everything that a device has to another one with the same hardware, which it was registered as, too. Cannot
    be undone.
    """
    with parts.database.write.begin() as session:
        former, into = find_device(session, device_id), find_device(session, body.into)
        former_id = former.id
        moves.merge(session, former, into)
        audit.record(session, caller.key_id, "devices.merge", former_id, into=into.id)
        out = _device(parts, session, into)
    _changed(parts)
    return out


@router.delete("/targets/{target_id}")
def hide_target(target_id: Id, parts: PartsOf, caller: Admin) -> schemas.TargetOut:
    """Take a target out of sight with what was measured on it; a registration that offers it brings it back."""
    with parts.database.write.begin() as session:
        row = removal.hide_target(session, target_id)
        audit.record(session, caller.key_id, "targets.hide", row.id)
        out = _target(parts, session, row)
    _changed(parts)
    return out


@router.post("/targets/{target_id}/show")
def show_target(target_id: Id, parts: PartsOf, caller: Admin) -> schemas.TargetOut:
    """Bring a hidden target back."""
    with parts.database.write.begin() as session:
        row = removal.show_target(session, target_id)
        audit.record(session, caller.key_id, "targets.show", row.id)
        out = _target(parts, session, row)
    _changed(parts)
    return out


@router.post("/targets/{target_id}/merge")
def merge_target(target_id: Id, body: schemas.MergeIn, parts: PartsOf, caller: Admin) -> schemas.TargetOut:
    """Give what was measured on a target to another one, as that of a runtime's next version. Cannot be undone."""
    with parts.database.write.begin() as session:
        former, into = find_target(session, target_id), find_target(session, body.into)
        former_id = former.id
        moves.merge_targets(session, former, into)
        audit.record(session, caller.key_id, "targets.merge", former_id, into=into.id)
        out = _target(parts, session, into)
    _changed(parts)
    return out


@router.delete("/graphs/{graph_hash}")
def hide_graph(graph_hash: Id, parts: PartsOf, caller: Admin) -> schemas.GraphRowsOut:
    """Take a graph out of sight with its measurements; uploading it again brings it back without them."""
    with parts.database.write.begin() as session:
        graph_hash = find_hash(session, graph_hash)
        rows = removal.hide_graph(session, graph_hash)
        audit.record(session, caller.key_id, "graphs.hide", graph_hash, rows=rows)
    _changed(parts)
    return schemas.GraphRowsOut(graph=graph_hash, rows=rows)


@router.post("/graphs/{graph_hash}/show")
def show_graph(graph_hash: Id, parts: PartsOf, caller: Admin) -> schemas.GraphRowsOut:
    """Bring a hidden graph back, with the measurements that went with it."""
    with parts.database.write.begin() as session:
        graph_hash = find_hidden_hash(session, graph_hash)
        rows = removal.show_graph(session, graph_hash)
        audit.record(session, caller.key_id, "graphs.show", graph_hash, rows=rows)
    _changed(parts)
    return schemas.GraphRowsOut(graph=graph_hash, rows=rows)


@router.post("/measurements/hide")
def hide_measurements(body: schemas.RowChoiceIn, parts: PartsOf, caller: Admin) -> schemas.HiddenRowsOut:
    """Hide measurements: they teach, answer and are listed no more. An agent that is named is in quarantine, unless
    there is an end of time: what it reports is hidden, too. Adaptations that learned from them end.
    """
    with parts.database.write.begin() as session:
        done = hiding.hide(session, RowChoice(**body.model_dump()))
        _note(session, caller.key_id, "measurements.hide", body, done)
    _changed(parts)
    return schemas.HiddenRowsOut.model_validate(done)


@router.post("/measurements/show")
def show_measurements(body: schemas.RowChoiceIn, parts: PartsOf, caller: Admin) -> schemas.HiddenRowsOut:
    """Show measurements again; the quarantine of an agent that is named ends."""
    with parts.database.write.begin() as session:
        done = hiding.show(session, RowChoice(**body.model_dump()))
        _note(session, caller.key_id, "measurements.show", body, done)
    _changed(parts)
    return schemas.HiddenRowsOut.model_validate(done)


def _note(session: Session, key_id: str | None, action: str, body: schemas.RowChoiceIn, done: HiddenRows) -> None:
    chosen = body.model_dump(exclude_defaults=True)
    subject = body.agent or body.target or body.graph or "measurements"
    audit.record(session, key_id, action, subject, rows=done.rows, **chosen)

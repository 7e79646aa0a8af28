"""Devices, keys, enrolment."""

import time
from collections.abc import Collection, Sequence
from typing import Annotated

from fastapi import APIRouter, Path, Query
from sqlalchemy import select
from sqlalchemy.orm import Session

from service.api import schemas, views
from service.api.deps import Admin, Anybody, Cursor, Limit, PartsOf, Reader
from service.api.door.routes import Route
from service.db import records, tables
from service.fleet import access, audit, microbenchmarks, presence, registration

__all__ = ["device_out", "router"]

router = APIRouter(tags=["devices and keys"], route_class=Route)
KeyId = Annotated[str, Path(max_length=64)]


@router.post("/devices/register")
def register_device(body: schemas.RegisterIn, parts: PartsOf, caller: Anybody) -> registration.Registration:
    """Describe a machine and its targets; the answer holds the key of its agent. Registering again is harmless."""
    with parts.database.write.begin() as session:
        registered = registration.register(
            session,
            settings=parts.settings,
            principal=caller,
            device=body.device,
            targets=body.targets,
            enrolment_token=body.enrolment_token,
            former_fingerprint=body.former_fingerprint,
        )
        if registered.agent_key is not None:
            audit.record(session, caller.key_id, "devices.register", registered.device_id, name=body.device.name)
    parts.identities.forget()  # a device may have moved, and earlier keys may have ended
    return registered


@router.get("/devices")
def list_devices(
    parts: PartsOf, _caller: Reader, limit: Limit, cursor: Cursor = None, *, hidden: bool = False
) -> schemas.Listed[schemas.DeviceOut]:
    """Registered machines, by id; with `hidden`, those that were taken out of sight instead."""
    with parts.database.read() as session:
        page = registration.devices_page(session, limit=limit, cursor=cursor, hidden=hidden)
        rows = [row for (row,) in page.items]
        presences = presence.presence_of(session, [row.id for row in rows], parts.settings)
        items = [device_out(row, presences[row.id]) for row in rows]
    return schemas.Listed(items=items, next_cursor=page.next_cursor)


@router.get("/devices/{device_id}")
def get_device(
    device_id: Annotated[str, Path(max_length=100)],
    parts: PartsOf,
    _caller: Reader,
    target: Annotated[str | None, Query(max_length=100, description="Of which microbenchmarks are shown.")] = None,
) -> schemas.DevicePageOut:
    """A machine by its id or name: its targets, and the microbenchmarks and newest measurement of one of them, which is
    the first that has microbenchmarks unless another one is named.
    """
    with parts.database.read() as session:
        row = registration.find_device(session, device_id)
        mine = select(tables.Target).where(tables.Target.device_id == row.id).order_by(tables.Target.id)
        targets = session.scalars(mine).all()
        shown = views.targets_out(session, targets, parts.settings, parts.counts.of(session))
        benched = microbenchmarks.chosen_microbenches(session, [one.id for one in targets])
        chosen = _chosen([one.id for one in targets], target, benched)
        return schemas.DevicePageOut(
            device=device_out(row, presence.presence_of(session, [row.id], parts.settings)[row.id]),
            targets=shown,
            target=chosen,
            microbench=views.microbench_out(session, chosen) if chosen is not None and chosen in benched else None,
            newest=_newest(session, chosen),
        )


def _chosen(ids: Sequence[str], wanted: str | None, benched: Collection[str]) -> str | None:
    if wanted in ids:
        return wanted
    return next((one for one in ids if one in benched), ids[0] if ids else None)


def _newest(session: Session, target_id: str | None) -> schemas.MeasurementOut | None:
    table = tables.Measurement
    measured = (table.median_ms + 0).is_not(None)  # no condition for an index, which would be read whole and sorted
    row = session.scalar(select(table).where(table.target_id == target_id, measured).order_by(table.id.desc()).limit(1))
    return None if row is None else views.measurement_out(session, row)


def device_out(row: tables.Device, found: presence.Presence) -> schemas.DeviceOut:
    """A device with what is known of its agents."""
    return schemas.DeviceOut(
        id=row.id,
        name=row.name,
        hidden_unix_s=row.hidden_unix_s,
        device=records.device_record(row),
        created_unix_s=row.created_unix_s,
        registered_unix_s=row.registered_unix_s,
        seen_unix_s=found.seen_unix_s,
        online=found.online,
        quarantined_unix_s=found.quarantined_unix_s,
    )


@router.post("/keys/enrolment", status_code=201)
def create_enrolment_token(body: schemas.EnrolmentIn, parts: PartsOf, caller: Admin) -> schemas.EnrolmentOut:
    """A token with which one new device can register once, or a registered one that lost its key."""
    ttl_s = body.ttl_s or parts.settings.enrolment_ttl_s
    with parts.database.write.begin() as session:
        device_id = None if body.device is None else registration.find_device(session, body.device).id
        token, secret = access.create_enrolment_token(session, ttl_s=ttl_s, device_id=device_id)
        audit.record(session, caller.key_id, "keys.enrol", device_id or "", expires_unix_s=token.expires_unix_s)
        return schemas.EnrolmentOut(enrolment_token=secret, expires_unix_s=token.expires_unix_s)


@router.post("/keys", status_code=201)
def create_key(body: schemas.KeyIn, parts: PartsOf, caller: Admin) -> schemas.NewKeyOut:
    """A new key. With the first one the service stops being open to everybody."""
    fields = body.model_dump(exclude={"expires_in_s"})
    expires = None if body.expires_in_s is None else time.time() + body.expires_in_s
    with parts.database.write.begin() as session:
        key, secret = access.create_key(session, **fields, expires_unix_s=expires)
        audit.record(session, caller.key_id, "keys.create", key.id, **fields)
        out = schemas.NewKeyOut(**views.key_out(key).model_dump(), key=secret)
    parts.identities.forget()
    return out


@router.post("/keys/{key_id}/rotate", status_code=201)
def rotate_key(key_id: KeyId, body: schemas.RotationIn, parts: PartsOf, caller: Admin) -> schemas.NewKeyOut:
    """A new key in place of this one, which goes on for `overlap_s`; it has the same scope, name, owner and limits."""
    with parts.database.write.begin() as session:
        key, secret = access.rotate_key(session, key_id, overlap_s=body.overlap_s)
        audit.record(session, caller.key_id, "keys.rotate", key_id, new=key.id, overlap_s=body.overlap_s)
        out = schemas.NewKeyOut(**views.key_out(key).model_dump(), key=secret)
    parts.identities.forget()
    return out


@router.get("/keys")
def list_keys(parts: PartsOf, _caller: Admin, limit: Limit, cursor: Cursor = None) -> schemas.Listed[schemas.KeyOut]:
    """Keys, oldest first, without their secrets."""
    with parts.database.read() as session:
        page = access.keys_page(session, limit=limit, cursor=cursor)
        items = [views.key_out(row) for (row,) in page.items]
    return schemas.Listed(items=items, next_cursor=page.next_cursor)


@router.delete("/keys/{key_id}")
def revoke_key(key_id: KeyId, parts: PartsOf, caller: Admin) -> schemas.KeyOut:
    """Make a key useless from now on."""
    with parts.database.write.begin() as session:
        out = views.key_out(access.revoke_key(session, key_id))
        audit.record(session, caller.key_id, "keys.revoke", key_id)
    parts.identities.forget()
    return out


@router.get("/audit")
def list_audit(
    *,
    parts: PartsOf,
    _caller: Admin,
    limit: Limit,
    cursor: Cursor = None,
    key: Annotated[str | None, Query(max_length=64)] = None,
    action: Annotated[str | None, Query(max_length=64, description="Or its beginning, as `keys.`.")] = None,
    subject: Annotated[str | None, Query(max_length=100)] = None,
) -> schemas.Listed[schemas.AuditOut]:
    """Who did what: calls that changed something, newest first."""
    with parts.database.read() as session:
        page = audit.audit_page(session, limit=limit, cursor=cursor, key=key, action=action, subject=subject)
        items = [schemas.AuditOut.model_validate(row) for (row,) in page.items]
    return schemas.Listed(items=items, next_cursor=page.next_cursor)

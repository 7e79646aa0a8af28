"""Registration: a machine describes itself and its targets, and gets a key for its agent."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Row, select, update
from sqlalchemy.orm import Session

from latcast.errors import AuthenticationError, ConflictError, NotFoundError
from latcast.schema import Device, InputError, Target
from latcast.schema.counting import counted
from service.db import records, tables
from service.db.pagination import Order, Page, fetch_page
from service.db.visibility import ALL_ROWS
from service.fleet import access, moves
from service.fleet.presence import agent_at_work, online_seconds
from service.settings import Settings

__all__ = ["Registration", "devices_page", "find_device", "register"]


LONGEST_TEXT, LONGEST_VALUE = 500, 20_000
"""Most characters of a text of a description, and of whatever else is in it as JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What a device gets.

    Args:
        device_id: the same one each time the same fingerprint registers.
        agent_key: shown this once; None where the caller already had one.
        target_ids: in the order in which the targets were given.
    """

    device_id: str
    agent_key: str | None
    target_ids: tuple[str, ...]


def register(
    session: Session,
    *,
    settings: Settings,
    principal: access.Principal,
    device: Device,
    targets: Sequence[Target],
    enrolment_token: str | None = None,
    former_fingerprint: str | None = None,
) -> Registration:
    """Register a device, or bring its description up to date.

    The device's own agent key is enough to register again; otherwise a service with keys asks for an enrolment
    token, or for an admin's key. A token admits one new device, or the registered device that it was made for, whose
    earlier keys end with that. It works once; while no call came with the key that it brought, the same device may
    ask again, as after an answer that got lost, and its key is replaced. Targets that are no longer named take no
    more jobs.

    Args:
        session: in a transaction that writes.
        settings: whether keys are asked for.
        principal: who calls.
        device: the machine.
        targets: what it offers.
        enrolment_token: where the caller has no key of the device or an admin's.
        former_fingerprint: what version 0.1 called this machine: a device that is registered so, and has the same
            hardware, is this one, and moves to its new fingerprint.

    Raises:
        AuthenticationError: neither a key that allows it, nor a token that is valid for this device.
        ConflictError: an agent of the device, with a key of its own, is there.
        InputError: a target of another device, or values that cannot be stored.
    """
    _require_describable(device, *targets)
    _require_possible(device)
    _check_targets(device, targets)
    registered = moves.find_registered(session, device, former_fingerprint)
    visible = registered if registered is None or registered.hidden_unix_s is None else None
    is_itself = registered is not None and principal.device_id == registered.id
    token = None
    if not is_itself and enrolment_token is not None:
        token = access.find_token(session, enrolment_token)
        _require_fit(session, token, visible, device)
    elif not is_itself and principal.scope != "admin" and access.keys_required(session, settings):
        raise AuthenticationError(_needs_token(principal, visible))
    if is_itself:
        access.agent_of(session, principal).seen_unix_s = time.time()
    elif enrolment_token is None and principal.scope != "admin" and visible is not None:
        _require_no_other(session, settings, visible)
        _end_unused_keys(session, visible)
    row = _describe(session, registered, device)
    key = None if is_itself else _agent_key(session, row, token)
    offered = [replace(target, device=row.fingerprint) for target in targets]
    _offer(session, row, offered)
    return Registration(device_id=row.id, agent_key=key, target_ids=tuple(target.id for target in offered))


def _require_no_other(session: Session, settings: Settings, row: tables.Device) -> None:
    """Refuse a second agent of a device, as one with another state folder is: both would be taken for one.

    Raises:
        ConflictError: the other agent is there.
    """
    seen_unix_s = agent_at_work(session, row.id, settings)
    if seen_unix_s is None:
        return
    silent_s = max(0.0, time.time() - seen_unix_s)
    raise ConflictError(
        f"An agent of this machine is there already, which calls it {row.name!r} and called {silent_s:.0f} s ago: "
        "stop that one first, start this one with its state folder (--state; another HOME has another one), or make "
        "this a device of its own (--device-id NAME). If that agent has ended and its folder is gone, start this one "
        f"in {online_seconds(settings) - silent_s:.0f} s."
    )


def _end_unused_keys(session: Session, device: tables.Device) -> None:
    """End the keys of the device's agents that never called: their answers got lost, or two register at a time."""
    unused = (
        select(tables.ApiKey.id)
        .join(tables.Agent, tables.Agent.api_key_id == tables.ApiKey.id)
        .where(tables.Agent.device_id == device.id, tables.ApiKey.first_used_unix_s.is_(None))
    )
    for key_id in session.scalars(unused).all():
        access.revoke_key(session, key_id)


def find_device(session: Session, wanted: str) -> tables.Device:
    """The registered device with this id, or the only one with this name.

    Raises:
        NotFoundError: there is none.
        InputError: several devices have the name; the message lists their ids.
    """
    named = select(tables.Device).where((tables.Device.id == wanted) | (tables.Device.name == wanted))
    rows = session.scalars(named.order_by(tables.Device.id).limit(20)).all()
    if not rows:
        raise NotFoundError(f"There is no device {wanted!r}; GET /v1/devices lists them (latcast devices).")
    if len(rows) > 1 and wanted not in {row.id for row in rows}:
        raise InputError(f"Several devices are called {wanted!r}; name one by its id: {', '.join(r.id for r in rows)}.")
    return next((row for row in rows if row.id == wanted), rows[0])


def _require_describable(*descriptions: Device | Target) -> None:
    """Refuse descriptions that no machine gives: they are in every list of targets.

    Raises:
        InputError: says what and where.
    """
    for description in descriptions:
        for name, value in records.storable(description).items():
            length = len(value if isinstance(value, str) else json.dumps(value))
            if length > (LONGEST_TEXT if isinstance(value, str) else LONGEST_VALUE):
                raise InputError(f"{type(description).__name__}.{name}: {counted(length, 'character')} are too many.")


def _require_possible(device: Device) -> None:
    sizes = {name: getattr(device, name) for name in ("physical_cores", "logical_cores", "memory_bytes")}
    sizes |= {f"cache_bytes.{level}": size for level, size in device.cache_bytes.items()}
    for name, size in sizes.items():
        if size < 0:
            raise InputError(f"Device.{name}: no machine has a number below zero of them, found {size}.")


def _check_targets(device: Device, targets: Sequence[Target]) -> None:
    foreign = [target for target in targets if target.device != device.fingerprint]
    if foreign:
        raise InputError(
            f"Target {foreign[0].label!r} belongs to device {foreign[0].device!r}, not to {device.fingerprint!r}; "
            "each target has to carry the fingerprint of the device that registers it."
        )
    if not device.fingerprint or any(target.origin for target in targets):
        raise InputError("A device needs a fingerprint, and the targets it registers have no `origin`.")


def _describe(session: Session, registered: tables.Device | None, device: Device) -> tables.Device:
    """The device's row, brought up to date, and moved where it has its former fingerprint still."""
    if registered is not None and registered.former_fingerprint == device.fingerprint:
        device = replace(device, fingerprint=registered.fingerprint)  # an agent of version 0.1, after the move
    elif registered is not None and registered.fingerprint != device.fingerprint:
        moves.move(session, registered, device)
    row = session.merge(records.device_row(device))
    row.name = row.given_name or row.name
    row.registered_unix_s, row.hidden_unix_s = time.time(), None
    session.flush()
    return row


def _needs_token(principal: access.Principal, registered: tables.Device | None) -> str:
    if principal.device_id is not None:
        return (
            f"The key belongs to device {principal.device_id}, and this is another machine: its hardware, its machine "
            "id or its --device-id differs, as that of a copied image does on another host. It needs a token of its "
            "own: ask an admin for one (latcast keys enrol)."
        )
    again = "" if registered is None else f" --device {registered.id}"
    return f"Registering needs an enrolment token: ask an admin for one (latcast keys enrol{again})."


def _require_fit(
    session: Session, token: tables.EnrolmentToken, registered: tables.Device | None, device: Device
) -> None:
    device_id = registered.id if registered else records.device_id(device.fingerprint)
    if token.used_by not in (None, device_id):
        raise AuthenticationError("The enrolment token was used by another device; ask an admin for a new one.")
    if token.used_by is not None:
        if access.find_unused_key(session, token.api_key_id) is None:
            raise AuthenticationError(f"The enrolment token was used already. {_again(device_id)}")
    elif token.device_id not in (None, device_id):
        raise AuthenticationError("The enrolment token was made for another device; ask an admin for a new one.")
    elif token.device_id is None and registered is not None:
        raise AuthenticationError(
            f"This device is registered already, and the enrolment token admits a new one. {_again(device_id)}"
        )


def _again(device_id: str) -> str:
    return (
        "Start the agent with the state folder that has its key; if the key is lost or revoked, an admin lets the "
        f"device in again with a token made for it: latcast keys enrol --device {device_id}."
    )


def _agent_key(session: Session, device: tables.Device, token: tables.EnrolmentToken | None) -> str:
    if token is None:
        return _new_agent(session, device)[1]
    unused = access.find_unused_key(session, token.api_key_id)
    if unused is not None:
        return access.replace_secret(session, unused)
    _revoke_keys(session, device)
    key, secret = _new_agent(session, device)
    token.used_by, token.api_key_id = device.id, key.id
    session.flush()
    return secret


def _new_agent(session: Session, device: tables.Device) -> tuple[tables.ApiKey, str]:
    key, secret = access.create_key(session, scope="agent", name=device.name)
    session.add(tables.Agent(device_id=device.id, api_key_id=key.id))
    session.flush()
    return key, secret


def _revoke_keys(session: Session, device: tables.Device) -> None:
    earlier = select(tables.Agent.api_key_id).where(tables.Agent.device_id == device.id)
    for key_id in session.scalars(earlier).all():
        access.revoke_key(session, key_id)


def _offer(session: Session, device: tables.Device, targets: Sequence[Target]) -> None:
    session.execute(update(tables.Target).where(tables.Target.device_id == device.id).values(offered=False))
    for target in {target.id: target for target in targets}.values():
        known = session.get(tables.Target, target.id, execution_options=ALL_ROWS)
        row = session.merge(records.target_row(target, device)) if known is None else known
        row.offered, row.hidden_unix_s = True, None
        if device.former_fingerprint is not None:  # agents of version 0.1 go on using the former ids
            row.former_id = replace(target, device=device.former_fingerprint).id
    session.flush()


def devices_page(
    session: Session, *, limit: int, cursor: str | None = None, hidden: bool = False
) -> Page[Row[tables.Device]]:
    """Registered machines by id; with `hidden`, those that were taken out of sight.

    Raises:
        InputError: a cursor that no page gave.
    """
    order = Order("devices", (tables.Device.id,))
    query = select(tables.Device)
    if hidden:
        query = query.where(tables.Device.hidden_unix_s.is_not(None)).execution_options(**ALL_ROWS)
    return fetch_page(session, query, order, limit=limit, cursor=cursor)

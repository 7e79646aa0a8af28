"""Registration: a machine describes itself and its targets, and gets a key for its agent."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Row, func, select, update
from sqlalchemy.orm import Session

from latcast.errors import AuthenticationError
from latcast.schema import Device, InputError, Target
from service.db import records, tables
from service.db.pagination import Order, Page, fetch_page
from service.fleet import access
from service.settings import Settings

__all__ = ["Registration", "devices_page", "register"]


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
) -> Registration:
    """Register a device, or bring its description up to date.

    The device's own agent key is enough to register again; otherwise a service with keys asks for an enrolment
    token, or for an admin's key. Targets that are no longer named take no more jobs.

    Raises:
        AuthenticationError: neither a valid token nor a key that allows it.
        InputError: a target of another device, or values that cannot be stored.
    """
    _check_targets(device, targets)
    row = session.merge(records.device_row(device))
    row.registered_unix_s = time.time()
    session.flush()
    key = None
    if principal.device_id != row.id:
        _admit(session, settings, principal, row.id, enrolment_token)
        key = _new_agent(session, row)
    _offer(session, row, targets)
    return Registration(device_id=row.id, agent_key=key, target_ids=tuple(target.id for target in targets))


def _check_targets(device: Device, targets: Sequence[Target]) -> None:
    foreign = [target for target in targets if target.device != device.fingerprint]
    if foreign:
        raise InputError(
            f"Target {foreign[0].label!r} belongs to device {foreign[0].device!r}, not to {device.fingerprint!r}; "
            "each target has to carry the fingerprint of the device that registers it."
        )
    if not device.fingerprint or any(target.origin for target in targets):
        raise InputError("A device needs a fingerprint, and the targets it registers have no `origin`.")


def _admit(
    session: Session, settings: Settings, principal: access.Principal, device_id: str, token: str | None
) -> None:
    if token is not None:
        access.redeem(session, token, device_id=device_id)
    elif principal.scope != "admin" and access.keys_required(session, settings):
        raise AuthenticationError("Registering needs an enrolment token: ask an admin (latcast keys enrol).")


def _new_agent(session: Session, device: tables.Device) -> str:
    key, secret = access.create_key(session, scope="agent", name=device.name)
    session.add(tables.Agent(device_id=device.id, api_key_id=key.id))
    session.flush()
    return secret


def _offer(session: Session, device: tables.Device, targets: Sequence[Target]) -> None:
    session.execute(update(tables.Target).where(tables.Target.device_id == device.id).values(offered=False))
    for target in {target.id: target for target in targets}.values():
        session.merge(records.target_row(target, device)).offered = True
    session.flush()


def devices_page(session: Session, *, limit: int, cursor: str | None = None) -> Page[Row[tables.Device, float | None]]:
    """Registered machines by id, each with when one of its agents last asked for work.

    Raises:
        InputError: a cursor that no page gave.
    """
    seen = func.max(tables.Agent.seen_unix_s)
    agents = select(tables.Device, seen).outerjoin(tables.Agent, tables.Agent.device_id == tables.Device.id)
    order = Order("devices", (tables.Device.id,))
    return fetch_page(session, agents.group_by(tables.Device.id), order, limit=limit, cursor=cursor)

"""Who did what: a row for each call that changes something, in the transaction that changes it."""

from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from service.db.pagination import Order, Page, fetch_page
from service.db.records import storable
from service.db.tables import Audit

__all__ = ["audit_page", "record"]

NEWEST_FIRST = Order("audit", (Audit.id,), descending=True)


def record(session: Session, key_id: str | None, action: str, subject: str, **detail: Any) -> None:
    """Write down that somebody did something; what was undone is not there either.

    Args:
        session: in the transaction that does it.
        key_id: of the key that called; None on an open service, and on the command line.
        action: what, as `keys.create`.
        subject: id of what it was done to.
        **detail: what else tells; never a secret.
    """
    plain: dict[str, Any] = storable({name: value for name, value in detail.items() if value is not None})
    session.add(Audit(api_key_id=key_id, action=action, subject=subject, detail=plain))


def audit_page(
    session: Session,
    *,
    limit: int,
    cursor: str | None = None,
    key: str | None = None,
    action: str | None = None,
    subject: str | None = None,
) -> Page[Row[Audit]]:
    """What was done, newest first; by a key, of an action or its beginning, to a subject where one is named.

    Raises:
        InputError: a cursor that no page gave.
    """
    query = select(Audit)
    if key is not None:
        query = query.where(Audit.api_key_id == key)
    if action is not None:
        query = query.where(Audit.action.startswith(action, autoescape=True))
    if subject is not None:
        query = query.where(Audit.subject == subject)
    return fetch_page(session, query, NEWEST_FIRST, limit=limit, cursor=cursor)

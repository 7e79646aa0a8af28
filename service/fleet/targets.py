"""Finding a target, and whether anybody can measure on it or a predictor be adapted to it now."""

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from latcast.errors import ConflictError, NotFoundError
from latcast.schema import TargetId
from service.db import tables
from service.db.pagination import Order, Page, fetch_page
from service.db.visibility import ALL_ROWS
from service.fleet.presence import unmeasurable
from service.settings import Settings

__all__ = ["find_adaptable_target", "find_measurable_target", "find_target", "targets_page"]


def find_target(session: Session, target_id: TargetId) -> tables.Target:
    """The registered target, by its id or the one that it had before its device moved to another fingerprint.

    Raises:
        NotFoundError: there is none.
    """
    former = select(tables.Target).where(tables.Target.former_id == target_id).limit(1)
    row = session.get(tables.Target, target_id) or session.scalar(former)
    if row is None:
        raise NotFoundError(f"There is no target {target_id!r}; GET /v1/targets lists them (latcast targets).")
    return row


def find_measurable_target(session: Session, target_id: TargetId, settings: Settings) -> tables.Target:
    """The registered target, which a device offers whose agent is there, or may come back.

    Raises:
        NotFoundError: there is no such target.
        ConflictError: no device measures on it now.
    """
    row = find_target(session, target_id)
    if row.device_id is None:
        raise ConflictError(f"Nobody measures on target {target_id} now: it is a column of a public table.")
    if target_id in (reasons := unmeasurable(session, [target_id], settings)):
        raise ConflictError(f"Nobody measures on target {target_id} now. {reasons[target_id][1]}")
    return row


def find_adaptable_target(session: Session, target_id: TargetId, settings: Settings) -> tables.Target:
    """The registered target, which is measured on, or is a column of a public table, whose rows are all measured.

    Raises:
        NotFoundError: there is no such target.
        ConflictError: no device measures on it now, and it is no column of a table.
    """
    row = find_target(session, target_id)
    return row if row.origin else find_measurable_target(session, target_id, settings)


def targets_page(
    session: Session, *, limit: int, cursor: str | None = None, hidden: bool = False
) -> Page[Row[tables.Target]]:
    """Targets by id; with `hidden`, those that were taken out of sight.

    Raises:
        InputError: a cursor that no page gave.
    """
    order = Order("targets", (tables.Target.id,))
    query = select(tables.Target)
    if hidden:
        query = query.where(tables.Target.hidden_unix_s.is_not(None)).execution_options(**ALL_ROWS)
    return fetch_page(session, query, order, limit=limit, cursor=cursor)

"""Base predictors that were trained here, as rows: listed, found, activated and removed."""

from sqlalchemy import Row, delete, select
from sqlalchemy.orm import Session

from latcast.errors import ConflictError, NotFoundError
from service.db import tables
from service.db.pagination import Order, Page, fetch_page
from service.learning.artifacts import remove_unused

__all__ = ["find_predictor", "predictors_page", "remove_predictor", "require_card", "set_active"]


def predictors_page(session: Session, *, limit: int, cursor: str | None = None) -> Page[Row[tables.Predictor]]:
    """Base predictors that were trained here, newest first.

    Raises:
        InputError: a cursor that no page gave.
    """
    order = Order("predictors", (tables.Predictor.id,), descending=True)
    return fetch_page(session, select(tables.Predictor), order, limit=limit, cursor=cursor)


def find_predictor(session: Session, predictor_id: str) -> tables.Predictor:
    """The base predictor's row.

    Raises:
        NotFoundError: there is none.
    """
    row = session.get(tables.Predictor, predictor_id)
    if row is None:
        raise NotFoundError(
            f"There is no predictor {predictor_id!r}; GET /v1/predictors lists them (latcast predictors list)."
        )
    return row


def require_card(text: str | None, predictor_id: str) -> str:
    """What was written about a predictor when it was trained.

    Raises:
        NotFoundError: nothing was, because it was not trained by a job.
    """
    if text is None:
        raise NotFoundError(
            f"The predictor {predictor_id!r} was not trained by a job: it is what adaptations rest on of a predictor "
            "that came with the package, whose folder predictors/pretrained has its card."
        )
    return text


def set_active(session: Session, predictor_id: str, active: bool) -> tables.Predictor:
    """Let a predictor answer and be adapted, or not; doing it twice is once. Adaptations that were made stay.

    Raises:
        NotFoundError: there is no such predictor.
    """
    row = find_predictor(session, predictor_id)
    row.active = active
    session.flush()
    return row


def remove_predictor(session: Session, predictor_id: str) -> tables.Predictor:
    """Remove a predictor, and the adaptations of it that answer for nobody any more; what it was.

    Raises:
        NotFoundError: there is no such predictor.
        ConflictError: targets are answered for by adaptations of it.
    """
    row = find_predictor(session, predictor_id)
    made = tables.Adaptation.predictor_id == predictor_id
    serving = session.scalars(select(tables.Adaptation.target_id).where(made, tables.Adaptation.active)).all()
    if serving:
        raise ConflictError(
            f"Adaptations of the predictor {predictor_id} answer for targets {', '.join(sorted(serving))}: adapt these "
            "to another one first (latcast adapt --predictor), or deactivate it instead."
        )
    digests = set(session.scalars(select(tables.Adaptation.artifact_digest).where(made))) | {row.artifact_digest}
    session.execute(delete(tables.Adaptation).where(made))
    session.delete(row)
    session.flush()
    remove_unused(session, digests)
    return row

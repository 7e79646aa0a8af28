"""Base predictors."""

from fastapi import APIRouter
from sqlalchemy import select

from latcast.errors import NotFoundError
from service.api import schemas
from service.api.deps import Cursor, Limit, PartsOf, Reader
from service.db.tables import Predictor

__all__ = ["router"]

router = APIRouter(tags=["predictors"])


@router.get("/predictors")
def list_predictors(
    parts: PartsOf, _caller: Reader, limit: Limit, cursor: Cursor = None
) -> schemas.Listed[schemas.PredictorOut]:
    """Base predictors, newest first."""
    query = select(Predictor).order_by(Predictor.id.desc()).limit(limit)
    if cursor is not None:
        query = query.where(Predictor.id < cursor)
    with parts.database.read() as session:
        items = [schemas.PredictorOut.model_validate(row) for row in session.scalars(query)]
    return schemas.Listed(items=items, next_cursor=items[-1].id if len(items) == limit else None)


@router.get("/predictors/{predictor_id}")
def show(predictor_id: str, parts: PartsOf, _caller: Reader) -> schemas.PredictorOut:
    """One base predictor: its kind, artifact, data and metrics."""
    with parts.database.read() as session:
        row = session.get(Predictor, predictor_id)
        if row is None:
            raise NotFoundError(f"There is no predictor {predictor_id!r}; GET /v1/predictors lists them.")
        return schemas.PredictorOut.model_validate(row)

"""Base predictors."""

from fastapi import APIRouter

from service.api import schemas
from service.api.deps import Cursor, Limit, PartsOf, Reader
from service.api.door.routes import Route
from service.learning import artifacts

__all__ = ["router"]

router = APIRouter(tags=["predictors"], route_class=Route)


@router.get("/predictors")
def list_predictors(
    parts: PartsOf, _caller: Reader, limit: Limit, cursor: Cursor = None
) -> schemas.Listed[schemas.PredictorOut]:
    """Base predictors, newest first."""
    with parts.database.read() as session:
        page = artifacts.predictors_page(session, limit=limit, cursor=cursor)
        items = [schemas.PredictorOut.model_validate(row) for (row,) in page.items]
    return schemas.Listed(items=items, next_cursor=page.next_cursor)


@router.get("/predictors/{predictor_id}")
def show(predictor_id: str, parts: PartsOf, _caller: Reader) -> schemas.PredictorOut:
    """One base predictor: its kind, artifact, data and metrics."""
    with parts.database.read() as session:
        return schemas.PredictorOut.model_validate(artifacts.find_predictor(session, predictor_id))

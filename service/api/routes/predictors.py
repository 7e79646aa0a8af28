"""Base predictors: what was trained here, what was written about it, and what of it answers."""

from typing import Any

from fastapi import APIRouter, Response

from service.api import schemas
from service.api.deps import Admin, Cursor, Limit, Parts, PartsOf, Reader
from service.api.door.routes import Route
from service.fleet import audit
from service.fleet.access import Principal
from service.learning import predictor_rows

__all__ = ["router"]

router = APIRouter(tags=["predictors"], route_class=Route)
TEXT: dict[int | str, dict[str, Any]] = {200: {"content": {"text/markdown": {}}, "description": "Markdown."}}
PICTURE: dict[int | str, dict[str, Any]] = {200: {"content": {"image/svg+xml": {}}, "description": "A picture."}}


@router.get("/predictors")
def list_predictors(
    parts: PartsOf, _caller: Reader, limit: Limit, cursor: Cursor = None
) -> schemas.Listed[schemas.PredictorOut]:
    """Base predictors that were trained here, newest first."""
    with parts.database.read() as session:
        page = predictor_rows.predictors_page(session, limit=limit, cursor=cursor)
        items = [schemas.PredictorOut.model_validate(row) for (row,) in page.items]
    return schemas.Listed(items=items, next_cursor=page.next_cursor)


@router.get("/predictors/{predictor_id}")
def get_predictor(predictor_id: str, parts: PartsOf, _caller: Reader) -> schemas.PredictorOut:
    """One base predictor: its kind, artifact, data and metrics."""
    with parts.database.read() as session:
        return schemas.PredictorOut.model_validate(predictor_rows.find_predictor(session, predictor_id))


@router.get("/predictors/{predictor_id}/card", responses=TEXT)
def get_predictor_card(predictor_id: str, parts: PartsOf, _caller: Reader) -> Response:
    """The model card: data, hosts, figures of what was held out, and what rebuilds it; Markdown."""
    with parts.database.read() as session:
        text = predictor_rows.find_predictor(session, predictor_id).card
    return Response(predictor_rows.require_card(text, predictor_id), media_type="text/markdown")


@router.get("/predictors/{predictor_id}/calibration.svg", responses=PICTURE)
def get_predictor_calibration(predictor_id: str, parts: PartsOf, _caller: Reader) -> Response:
    """How often held-out latencies lay within intervals, against how often these say; SVG."""
    with parts.database.read() as session:
        picture = predictor_rows.find_predictor(session, predictor_id).calibration_svg
    return Response(predictor_rows.require_card(picture, predictor_id), media_type="image/svg+xml")


@router.post("/predictors/{predictor_id}/activate")
def activate_predictor(predictor_id: str, parts: PartsOf, caller: Admin) -> schemas.PredictorOut:
    """Let it answer for targets without an adaptation, and be adapted, before older ones."""
    return _set(parts, caller, predictor_id, True)


@router.post("/predictors/{predictor_id}/deactivate")
def deactivate_predictor(predictor_id: str, parts: PartsOf, caller: Admin) -> schemas.PredictorOut:
    """Let it answer only where it is asked for by name; adaptations that were made of it stay."""
    return _set(parts, caller, predictor_id, False)


def _set(parts: Parts, caller: Principal, predictor_id: str, active: bool) -> schemas.PredictorOut:
    with parts.database.write.begin() as session:
        row = predictor_rows.set_active(session, predictor_id, active)
        audit.record(session, caller.key_id, f"predictors.{'activate' if active else 'deactivate'}", predictor_id)
        return schemas.PredictorOut.model_validate(row)


@router.delete("/predictors/{predictor_id}")
def remove_predictor(predictor_id: str, parts: PartsOf, caller: Admin) -> schemas.PredictorOut:
    """Remove it and what was adapted of it; 409 while a target is answered for by an adaptation of it."""
    with parts.database.write.begin() as session:
        audit.record(session, caller.key_id, "predictors.remove", predictor_id)
        return schemas.PredictorOut.model_validate(predictor_rows.remove_predictor(session, predictor_id))

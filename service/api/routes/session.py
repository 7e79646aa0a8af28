"""Who calls: what a page asks before it shows anything."""

from importlib.metadata import version

from fastapi import APIRouter

from service.api import schemas
from service.api.deps import Anybody, PartsOf
from service.api.door.routes import Route
from service.fleet import access

__all__ = ["router"]

router = APIRouter(tags=["session"], route_class=Route)


@router.get("/session")
def get_session(parts: PartsOf, caller: Anybody) -> schemas.SessionOut:
    """What the caller may do; without a key that tells whether one is needed."""
    with parts.database.read() as reading:
        required = access.keys_required(reading, parts.settings)
    is_open = caller.scope is None and not required
    return schemas.SessionOut(
        scope=caller.scope,
        keys_required=required,
        can_read=is_open or caller.scope in ("admin", "client", "measure"),
        can_measure=is_open or caller.scope in ("admin", "measure"),
        can_write=is_open or caller.scope == "admin",
        version=version("latcast"),
    )

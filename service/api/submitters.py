"""Who wants a job done, as a call says it."""

from latcast.errors import ForbiddenError
from service.fleet.access import Principal
from service.jobs.turns import Submitter

__all__ = ["submitter_of"]


def submitter_of(caller: Principal, priority: int) -> Submitter:
    """The caller with the priority that it asks for.

    Raises:
        ForbiddenError: a priority above 0, which is for admins.
    """
    if priority > 0 and not caller.is_admin:
        raise ForbiddenError("A priority above 0 needs a key with scope admin; 0 and below are for everybody.")
    return Submitter(caller.key_id, priority)

"""What a database's refusal means, in words for people; the driver's own message stays in the log."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

__all__ = ["DATABASE_AWAY", "Cause", "cause_of", "is_away"]

DATABASE_AWAY = (DBAPIError, PoolTimeoutError)
"""How SQLAlchemy says that the database cannot be reached, read or written now; of the errors that a driver raises
only those about values (`DataError`, `IntegrityError`) are the caller's."""
SOON_S, LATER_S = 2, 60


@dataclass(frozen=True, slots=True)
class Cause:
    """Why the database refused.

    Args:
        sentence: what is wrong and, where somebody has to do something, what.
        retry_after_s: seconds after which trying again makes sense; more where somebody has to act first.
    """

    sentence: str
    retry_after_s: int = SOON_S

    @property
    def is_lasting(self) -> bool:
        """Whether somebody has to do something before it can end."""
        return self.retry_after_s >= LATER_S


_CAUSES: Sequence[tuple[str, Cause]] = (
    (
        r"was overwritten",
        Cause(
            "Something was written over the database's file while the service used it: stop `latcast serve`, remove "
            "the -wal and -shm files beside it, put a whole copy in its place, and start again.",
            retry_after_s=LATER_S,
        ),
    ),
    (
        r"deleted or replaced",
        Cause(
            "The database's file was deleted or replaced while the service used it: stop `latcast serve`, put the file "
            "or a copy of it where it was, without -wal and -shm files of another one, and start again.",
            retry_after_s=LATER_S,
        ),
    ),
    (r"read-?only", Cause("The database can only be read now: a standby, or a file that may not be written.")),
    (
        r"malformed|not a database|corrupt",
        Cause("The database's file is damaged: restore it from a copy.", retry_after_s=LATER_S),
    ),
    (
        r"no such (table|column)|(relation|column) .*does not exist",
        Cause(
            "The database lacks a table or a column: restart `latcast serve`, which brings it up to date.",
            retry_after_s=LATER_S,
        ),
    ),
    (
        r"is full|no space left|quota",
        Cause("There is no space left where the database is.", retry_after_s=LATER_S),
    ),
    (r"unable to open|disk I/O error", Cause("The database's file cannot be opened or read.", retry_after_s=LATER_S)),
    (r"locked|lock timeout", Cause("Others write into the database for too long.")),
    (r"QueuePool|too many (clients|connections)|connection slots", Cause("The database is too busy.")),
    (r"authentication failed|no password", Cause("The database refuses the user or the password of its address.")),
    (r'database ".*" does not exist', Cause("The server has no database of that name: create it first.")),
    (r"resolve host|name or service not known", Cause("No server has the name in the database's address.")),
)
_SILENT = Cause("The database cannot be reached or written now.")


def cause_of(error: Exception) -> Cause:
    """What one of `DATABASE_AWAY` tells."""
    reason = str(getattr(error, "orig", None) or error)
    return next((cause for pattern, cause in _CAUSES if re.search(pattern, reason, re.IGNORECASE)), _SILENT)


def is_away(error: Exception) -> bool:
    """Whether it is the database that fails now, and not a value that it refuses."""
    return isinstance(error, DATABASE_AWAY) and not isinstance(error, DataError | IntegrityError)

"""Looks whether the artifacts that serve can still be used: one that cannot spoils its target, and is named."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from latcast.schema import ArtifactError
from service.db.session import Database
from service.db.tables import Adaptation, Predictor
from service.learning.artifacts import intact, loaded

__all__ = ["AGAIN_S", "REPAIR_S", "ArtifactCheck"]

AGAIN_S, REPAIR_S = 600.0, 60.0
"""When an artifact is read again that could be used, and one that could not."""
NAMED = 5
"""Artifacts that the sentence names; the rest are counted."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Seen:
    at: float
    usable: bool


class ArtifactCheck:
    """Reads the active artifacts in turn, one at a call, so that it takes little of the machine.

    An artifact is made a predictor once; as long as it could be, later looks compare its bytes with their digest.
    `look` is called by one thread, `sentence` by any.

    Args:
        database: that has the artifacts.
        clock: seconds that only grow.
    """

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database, self._clock = database, clock
        self._seen: dict[str, _Seen] = {}
        self._unusable: Sequence[str] = ()

    def sentence(self) -> str:
        """What is wrong, by target or base, and what to do; empty where nothing is."""
        unusable = self._unusable
        if not unusable:
            return ""
        more = f" and {len(unusable) - NAMED} more" if len(unusable) > NAMED else ""
        return (
            f"Damaged, or not to be loaded here: {', '.join(unusable[:NAMED])}{more}; the log says why. Others answer "
            "in their place: `latcast adapt` makes an adaptation anew."
        )

    def look(self) -> bool:
        """Read the artifact whose turn it is; False, as the next one has time."""
        now = self._clock()
        with self._database.read() as session:
            serving = _serving(session)
            due = min(serving, key=self._due_at, default=None)
            self._seen = {digest: seen for digest, seen in self._seen.items() if digest in serving}
            if due is not None and self._due_at(due) <= now:
                self._seen[due] = _Seen(now, self._is_usable(session, due, serving[due]))
        self._unusable = [name for digest, name in serving.items() if not self._usable(digest)]
        return False

    def _due_at(self, digest: str) -> float:
        seen = self._seen.get(digest)
        return float("-inf") if seen is None else seen.at + (AGAIN_S if seen.usable else REPAIR_S)

    def _usable(self, digest: str) -> bool:
        return digest not in self._seen or self._seen[digest].usable

    def _is_usable(self, session: Session, digest: str, name: str) -> bool:
        was_loaded = digest in self._seen and self._seen[digest].usable
        try:
            (intact if was_loaded else loaded)(session, digest)
        except ArtifactError as error:
            log.error("an artifact cannot be used", of=name, reason=str(error))
            return False
        return True


def _serving(session: Session) -> dict[str, str]:
    """What each active artifact is, by digest, in a fixed order."""
    bases = session.execute(select(Predictor.artifact_digest, Predictor.id).where(Predictor.active))
    adapted = session.execute(
        select(Adaptation.artifact_digest, Adaptation.target_id).where(Adaptation.active).order_by(Adaptation.id)
    )
    names = {digest: f"the base predictor {row_id}" for digest, row_id in bases}
    return names | {digest: f"the adaptation of target {target_id}" for digest, target_id in adapted}

"""Whether this process can serve: database, migrations, artifacts."""

import hashlib
import threading

from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from service.db.failures import cause_of
from service.db.migrate import current_revision, head_revision
from service.db.tables import Adaptation, Artifact, Predictor

__all__ = ["ArtifactCheck", "readiness"]

OK = "ok"


class ArtifactCheck:
    """Compares the artifacts that serve with their digests, each once a process. Thread-safe."""

    def __init__(self) -> None:
        self._intact: set[str] = set()
        self._lock = threading.Lock()

    def corrupt(self, session: Session) -> list[str]:
        """Digests of serving artifacts whose bytes are not those that were stored."""
        serving = {
            *session.scalars(select(Predictor.artifact_digest).where(Predictor.active)),
            *session.scalars(select(Adaptation.artifact_digest).where(Adaptation.active)),
        }
        bad = [digest for digest in sorted(serving - self._intact) if not self._is_intact(session, digest)]
        with self._lock:
            self._intact = serving - set(bad)
        return bad

    @staticmethod
    def _is_intact(session: Session, digest: str) -> bool:
        content = session.scalar(select(Artifact.content).where(Artifact.digest == digest))
        return content is not None and hashlib.sha256(content).hexdigest() == digest


def readiness(engine: Engine, artifacts: ArtifactCheck) -> dict[str, str]:
    """The state of each part: `ok`, or a sentence about what is wrong."""
    try:
        with engine.connect() as connection:
            revision = current_revision(connection)
        state = {"database": OK, "migrations": _migrations(revision)}
        if state["migrations"] != OK:
            return state
        with Session(engine) as session:
            bad = artifacts.corrupt(session)
    except SQLAlchemyError as error:
        return {"database": cause_of(error).sentence}
    return {**state, "artifacts": f"Corrupt artifacts: {', '.join(bad)}." if bad else OK}


def _migrations(revision: str | None) -> str:
    head = head_revision()
    if revision == head:
        return OK
    return f"The database is at revision {revision or 'none'}, this version needs {head}: restart `latcast serve`."

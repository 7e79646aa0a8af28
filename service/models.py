"""Which predictor answers for a target: its active adaptation, else the base predictor."""

import threading
import time
from dataclasses import dataclass

import structlog
from sqlalchemy import select

from predictors.base import Predictor
from predictors.registry import pretrained, pretrained_names
from profilers.schema import ArtifactError, Target, TargetId, UnknownNameError
from service.artifacts import ArtifactStore
from service.db import tables
from service.db.session import Database
from service.records import target_record

__all__ = ["PRETRAINED_BASE", "SHIPPED", "Answerer", "BasePredictor", "Models"]

PRETRAINED_BASE = "kernel_sum-base"
"""The shipped predictor that serves until one is trained here."""
SHIPPED = "pretrained:"
"""Beginning of the ids of shipped predictors."""
REFRESH_SECONDS = 0.5

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class BasePredictor:
    """A predictor that is adapted to no target.

    Args:
        id: of its row, or `pretrained:<name>` for the shipped one.
        predictor: fitted.
    """

    id: str
    predictor: Predictor


@dataclass(frozen=True, slots=True, kw_only=True)
class Answerer:
    """What answers for one target.

    Args:
        target: the target.
        adaptation_id: of the active adaptation; None without one.
        adapted: its predictor; None without one, or when its artifact cannot be read.
        base: what answers where the adaptation does not; None when none is trained or shipped.
    """

    target: Target
    adaptation_id: str | None
    adapted: Predictor | None
    base: BasePredictor | None


class Models:
    """Looks up who answers; looks at the database at most every half second for each target. Thread-safe.

    An activation made by any process is noticed within a second. An artifact that cannot be read is refused and the
    previous one serves on.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._store = ArtifactStore(database)
        self._lock = threading.Lock()
        self._answerers: dict[TargetId, tuple[float, Answerer]] = {}

    def answerer(self, target_id: TargetId) -> Answerer:
        """Who answers for the target now.

        Raises:
            UnknownNameError: nobody registered the target.
        """
        now = time.monotonic()
        with self._lock:
            read_at, known = self._answerers.get(target_id, (0.0, None))
        if known is not None and now - read_at < REFRESH_SECONDS:
            return known
        answerer = self._read(target_id, known)
        with self._lock:
            self._answerers[target_id] = (now, answerer)
        return answerer

    def base(self) -> BasePredictor | None:
        """The newest base predictor that was trained here, else the shipped one, else None."""
        with self._database.read() as session:
            newest = select(tables.Predictor).where(tables.Predictor.active).order_by(tables.Predictor.id.desc())
            rows = [(row.id, row.artifact_digest) for row in session.scalars(newest)]
        for predictor_id, digest in rows:
            try:
                return BasePredictor(id=predictor_id, predictor=self._store.load(digest))
            except ArtifactError as error:
                log.error("base predictor refused", predictor=predictor_id, reason=str(error))
        return shipped_base()

    def _read(self, target_id: TargetId, known: Answerer | None) -> Answerer:
        with self._database.read() as session:
            row = session.get(tables.Target, target_id)
            if row is None:
                raise UnknownNameError("target", target_id, session.scalars(select(tables.Target.id).limit(20)).all())
            target = target_record(row)
            active = session.execute(
                select(tables.Adaptation.id, tables.Adaptation.artifact_digest).where(
                    tables.Adaptation.target_id == target_id, tables.Adaptation.active
                )
            ).first()
        adaptation_id, adapted = None, None
        if active is not None:
            adaptation_id, adapted = self._adapted(active.id, active.artifact_digest, known)
        return Answerer(target=target, adaptation_id=adaptation_id, adapted=adapted, base=self.base())

    def _adapted(self, adaptation_id: str, digest: str, known: Answerer | None) -> tuple[str | None, Predictor | None]:
        try:
            return adaptation_id, self._store.load(digest)
        except ArtifactError as error:
            log.error("adaptation refused, the previous one serves on", adaptation=adaptation_id, reason=str(error))
            return (known.adaptation_id, known.adapted) if known else (None, None)


_shipped: dict[str, BasePredictor] = {}
_shipped_lock = threading.Lock()


def shipped_base() -> BasePredictor | None:
    """The shipped base predictor, read once a process; None when the package has none."""
    with _shipped_lock:
        if PRETRAINED_BASE not in _shipped and PRETRAINED_BASE in pretrained_names():
            _shipped[PRETRAINED_BASE] = BasePredictor(
                id=f"{SHIPPED}{PRETRAINED_BASE}", predictor=pretrained(PRETRAINED_BASE)
            )
        return _shipped.get(PRETRAINED_BASE)

"""Which predictors there are for a target: its active adaptation, and the bases that can be adapted."""

import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import structlog
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from latcast.errors import ConflictError, NotFoundError
from latcast.schema import ArtifactError, Target, TargetId
from predictors.base import Prediction, Predictor, Query
from predictors.kinds.carried_over import CarriedOver, transfer_spread
from predictors.kinds.stack.contest import Standing
from predictors.registry import pretrained, pretrained_names
from profilers.caching import Cache
from service.db import tables
from service.db.records import target_record
from service.db.session import Database
from service.fleet.targets import find_target
from service.graphs.queries import reads_natively
from service.learning.artifacts import CACHE_BYTES, ArtifactStore
from service.learning.interval_scales import IntervalScales, interval_scales
from service.learning.training_record import warning_of
from service.measurements.lookup import GRAPHS

__all__ = [
    "CARRIED",
    "SHIPPED",
    "PredictorCatalogue",
    "ServedPredictor",
    "StoredPredictor",
    "TargetPredictors",
    "bases_for",
]

SHIPPED = "pretrained:"
"""Beginning of the ids of shipped predictors."""
CARRIED = "carried:"
"""Beginning of the ids of predictors that were carried over from another target of the device."""
REFRESH_SECONDS = 0.5
CACHED_TARGETS = 10_000
TARGET_BYTES = 2000
"""What a target takes beside its adapted predictor."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPredictor:
    """A predictor that is adapted to no target.

    Args:
        id: of its row, or `pretrained:<name>` for a shipped one.
        predictor: fitted.
    """

    id: str
    predictor: Predictor


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedPredictor:
    """A predictor that can be asked about networks of a target.

    Args:
        id: `adaptation:<id of its row>`, `carried:<id of the target that it was adapted to>`, or the id of the base.
        predictor: adapted to the target, or a base.
        adapted: whether it knows the target's own measurements.
        support: ids of the measurements that it was adapted with.
        size_bytes: memory that it takes, about, where it does not share that with others.
        made_of: ids of what was carried over, of a predictor that is; empty for others.
        interval_scale: factor on the width of its intervals, as `service.learning.interval_scales` follows it.
        warning: what to know of it before trusting its forecasts, a sentence; None where there is nothing.
        standings: how the contenders did of which it is what is believed; empty where there was one.
    """

    id: str
    predictor: Predictor
    adapted: bool
    support: tuple[int, ...] = ()
    size_bytes: int = 0
    made_of: tuple[str, ...] = ()
    interval_scale: float = 1.0
    warning: str | None = None
    standings: tuple[Standing, ...] = ()

    def predict(self, queries: Sequence[Query]) -> Prediction:
        """The predictor's forecasts, with intervals as wide as those of before should have been."""
        prediction = self.predictor.predict(queries)
        return replace(prediction, tail_scale=prediction.tail_scale * self.interval_scale)


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetPredictors:
    """What can answer for one target.

    Args:
        target: the target.
        adapted: the predictor of its active adaptation; None without one, or when its artifact cannot be read.
        carried: what an adaptation to another target of the device says of this one; None where this one is adapted.
        bases: those that were trained here, the newest first, then those that are shipped.
    """

    target: Target
    adapted: ServedPredictor | None
    bases: tuple[StoredPredictor, ...]
    carried: ServedPredictor | None = None
    interval_scales: IntervalScales = field(default_factory=dict)

    def scaled(self, served: ServedPredictor, space: str) -> ServedPredictor:
        """The predictor with the width of intervals that its like has earned on the target.

        Args:
            served: a predictor of the target.
            space: of the networks that it is asked about, or `GRAPHS`.
        """
        reads = space if reads_natively(served.predictor, space) else GRAPHS
        scale = self.interval_scales.get((reads, served.adapted), 1.0)
        return served if scale == served.interval_scale else replace(served, interval_scale=scale)


def bases_for(bases: Sequence[StoredPredictor], space: str) -> list[StoredPredictor]:
    """Bases that read networks of a search space, or graphs (`measurements.lookup.GRAPHS`), the most fitting first.

    Those that read the space's architectures come before those that read any graph, for every architecture has one.
    """
    native = [base for base in bases if reads_natively(base.predictor, space)]
    return native + [base for base in bases if "graph" in base.predictor.fitted_capabilities().inputs]


class PredictorCatalogue:
    """Looks up what can answer; looks at the database at most every half second for each target. Thread-safe.

    An activation made by another process is noticed within a second, one of this process at once. An artifact that
    cannot be read is refused and the previous one serves on.

    Args:
        database: that has predictors and adaptations.
        cache_bytes: memory for predictors that are kept, and again for what there is for each target.
    """

    def __init__(self, database: Database, *, cache_bytes: int = CACHE_BYTES) -> None:
        self._database = database
        self._store = ArtifactStore(database, cache_bytes=cache_bytes)
        self._lock = threading.Lock()
        self._predictors: Cache[TargetId, tuple[float, TargetPredictors]] = Cache(cache_bytes, weigh=_weight)
        self._renewed: Cache[TargetId, float] = Cache(CACHED_TARGETS)
        self._refused: set[str] = set()

    def predictors_of(self, target_id: TargetId, *, not_before: float = 0.0) -> TargetPredictors:
        """What can answer for the target now.

        Args:
            target_id: the target.
            not_before: `time.monotonic()` before which what was read is out of date.

        Raises:
            NotFoundError: nobody registered the target.
        """
        now = time.monotonic()
        with self._lock:
            read_at, previous = self._predictors.get(target_id) or (0.0, None)
        if previous is not None and now - read_at < REFRESH_SECONDS and read_at >= not_before:
            return previous
        predictors = self._read(target_id, previous)
        with self._lock:
            if now >= (self._renewed.get(target_id) or now):
                self._predictors.put(target_id, (now, predictors))
        return predictors

    def renew(self, target_id: TargetId) -> None:
        """Look at the database again: what answers for the target has just been changed, by this process."""
        with self._lock:
            # What was read before that, and what is being read meanwhile, is out of date.
            self._renewed.put(target_id, time.monotonic())
            if (outdated := self._predictors.get(target_id)) is not None:
                self._predictors.put(target_id, (-math.inf, outdated[1]))

    def bases(self) -> tuple[StoredPredictor, ...]:
        """The active base predictors that were trained here, the newest first, then the shipped ones."""
        with self._database.read() as session:
            newest = select(tables.Predictor).where(tables.Predictor.active).order_by(tables.Predictor.id.desc())
            rows = [(row.id, row.artifact_digest) for row in session.scalars(newest)]
        readable = []
        for predictor_id, digest in rows:
            try:
                readable.append(StoredPredictor(id=predictor_id, predictor=self._store.load(digest).predictor))
            except ArtifactError as error:
                log.error("base predictor refused", predictor=predictor_id, reason=str(error))
        return (*readable, *shipped_bases())

    def named(self, name: str) -> tuple[StoredPredictor, ...]:
        """Predictors that a caller may mean, the most fitting first.

        Args:
            name: id of a predictor that was trained here, `pretrained:<name>`, or a kind: then all of it, the active
                ones first, then the newest, then those that are shipped.

        Raises:
            NotFoundError: there is no such predictor.
            ConflictError: it cannot be used here, for want of a library, say.
        """
        shipped = [base for base in shipped_bases() if name in (base.id, base.predictor.kind)]
        order = (tables.Predictor.active.desc(), tables.Predictor.id.desc())
        either = or_(tables.Predictor.id == name, tables.Predictor.kind == name)
        with self._database.read() as session:
            query = select(tables.Predictor.id, tables.Predictor.artifact_digest).where(either)
            rows = session.execute(query.order_by(*order)).all()
        if not rows and not shipped:
            raise NotFoundError(
                f"There is no predictor {name!r}: name one of `latcast predictors list`, a kind that was trained, or "
                f"one of {', '.join(base.id for base in shipped_bases())}."
            )
        try:
            trained = [
                StoredPredictor(id=row.id, predictor=self._store.load(row.artifact_digest).predictor) for row in rows
            ]
        except ArtifactError as error:
            raise ConflictError(f"The predictor {name!r} cannot be used here. {error}") from error
        return (*trained, *shipped)

    def can_use(self, adaptation: tables.Adaptation) -> bool:
        """Whether the artifact of an adaptation can be read, and made a predictor here."""
        try:
            self._store.load(adaptation.artifact_digest)
        except ArtifactError:
            return False
        return True

    def _read(self, target_id: TargetId, previous: TargetPredictors | None) -> TargetPredictors:
        with self._database.read() as session:
            target = target_record(find_target(session, target_id))
            active = session.scalar(
                select(tables.Adaptation).where(tables.Adaptation.target_id == target.id, tables.Adaptation.active)
            )
            closest = None if active is not None or target.origin else _closest_adaptation(session, target)
            scales = interval_scales(session, target.id)
        adapted, bases = None if active is None else self._adapted(active, previous), self.bases()
        carried = None if closest is None else self._carried(target, *closest, bases=bases, previous=previous)
        return TargetPredictors(target=target, adapted=adapted, bases=bases, carried=carried, interval_scales=scales)

    def _carried(
        self,
        target: Target,
        old: Target,
        row: tables.Adaptation,
        *,
        bases: Sequence[StoredPredictor],
        previous: TargetPredictors | None,
    ) -> ServedPredictor | None:
        """What an adaptation to the device's other target says of this one; the same object while nothing changed."""
        base = next(iter(bases_for(bases, GRAPHS)), None)
        adapted = self._adapted(row, None)
        if base is None or adapted is None or "graph" not in adapted.predictor.fitted_capabilities().inputs:
            return None
        kept = previous.carried if previous else None
        made_of = (row.id, base.id)
        if kept is not None and kept.made_of == made_of:
            return kept
        return ServedPredictor(
            id=f"{CARRIED}{old.id}",
            predictor=CarriedOver(adapted.predictor, base.predictor, old, target),
            adapted=False,
            support=adapted.support,
            made_of=made_of,
        )

    def _adapted(self, row: tables.Adaptation, previous: TargetPredictors | None) -> ServedPredictor | None:
        try:
            loaded = self._store.load(row.artifact_digest)
        except ArtifactError as error:
            if row.id not in self._refused:  # it is asked for twice a second
                self._refused.add(row.id)
                log.error("adaptation refused, the previous one serves on", adaptation=row.id, reason=str(error))
            return previous.adapted if previous else None
        return ServedPredictor(
            id=f"adaptation:{row.id}",
            predictor=loaded.predictor,
            adapted=True,
            support=tuple(row.support),
            size_bytes=loaded.size_bytes,
            warning=warning_of(row.metrics),
        )


def _closest_adaptation(session: Session, target: Target) -> tuple[Target, tables.Adaptation] | None:
    """The active adaptation of the device's other target that is most like this one, the newest of several."""
    device = select(tables.Target.device_id).where(tables.Target.id == target.id).scalar_subquery()
    pairs = session.execute(
        select(tables.Target, tables.Adaptation)
        .join(tables.Adaptation, tables.Adaptation.target_id == tables.Target.id)
        .where(tables.Adaptation.active, tables.Target.device_id == device)
        .order_by(tables.Adaptation.id.desc())
    )
    found = [(target_record(other), adaptation) for other, adaptation in pairs]
    spreads = [(transfer_spread(other, target), place) for place, (other, _) in enumerate(found)]
    known = [(spread, place) for spread, place in spreads if spread is not None]
    return found[min(known)[1]] if known else None


def _weight(kept: tuple[float, TargetPredictors]) -> int:
    adapted = kept[1].adapted
    return TARGET_BYTES + (adapted.size_bytes if adapted else 0)


_shipped: dict[str, StoredPredictor | None] = {}
_shipped_lock = threading.Lock()


def shipped_bases() -> tuple[StoredPredictor, ...]:
    """The shipped base predictors by name, each read once a process; one that cannot be read is left out."""
    with _shipped_lock:
        for name in pretrained_names():
            if name not in _shipped:
                _shipped[name] = _read_shipped(name)
        return tuple(base for base in _shipped.values() if base is not None)


def _read_shipped(name: str) -> StoredPredictor | None:
    try:
        return StoredPredictor(id=f"{SHIPPED}{name}", predictor=pretrained(name))
    except (ArtifactError, ImportError) as error:
        log.error("shipped predictor refused", predictor=name, reason=str(error))
        return None

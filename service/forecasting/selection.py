"""Who answers for a network that was not measured, by what it is and by what is known of the target.

Measured architectures adapt the base that reads their search space, whoever measured them and whether or not anybody
asked for it: it takes milliseconds, so it is done again when rows were added rather than stored. What `latcast adapt`
made goes first where it reads the network as it is.
"""

import threading
import time
from dataclasses import dataclass, replace

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from latcast.errors import ConflictError
from latcast.schema import LatcastError, MissingEvidenceError, Target, TargetId
from profilers.caching import Cache
from service.db import tables
from service.db.session import Database
from service.graphs.queries import reads_natively
from service.graphs.resolver import Resolver
from service.learning import catalogue
from service.learning.catalogue import ServedPredictor, StoredPredictor, TargetPredictors, bases_for
from service.learning.contenders import bases_to_adapt
from service.learning.support_selection import adapted_to, default_support
from service.measurements.lookup import GRAPHS, measured_networks, measured_spaces
from service.measurements.revisions import rows_state

__all__ = ["PredictorSelection"]

FEWEST_ROWS = 5
"""Measured architectures from which a device's own adaptation to their space is made: fewer say less than a base that
knows the kernels of any graph."""
TAKEOVER_ROWS = 20
"""From how many on it answers in place of an adaptation to graphs that somebody asked for."""
MOST_KEPT = 500
"""Adaptations that are kept in memory."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Derived:
    """What a target's rows up to the newest one gave, and when that was looked up."""

    looked_at: float
    state: tuple[object, ...]
    responder: ServedPredictor | None


class PredictorSelection:
    """Finds who answers; keeps what it adapted while no row is added. Thread-safe."""

    def __init__(self, database: Database, resolver: Resolver) -> None:
        self._database, self._resolver = database, resolver
        self._derived: Cache[tuple[TargetId, str], _Derived] = Cache(MOST_KEPT)
        self._locks: Cache[tuple[TargetId, str], threading.Lock] = Cache(MOST_KEPT)

    def of(self, predictors: TargetPredictors, space: str, *, not_before: float = 0.0) -> list[ServedPredictor]:
        """Who answers about networks of a search space, or `GRAPHS`; the first choice first.

        Args:
            predictors: what can answer for the target.
            space: name of the search space, or `GRAPHS`.
            not_before: `time.monotonic()` before which what was looked up is out of date.

        Raises:
            ConflictError: nobody can; the message says what to do.
        """
        asked_for = predictors.adapted
        if asked_for is not None and reads_natively(asked_for.predictor, space):
            return [predictors.scaled(asked_for, space)]
        return self._chain(predictors, space, self._from_rows(predictors, space, not_before))

    def before(self, predictors: TargetPredictors, space: str, row: int) -> list[ServedPredictor]:
        """Who would answer if a measurement, and those after it, had not been taken; the first choice first.

        What `predictors` name as the target's adaptation is taken as it is.

        Args:
            predictors: what can answer for the target.
            space: name of the search space, or `GRAPHS`.
            row: id of the measurement.

        Raises:
            ConflictError: nobody can.
        """
        asked_for = predictors.adapted
        if asked_for is not None and reads_natively(asked_for.predictor, space):
            return [predictors.scaled(asked_for, space)]
        return self._chain(predictors, space, self._adapted(predictors, space, before=row))

    def _chain(
        self, predictors: TargetPredictors, space: str, from_rows: ServedPredictor | None
    ) -> list[ServedPredictor]:
        chain = [predictors.adapted, from_rows, predictors.carried, _unadapted(predictors)]
        found = [predictors.scaled(one, space) for one in chain if one is not None and _reads(one, space)]
        if not found:
            raise ConflictError(self._nobody(predictors.target, space))
        return sorted(found, key=lambda responder: not reads_natively(responder.predictor, space))

    def pinned(self, predictors: TargetPredictors, space: str) -> list[ServedPredictor]:
        """The first of the target's bases that reads the space, adapted to the target's rows where there are any.

        Of a kind there may be several; who cannot be adapted, as one that describes devices by networks that were not
        measured here, gives way to the next.

        Args:
            predictors: the target, with the bases that a caller named.
            space: name of the search space, or `GRAPHS`.

        Raises:
            ConflictError: none of them reads the space, or can be adapted to the rows; says why.
        """
        target, bases = predictors.target, bases_for(predictors.bases, space)
        if not bases:
            names = ", ".join(dict.fromkeys(base.predictor.kind for base in predictors.bases))
            what = f"architectures of {space}" if space else "graphs"
            raise ConflictError(f"The predictor that was asked for ({names}) does not read {what}.")
        refused: ConflictError | None = None
        for base in bases:
            try:
                return self._pinned_to(predictors, base, space)
            except ConflictError as error:
                refused = refused or error
        raise refused or ConflictError(self._nobody(target, space))

    def _pinned_to(self, predictors: TargetPredictors, base: StoredPredictor, space: str) -> list[ServedPredictor]:
        """One base, adapted; as it was the last time where nothing has changed."""
        target, key = predictors.target, (predictors.target.id, f"{space}\n{base.id}")
        with self._locks.get_or_make(key, threading.Lock):
            looked_at = time.monotonic()
            with self._database.read() as session:
                state = _state(session, replace(predictors, bases=(base,)))
            known = self._derived.get(key)
            same = known is not None and known.state == state
            responder = known.responder if known and same else self._pinned(target, base, space)
            self._derived.put(key, _Derived(looked_at, state, responder))
        return [responder] if responder is not None else []

    def _pinned(self, target: Target, base: StoredPredictor, space: str) -> ServedPredictor:
        native = reads_natively(base.predictor, space)
        measured_as = space if native or target.origin else GRAPHS
        with self._database.read() as session:
            rows = measured_networks(session, target, measured_as)
        if not rows:
            return ServedPredictor(id=base.id, predictor=base.predictor, adapted=False)
        try:
            support = default_support(self._database, self._resolver, rows, base, measured_as)
            return adapted_to(self._database, self._resolver, target, base, support)
        except LatcastError as error:
            # Reference networks that are missing, an adaptation has measured; of a table nobody can measure more.
            missing = isinstance(error, MissingEvidenceError) and base.predictor.references() and not target.origin
            command = f"latcast adapt --target {target.id} --predictor {base.id}"
            raise ConflictError(
                f"The predictor {base.id} ({base.predictor.kind}) cannot be adapted to target {target.id}. {error}"
                + (f" `{command}` has them measured." if missing else "")
            ) from error

    def _from_rows(self, predictors: TargetPredictors, space: str, not_before: float) -> ServedPredictor | None:
        """What the target's rows of a space give; None where they are too few."""
        key = (predictors.target.id, space)
        known = self._derived.get(key)
        age = catalogue.REFRESH_SECONDS
        if known and time.monotonic() - known.looked_at < age and known.looked_at >= not_before:
            return known.responder
        with self._locks.get_or_make(key, threading.Lock):
            looked_at = time.monotonic()
            with self._database.read() as session:
                state = _state(session, predictors)
            known = self._derived.get(key)
            same = known is not None and known.state == state
            responder = known.responder if known and same else self._adapted(predictors, space)
            self._derived.put(key, _Derived(looked_at, state, responder))
        return responder

    def _adapted(
        self, predictors: TargetPredictors, space: str, *, before: int | None = None
    ) -> ServedPredictor | None:
        """The bases that read the space as a stack, or the first that can be adapted to the rows (`before` one)."""
        database, resolver, target = self._database, self._resolver, predictors.target
        with database.read() as session:
            rows = measured_networks(session, target, space, before=before)
        for base in bases_to_adapt(predictors.bases, space):
            if len(rows) < _fewest(predictors, native=reads_natively(base.predictor, space)):
                continue
            try:
                support = default_support(database, resolver, rows, base, space)
                return adapted_to(database, resolver, target, base, support)
            except LatcastError as error:
                log.error("cannot adapt", base=base.id, target=target.id, reason=str(error))
        return None

    def _nobody(self, target: Target, space: str) -> str:
        what = f"architectures of {space}" if space else "graphs"
        if not target.origin:
            return (
                f"No predictor answers for {what} on target {target.id}: adapt one with "
                f"`latcast adapt --target {target.id}` (POST /v1/targets/{target.id}/adapt)."
            )
        with self._database.read() as session:
            spaces, others = measured_spaces(session, target), _same_device(session, target, space)
        if space in spaces:
            return (
                f"No predictor that is there could be adapted to the latencies of {what} of target {target.id}: train "
                "one that reads them, or install the package with its artifacts."
            )
        instead = f" Ask target {others[0]}: it is {target.device} with {space}." if others else ""
        return (
            f"Target {target.id} ({target.device}, imported from {target.origin}) has no latencies of {what} to "
            f"forecast others from; its table is of {', '.join(each or 'graphs' for each in spaces)}.{instead}"
        )


def _unadapted(predictors: TargetPredictors) -> ServedPredictor | None:
    """The base for graphs, for devices of our own: how a table's numbers were taken, nothing but they can tell."""
    bases = [] if predictors.target.origin else bases_for(predictors.bases, GRAPHS)
    return ServedPredictor(id=bases[0].id, predictor=bases[0].predictor, adapted=False) if bases else None


def _reads(responder: ServedPredictor, space: str) -> bool:
    return bool(bases_for([StoredPredictor(id=responder.id, predictor=responder.predictor)], space))


def _same_device(session: Session, target: Target, space: str) -> list[TargetId]:
    """Targets of the same table and device that have networks of the space."""
    rows = session.scalars(select(tables.Target).where(tables.Target.origin == target.origin))
    return [
        row.id for row in rows if row.record["device"] == target.device and row.record["options"].get("space") == space
    ]


# --- Adapting to the rows that are there -------------------------------------------------------------------------


def _state(session: Session, predictors: TargetPredictors) -> tuple[object, ...]:
    """Whatever an adaptation depends on; while it stays the same, so does the adaptation."""
    rows = rows_state(session, predictors.target.id)
    return rows, predictors.adapted is None, tuple(base.id for base in predictors.bases)


def _fewest(predictors: TargetPredictors, *, native: bool) -> float:
    """Rows that it takes. A device's graphs adapt a base when somebody asks: that takes seconds, and a choice."""
    if predictors.target.origin:
        return 1
    if not native:
        return float("inf")
    return FEWEST_ROWS if predictors.adapted is None else TAKEOVER_ROWS

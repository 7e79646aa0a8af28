"""What is measured teaches at once: each new measurement is scored, then the target is adapted to it, without a job.

Adapting is in closed form and takes a fraction of a second, so it is done anew with all good rows rather than carried
on. Kinds that take longer wait until there is more to learn. Any process may do it: whoever comes second finds that
the active adaptation rests on these rows already, and drops what it made.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from latcast.schema import LatcastError, Target, TargetId
from predictors.kinds.stack import StackPredictor
from service.db import tables
from service.db.records import target_record
from service.db.session import Database
from service.fleet.targets import find_target
from service.forecasting.forecaster import Forecaster
from service.forecasting.scoring import Scorer, newest_scored
from service.learning.activation import ReadyAdaptation, activate, adaptation_to, ready
from service.learning.catalogue import StoredPredictor, bases_for
from service.learning.contenders import bases_to_adapt
from service.learning.support_selection import good_rows
from service.measurements.lookup import GRAPHS

__all__ = ["Learner"]

QUICK_MS = 5000.0
"""An adaptation that takes no longer, on a busy machine too, is made anew with each measurement."""
SLOW_SHARE = 0.2
"""One that takes longer is made when so many of the rows are new."""
MORE = 1.25
"""Adaptations are judged anew each time that they rest on so many times the networks: it takes ten times as long."""
MOST_TARGETS = 20
"""Targets that are looked at in one call."""
LONGEST_S = 1.0
"""One that is to rest learns no longer at a time, apart from a single target."""

log = structlog.get_logger(__name__)


class Learner:
    """Looks for new measurements. `look` is called by one thread.

    Args:
        database: with measurements and adaptations.
        forecaster: that answers; its catalogue is renewed.
        rest: so many times as long as it has learnt it waits before it learns again.
    """

    def __init__(self, database: Database, forecaster: Forecaster, *, rest: float = 0.0) -> None:
        self._database, self._forecaster = database, forecaster
        self._scorer = Scorer(database, forecaster)
        self._seen: int | None = None
        self._revisions: Mapping[TargetId, int] = {}
        self._behind: list[TargetId] = []
        self._rest, self._rested_at = rest, 0.0

    def look(self) -> bool:
        """Learn from what was measured since the last look; whether there is more to do."""
        with self._database.read() as session:
            newest = session.scalar(select(func.max(tables.Measurement.id))) or 0
            if self._seen is None:
                # What came while no process ran is scored as far as something was before; else nobody had asked.
                self._seen = newest_scored(session) or newest
                self._behind = list(session.scalars(_measured_here()))
            new = _rows_after(session, self._seen, newest) if newest > self._seen else {}
            revisions = _revisions(session)
        revised = [name for name, revision in revisions.items() if self._revisions.get(name, 0) != revision]
        # Who waits longest comes first: targets that are measured all the time would keep the others waiting.
        self._behind = list(dict.fromkeys([*self._behind, *new, *revised]))
        for target_id, rows in new.items():
            self._try(self._scorer.score, target_id, rows)
        # Only now: where the database was away meanwhile, the next look begins where this one did.
        self._seen, self._revisions = max(newest, self._seen), revisions
        if time.monotonic() >= self._rested_at:
            self._catch_up()
        return bool(self._behind) and time.monotonic() >= self._rested_at

    def _catch_up(self) -> None:
        """Learn of targets that are behind, then let others compute: what is measured meanwhile is learnt together."""
        began = time.monotonic()
        for target_id in self._behind[:MOST_TARGETS]:
            self._try(self.learn, target_id)
            self._behind.remove(target_id)
            if self._rest and time.monotonic() - began >= LONGEST_S:
                break
        now = time.monotonic()
        self._rested_at = now + self._rest * (now - began)

    def _try(self, work: Callable[..., object], target_id: TargetId, *arguments: object) -> None:
        try:
            work(target_id, *arguments)
        except LatcastError as error:
            log.warning("cannot learn from what was measured", target=target_id, reason=str(error))

    def learn(self, target_id: TargetId) -> bool:
        """Adapt a target to its good rows if it is not, or not enough of them are new; whether it was adapted.

        One whose adaptation cannot be used, as after an update that reads networks otherwise, is adapted anew.
        """
        with self._database.read() as session:
            target, active = _state(session, target_id)
            rows = good_rows(session, target)
            if not _is_worth_it(active, rows) and not (rows and self._is_unusable(active)):
                return False
        base = self._base(active)
        if base is None:
            return False
        made = adaptation_to(self._database, self._forecaster.resolver, target, base, rows)
        if made.figures["judged_support"] is None:  # contenders are judged as they are adapted
            made = made.judged_as({} if active is None else active.metrics)
        adaptation = ready(self._database, base, made)
        written = self._activate(target, adaptation, active)
        if written is None:
            return False
        if _is_to_be_judged(written.metrics):
            self._activate(target, adaptation.judged(base.predictor, target), written, replaces=written.id)
        return True

    def _is_unusable(self, active: tables.Adaptation | None) -> bool:
        return active is not None and not self._forecaster.catalogue.can_use(active)

    def _activate(
        self,
        target: Target,
        adaptation: ReadyAdaptation,
        before: tables.Adaptation | None,
        *,
        replaces: str | None = None,
    ) -> tables.Adaptation | None:
        """Let what was made answer; None where something else does than when it was begun."""
        with self._database.write.begin() as session:
            session.execute(
                select(tables.Target.id).where(tables.Target.id == target.id).with_for_update(key_share=True)
            )
            _, now = _state(session, target.id)
            if (now and now.id) != (before and before.id):
                return None  # somebody else was quicker; the next look sees whether anything is left to learn
            by = before.api_key_id if before else None
            written = activate(session, target.id, adaptation, api_key_id=by, replaces=replaces)
            session.expunge(written)
        log.info("learnt", target=target.id, adaptation=written.id, networks=len(written.support))
        self._forecaster.catalogue.renew(target.id)
        return written

    def _base(self, active: tables.Adaptation | None) -> StoredPredictor | None:
        """What was adapted before, all contenders where several of them are believed; the first base that reads graphs
        where nothing was, or where a newer one is shipped than was adapted.
        """
        catalogue = self._forecaster.catalogue
        if active is not None and (contenders := self._contenders(active)) is not None:
            return contenders
        if active is not None:
            with self._database.read() as session:
                trained = session.scalar(
                    select(tables.Predictor.dataset_id).where(tables.Predictor.id == active.predictor_id)
                )
            if trained is not None:
                return catalogue.named(active.predictor_id)[0]
        return next(iter(bases_for(catalogue.bases(), GRAPHS)), None)

    def _contenders(self, active: tables.Adaptation) -> StoredPredictor | None:
        """The stack that is believed in an adaptation; None where one predictor answers, or one of several is gone."""
        believed = {one["name"] for one in active.metrics.get("contenders") or () if one["weight"] > 0}
        if len(believed) < 2:
            return None
        stack = next(iter(bases_to_adapt(self._forecaster.catalogue.bases(), GRAPHS)), None)
        if stack is None or not isinstance(stack.predictor, StackPredictor):
            return None
        return stack if believed <= {one.name for one in stack.predictor.contenders} else None


def _measured_here() -> Select[str]:
    """Targets that have measurements of graphs taken here."""
    measured = select(tables.Measurement.id).where(
        tables.Measurement.target_id == tables.Target.id, tables.Measurement.median_ms.is_not(None)
    )
    return select(tables.Target.id).where(tables.Target.origin == "", measured.exists())


def _rows_after(session: Session, seen: int, newest: int) -> dict[TargetId, list[int]]:
    """Ids of good measurements since then by the target, of targets that were measured here."""
    table = tables.Measurement
    query = (
        select(table.target_id, table.id)
        .join(tables.Target, tables.Target.id == table.target_id)
        .where(table.id > seen, table.id <= newest, table.median_ms.is_not(None), tables.Target.origin == "")
        .order_by(table.id)
    )
    rows: dict[TargetId, list[int]] = {}
    for target_id, row in session.execute(query):
        rows.setdefault(target_id, []).append(row)
    return rows


def _revisions(session: Session) -> dict[TargetId, int]:
    """Of targets that were measured here and whose measurements were hidden, shown again or merged."""
    revised = select(tables.Target.id, tables.Target.revision)
    revised = revised.where(tables.Target.revision > 0, tables.Target.origin == "")
    return {row.id: row.revision for row in session.execute(revised)}


def _state(session: Session, target_id: TargetId) -> tuple[Target, tables.Adaptation | None]:
    """The target and its active adaptation."""
    target = target_record(find_target(session, target_id))
    active = session.scalar(
        select(tables.Adaptation).where(tables.Adaptation.target_id == target_id, tables.Adaptation.active)
    )
    return target, active


def _is_to_be_judged(figures: Mapping[str, Any]) -> bool:
    """Whether an adaptation rests on so much more than the last that was judged that its error may be another."""
    judged = figures["judged_support"] or 0
    return bool(figures["support"] >= max(MORE * judged, judged + 1))


def _is_worth_it(active: tables.Adaptation | None, rows: Sequence[int]) -> bool:
    """Whether adapting to these rows changes enough for what it takes."""
    if active is None or not rows:
        return bool(rows)
    new = set(rows) - set(active.support)
    if active.metrics.get("adapt_ms", 0.0) <= QUICK_MS:
        return bool(new)
    return len(new) >= max(1.0, SLOW_SHARE * len(rows))

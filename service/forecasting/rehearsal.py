"""Reads and works out beforehand what a search's first calls would wait for.

On a device of one's own, networks of a search space are put together from parts, each of which is built and read once,
and their kernels are read off curves, which are worked out once (decisions 37, 38 and 46). While nobody waits for
forecasts, some are made of texts as searches come across them, and thrown away: what is kept of parts and curves stays.
"""

from dataclasses import dataclass
from time import monotonic
from typing import NamedTuple

import structlog
from sqlalchemy import exists, select

from latcast.errors import ConflictError
from latcast.schema import JobKind, JobState, LatcastError, TargetId
from predictors.base import Query
from predictors.features.kernels.table import KERNELS
from predictors.foreign.features import features_asked
from profilers.host.cancellation import WorkCancelledError, cancelled_by
from profilers.search_spaces import get_space, space_names
from service.db import tables
from service.db.session import Database
from service.forecasting.forecaster import Forecaster
from service.forecasting.types import Forecast
from service.forecasting.typical_texts import TypicalTexts
from service.forecasting.waiting_calls import WaitingCalls
from service.graphs.queries import NetworkQuery, reads_natively

__all__ = ["LOOK_SECONDS", "Rehearsal"]

LOOK_SECONDS = 1.0
QUIET_S = 1.0
"""How long nobody has to have waited for forecasts."""
LONGEST_S = 0.5
"""Between two looks at what was adapted, and at whether something is being measured."""
MOST_TARGETS = 2
"""Those that were adapted last: curves of four spaces take some 45 MB for each, and all together have a bound."""
TURN = 16
"""Texts that are forecast at once, which takes some 10 ms where their parts are known."""
FEWEST_TEXTS, MOST_TEXTS = 480, 3200
STALE_TEXTS = 240
"""A space is known once so many texts in a row had no part that was new."""

log = structlog.get_logger(__name__)

_MEASURING = select(exists().where(tables.Job.kind == JobKind.PROFILE, tables.Job.state == JobState.LEASED))
_ADAPTED_LAST = (
    select(tables.Adaptation.target_id, tables.Adaptation.id)
    .where(tables.Adaptation.active)
    .order_by(tables.Adaptation.created_unix_s.desc())
    .limit(MOST_TARGETS)
)


class _Adapted(NamedTuple):
    """An adaptation, and the target's."""

    target_id: TargetId
    adaptation: str


@dataclass(slots=True, kw_only=True)
class _Course:
    """How far a space is rehearsed for an adaptation."""

    adapted: _Adapted
    space: str
    texts: TypicalTexts
    forecast: int = 0
    stale: int = 0

    @property
    def is_over(self) -> bool:
        return self.forecast >= MOST_TEXTS or (self.forecast >= FEWEST_TEXTS and self.stale >= STALE_TEXTS)


class Rehearsal:
    """Goes through the search spaces for the targets that were adapted last. For one thread.

    Args:
        database: says which these are, and whether something is being measured.
        forecaster: that is to know the spaces.
        calls: of those who wait for forecasts.
    """

    def __init__(self, database: Database, forecaster: Forecaster, calls: WaitingCalls) -> None:
        self._database, self._forecaster, self._calls = database, forecaster, calls
        self._known: dict[_Adapted, set[str]] = {}
        self._course: _Course | None = None

    def look(self) -> bool:
        """Rehearse for a moment, where nobody waits and nothing is measured; whether there is more to do at once."""
        if self._calls.quiet_s() < QUIET_S or not self._has_course():
            return False
        until = monotonic() + LONGEST_S
        try:
            with cancelled_by(self._calls.gives_way()):
                while self._course is not None and monotonic() < until and self._calls.quiet_s() >= QUIET_S:
                    self._turn(self._course)
        except WorkCancelledError:
            return False
        return True

    def _has_course(self) -> bool:
        """Whether there is a space to go on with, or to begin."""
        with self._database.read() as session:
            if session.scalar(_MEASURING):
                return False
            adapted = [_Adapted(*row) for row in session.execute(_ADAPTED_LAST)]
        self._known = {each: self._known.get(each, set()) for each in adapted}
        if self._course is None or self._course.adapted not in self._known:
            left = [(each, name) for each, known in self._known.items() for name in space_names() if name not in known]
            self._course = next(filter(None, (self._begun(*each) for each in left)), None)
        return self._course is not None

    def _begun(self, adapted: _Adapted, space: str) -> _Course | None:
        """The beginning of a space; None where a plug-in for it does not load."""
        try:
            return _Course(adapted=adapted, space=space, texts=TypicalTexts(get_space(space)))
        except LatcastError as error:
            self._give_up(adapted, space, error)
            return None

    def _give_up(self, adapted: _Adapted, space: str, error: LatcastError) -> None:
        log.warning("not rehearsed", target=adapted.target_id, space=space, reason=str(error))
        self._known[adapted].add(space)

    def _turn(self, course: _Course) -> None:
        try:
            goes_on = self._rehearsed(course)
        except WorkCancelledError:
            raise
        except LatcastError as error:
            self._give_up(course.adapted, course.space, error)
            self._course = None
            return
        if not goes_on or course.is_over:
            if course.is_over:
                log.info("rehearsed", target=course.adapted.target_id, space=course.space, texts=course.forecast)
            self._known[course.adapted].add(course.space)
            self._course = None

    def _rehearsed(self, course: _Course) -> bool:
        """Forecast the next texts; whether they were put together from parts."""
        predictors = self._forecaster.catalogue.predictors_of(course.adapted.target_id)
        target = predictors.target
        try:
            chain = self._forecaster.selection.of(predictors, course.space)
        except ConflictError:
            return False
        asked = features_asked(chain[0].predictor, target)
        if reads_natively(chain[0].predictor, course.space) or [name for name, *_ in asked] != [KERNELS]:
            return False
        resolver, architectures = self._forecaster.resolver, course.texts.next(TURN)
        lacked = resolver.parts_lacked
        queries = [NetworkQuery(target=target, architecture=each) for each in architectures]
        whole: dict[int, Query] = {
            place: query for place, query in enumerate(resolver.assembled(queries, asked[0])) if query is not None
        }
        answers = self._forecaster.predicted(chain, whole, level=0.9, target=target)
        learnt = {place: answer for place, answer in answers.items() if isinstance(answer, Forecast)}
        course.texts.learn([architectures[place] for place in learnt], [one.latency_ms for one in learnt.values()])
        course.forecast += len(architectures)
        course.stale = 0 if resolver.parts_lacked > lacked else course.stale + len(architectures)
        return bool(learnt)

"""Measurements beside the forecasts that stood until they came: every one of a network that was new is scored.

A forecast is made anew when its measurement arrives, by what answered until then, rather than kept when it is given:
thousands are given in a second, and the same question gets the same answer. A measurement is never judged by a
predictor that has seen it.
"""

import math
from collections.abc import Sequence
from statistics import median
from typing import Any

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from latcast.errors import ConflictError
from latcast.schema import Target, TargetId
from predictors.base import Query
from predictors.inference.adaptive_conformal import LEVEL
from service.db import tables
from service.db.records import DEFAULT_FEEDS, is_latency
from service.db.session import Database
from service.db.statements import chunks, insert_missing
from service.forecasting.forecaster import Forecaster, by_space
from service.forecasting.types import Forecast
from service.graphs.queries import reads_natively
from service.learning import datasets
from service.learning.catalogue import ServedPredictor
from service.measurements.lookup import GRAPHS

__all__ = ["Scorer", "newest_scored"]

MOST_AT_ONCE = 200
"""Measurements of a target that are scored together, by a predictor that has seen none of them."""

log = structlog.get_logger(__name__)


def newest_scored(session: Session) -> int:
    """Id of the newest measurement that was scored; 0 without any."""
    return session.scalar(select(func.max(tables.Score.measurement_id))) or 0


class Scorer:
    """Scores measurements; used by one thread.

    Args:
        database: with measurements and scores.
        forecaster: whose forecasts are judged.
    """

    def __init__(self, database: Database, forecaster: Forecaster) -> None:
        self._database, self._forecaster = database, forecaster

    def score(self, target_id: TargetId, rows: Sequence[int]) -> int:
        """Score those of a target's measurements that are the first of their networks; how many there are.

        Args:
            target_id: a target that was measured here.
            rows: ids of its newest measurements, ascending; no adaptation has been made since them.
        """
        scored = 0
        for start in range(0, len(rows), MOST_AT_ONCE):
            scored += self._score(target_id, rows[start : start + MOST_AT_ONCE])
        return scored

    def _score(self, target_id: TargetId, rows: Sequence[int]) -> int:
        predictors = self._forecaster.catalogue.predictors_of(target_id)
        with self._database.read() as session:
            new = _first_of_their_networks(session, predictors.target, rows)
            if not new:
                return 0
            data = datasets.load_dataset(session, measurement_ids=new)
            sentinels = _sentinels_ms(session, new)
        found = []
        for space, queries in by_space(dict(enumerate(data.queries))).items():
            try:
                chain = self._forecaster.selection.before(predictors, space, new[0])
            except ConflictError:
                continue  # nobody would have answered
            answers = self._forecaster.predicted(chain, queries, level=LEVEL, target=predictors.target)
            for place, answer in answers.items():
                served = _who(chain, answer) if isinstance(answer, Forecast) else None
                if served is not None and new[place] not in served.support:
                    found.append(_values(new[place], answer, served, queries[place], float(data.latency_ms[place])))
        for values in found:
            values |= {"target_id": predictors.target.id, "sentinel_ms": sentinels.get(values["measurement_id"])}
        return self._write(sorted(found, key=lambda values: values["measurement_id"]))

    def _write(self, found: Sequence[dict[str, Any]]) -> int:
        if found:
            with self._database.write.begin() as session:
                for part in chunks(found):  # another process may have been quicker
                    session.execute(insert_missing(session, tables.Score).values(part))
        return len(found)


def _who(chain: Sequence[ServedPredictor], answer: Forecast) -> ServedPredictor | None:
    return next((one for one in chain if (one.id, one.adapted) == (answer.predictor, answer.adapted)), None)


def _values(row: int, answer: object, served: ServedPredictor, query: Query, measured_ms: float) -> dict[str, Any]:
    assert isinstance(answer, Forecast)  # noqa: S101 - errors were left out
    space = query.architecture.space if query.architecture else GRAPHS
    half_width = None
    if answer.interval_ms is not None:
        half_width = math.log(answer.interval_ms[1] / answer.interval_ms[0]) / 2 / served.interval_scale
    return {
        "measurement_id": row,
        "predictor": served.id,
        "kind": served.predictor.kind,
        "space": space if reads_natively(served.predictor, space) else GRAPHS,
        "adapted": served.adapted,
        "forecast_ms": answer.latency_ms,
        "half_width": half_width,
        "interval_scale": served.interval_scale,
        "measured_ms": measured_ms,
    }


def _first_of_their_networks(session: Session, target: Target, rows: Sequence[int]) -> list[int]:
    """Those of the measurements whose networks had none before on the target: of others the measurement answered."""
    table = tables.Measurement
    usable = (table.feeds_key == DEFAULT_FEEDS, table.graph_hash.is_not(None), table.median_ms.is_not(None))
    hashes: dict[int, str] = {}
    for part in chunks(rows):
        named = select(table.id, table.graph_hash, table.median_ms).where(table.id.in_(part), *usable)
        hashes |= {row.id: row.graph_hash for row in session.execute(named) if is_latency(row.median_ms)}
    first: dict[str, int] = {}
    for names in chunks(set(hashes.values())):
        oldest = select(table.graph_hash, func.min(table.id).label("first")).where(
            table.target_id == target.id, table.graph_hash.in_(names), *usable
        )
        first |= {row.graph_hash: row.first for row in session.execute(oldest.group_by(table.graph_hash))}
    return sorted(row for row, name in hashes.items() if first.get(name) == row)


def _sentinels_ms(session: Session, rows: Sequence[int]) -> dict[int, float]:
    """Median reading of the sentinel beside each measurement that has one."""
    table = tables.Measurement
    found: dict[int, float] = {}
    for part in chunks(rows):
        for row in session.execute(select(table.id, table.sentinel_ms).where(table.id.in_(part))):
            readings = [ms for ms in row.sentinel_ms if is_latency(ms)]
            if readings:
                found[row.id] = median(readings)
    return found

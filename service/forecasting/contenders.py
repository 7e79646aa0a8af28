"""Who contended to answer for a target, and how each did."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from latcast.errors import ConflictError
from latcast.schema import LatcastError, Target
from predictors.kinds.stack.contest import Contender, Standing, contest, record_of
from service.db import tables
from service.db.session import Database
from service.forecasting.selection import PredictorSelection
from service.graphs.resolver import Resolver
from service.learning import datasets
from service.learning.activation import shipped_name
from service.learning.catalogue import ServedPredictor, TargetPredictors
from service.measurements.lookup import GRAPHS, measured_spaces

__all__ = ["SpaceContenders", "target_contenders"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceContenders:
    """Who contended for networks of one space.

    Args:
        space: name of a search space; None for graphs.
        predictor: id of who answers.
        adapted: whether it is adapted to the target.
        measurements: how many it is adapted to.
        standings: of the contenders, the one that is believed most first.
    """

    space: str | None
    predictor: str
    adapted: bool
    measurements: int
    standings: tuple[Standing, ...]


def target_contenders(
    database: Database, resolver: Resolver, selection: PredictorSelection, predictors: TargetPredictors
) -> list[SpaceContenders]:
    """For graphs, and for each search space of which the target has measurements: who contended.

    Args:
        database: with measurements and adaptations.
        resolver: reads the support where one contender is judged by itself.
        selection: says who answers.
        predictors: what can answer for the target.
    """
    with database.read() as session:
        measured = measured_spaces(session, predictors.target)
    spaces = dict.fromkeys([*([] if predictors.target.origin else [GRAPHS]), *measured])
    found = []
    for space in spaces:
        try:
            answering = selection.of(predictors, space)[0]
        except ConflictError:
            continue
        standings = _standings(database, resolver, predictors, answering)
        found.append(
            SpaceContenders(
                space=space or None,
                predictor=answering.id,
                adapted=answering.adapted,
                measurements=len(answering.support),
                standings=tuple(sorted(standings, key=lambda one: -one.weight)),
            )
        )
    return found


def _standings(
    database: Database, resolver: Resolver, predictors: TargetPredictors, answering: ServedPredictor
) -> Sequence[Standing]:
    if answering.standings:
        return answering.standings
    if stored := _stored(database, predictors.target, answering):
        return stored
    base = next((one.predictor for one in predictors.bases if one.id == answering.id), None)
    kind, record = answering.predictor.kind, record_of(answering.predictor)
    alone = Standing(name=answering.id, kind=kind, record=record, weight=1.0)
    if base is None or not answering.adapted:
        return [alone]
    with database.read() as session:
        rows = datasets.load_dataset(session, measurement_ids=answering.support, baseline_speed=True)
    contender = Contender(name=answering.id, predictor=base, record=record)
    try:
        support = resolver.readable_rows(rows, base)
        evidence = support.evidence.get(predictors.target.id)
        return contest([contender], predictors.target, support, evidence, judge_alone=True).standings
    except LatcastError:
        return [alone]


def _stored(database: Database, target: Target, answering: ServedPredictor) -> list[Standing]:
    """What the adaptation's job wrote down; nothing where it is none."""
    with database.read() as session:
        active = select(tables.Adaptation).where(tables.Adaptation.target_id == target.id, tables.Adaptation.active)
        row = session.scalar(active)
        if row is None or answering.id != f"adaptation:{row.id}":
            return []
        if judged := row.metrics.get("contenders"):
            return [Standing.from_plain(one) for one in judged]
        figures, digest = row.metrics, session.get_one(tables.Predictor, row.predictor_id).artifact_digest
    return [
        Standing(
            name=shipped_name(digest, answering.predictor.kind) or row.predictor_id,
            kind=answering.predictor.kind,
            record=figures.get("record_median_ape"),
            weight=1.0,
            median_ape=figures.get("support_loo_median_ape"),
            interval_score=figures.get("support_loo_interval_score"),
            adapt_ms=figures.get("adapt_ms"),
        )
    ]

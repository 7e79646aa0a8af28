"""Answers `POST /predict`: what the database knows, else what the adapted predictor says, else the base predictor."""

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from predictors.base import Predictor, Query
from profilers.schema import GraphHash, LatcastError, Summary, Target, TargetId, UnsupportedGraphError
from service import datasets
from service.db.session import Database
from service.errors import ConflictError
from service.graphs import GraphLoaderLike
from service.models import Answerer, Models
from service.resolving import Resolver
from service.serving_types import Forecast, Item, QualityPair
from service.settings import Settings

__all__ = ["Forecaster"]

Answer = Forecast | LatcastError


class Forecaster:
    """Forecasts for targets. Thread-safe; keeps predictors and graphs in memory, and no other state."""

    def __init__(self, settings: Settings, database: Database, loader: GraphLoaderLike) -> None:
        self._settings, self._database = settings, database
        self.models = Models(database)
        self.resolver = Resolver(database, loader)

    def forecast(self, target_id: TargetId, items: Sequence[Item], level: float) -> list[Answer]:
        """Answers in the order of the items; an item that cannot be answered has its error instead.

        Args:
            target_id: a registered target.
            items: what to forecast.
            level: probability that the interval holds the latency, in (0, 1).

        Raises:
            UnknownNameError: nobody registered the target.
        """
        answerer = self.models.answerer(target_id)
        answers: dict[int, Answer] = {}
        queries: dict[int, Query] = {}
        for index, item in enumerate(items):
            try:
                queries[index] = self._query(item, answerer)
            except LatcastError as error:
                answers[index] = error
        answers |= self._measured(target_id, queries, level)
        left = {index: query for index, query in queries.items() if index not in answers}
        answers |= dict(zip(left, self._predict(answerer, list(left.values()), level), strict=True))
        return [answers[index] for index in range(len(items))]

    def quality(self, target_id: TargetId) -> list[QualityPair]:
        """Every measured graph of the target beside its forecast, oldest first.

        Raises:
            UnknownNameError: nobody registered the target.
            ConflictError: no predictor can answer for the target.
        """
        answerer = self.models.answerer(target_id)
        with self._database.read() as session:
            data = datasets.load_dataset(session, target_id=target_id)
            support = datasets.support_graphs(session, answerer.adaptation_id) if answerer.adaptation_id else set()
        answers = self._predict(answerer, data.queries, 0.9)
        pairs = zip(data.queries, data.latency_ms, answers, strict=True)
        return [
            QualityPair(
                graph=query.graph.hash,
                measured_ms=float(measured),
                predicted_ms=answer.latency_ms,
                support=query.graph.hash in support,
            )
            for query, measured, answer in pairs
            if isinstance(answer, Forecast)
        ]

    def _query(self, item: Item, answerer: Answerer) -> Query:
        query = self.resolver.query(item, answerer.target)
        candidates = [model for model in (answerer.adapted, answerer.base and answerer.base.predictor) if model]
        if candidates and "architecture" not in candidates[0].capabilities.inputs:
            _ = query.graph  # built here, so that what is wrong with it is this item's error alone
        return query

    def _measured(self, target_id: TargetId, queries: dict[int, Query], level: float) -> dict[int, Answer]:
        hashes = self._hashes(queries)
        if not hashes:
            return {}
        with self._database.read() as session:
            known = datasets.measured_latency(session, target_id, sorted(set(hashes.values())))
        return {index: measured(known[value], level) for index, value in hashes.items() if value in known}

    def _hashes(self, queries: dict[int, Query]) -> dict[int, GraphHash]:
        """Graph hashes of those queries for which they are known without building anything."""
        unbuilt = {
            index: query.architecture
            for index, query in queries.items()
            if query.architecture is not None and "graph" not in query.__dict__
        }
        stored = self.resolver.hashes(list(unbuilt.values()))
        found = {
            index: stored[key]
            for index, architecture in unbuilt.items()
            if (key := (architecture.space, architecture.text)) in stored
        }
        return found | {index: query.graph.hash for index, query in queries.items() if index not in unbuilt}

    def _predict(self, answerer: Answerer, queries: Sequence[Query], level: float) -> list[Answer]:
        if not queries:
            return []
        base = answerer.base
        if answerer.adapted is None:
            if base is None:
                error = no_predictor(answerer.target)
                return [error for _ in queries]
            return attempt(base.predictor, queries, level, predictor_id=base.id, adapted=False)
        answers = attempt(
            answerer.adapted, queries, level, predictor_id=f"adaptation:{answerer.adaptation_id}", adapted=True
        )
        refused = [i for i, answer in enumerate(answers) if isinstance(answer, UnsupportedGraphError)]
        if base is not None and refused:
            again = [queries[i] for i in refused]
            second = attempt(base.predictor, again, level, predictor_id=base.id, adapted=False)
            for index, answer in zip(refused, second, strict=True):
                answers[index] = answer
        return answers


def no_predictor(target: Target) -> ConflictError:
    """What to say when nobody can answer for a target."""
    return ConflictError(
        f"No predictor answers for target {target.id}: adapt one with `latcast adapt --target {target.id}` "
        f"(POST /targets/{target.id}/adapt)."
    )


def attempt(
    predictor: Predictor, queries: Sequence[Query], level: float, *, predictor_id: str, adapted: bool
) -> list[Answer]:
    """Forecasts in one batch; when some query spoils the batch, in halves until it stands alone."""
    try:
        return forecasts(predictor, queries, level, predictor_id=predictor_id, adapted=adapted)
    except LatcastError as error:
        if len(queries) == 1:
            return [error]
    middle = len(queries) // 2
    return [
        answer
        for part in (queries[:middle], queries[middle:])
        for answer in attempt(predictor, part, level, predictor_id=predictor_id, adapted=adapted)
    ]


def forecasts(
    predictor: Predictor, queries: Sequence[Query], level: float, *, predictor_id: str, adapted: bool
) -> list[Answer]:
    """Forecasts in one batch."""
    prediction = predictor.predict(queries)
    coverage = predictor.coverage(queries)
    intervals: list[tuple[float, float] | None] = [None] * len(queries)
    if prediction.log_std is not None:
        low, high = prediction.interval_ms(level)
        intervals = list(zip(low.tolist(), high.tolist(), strict=True))
    return [
        Forecast(
            latency_ms=latency,
            interval_ms=interval,
            source="predicted",
            coverage=share,
            adapted=adapted,
            predictor=predictor_id,
            unknown_operators=predictor.unknown_operators(query),
        )
        for latency, interval, share, query in zip(
            prediction.median_ms.tolist(), intervals, coverage.tolist(), queries, strict=True
        )
    ]


def measured(summary: Summary, level: float) -> Forecast:
    """A measurement as an answer; its interval is the spread between the processes that measured."""
    width = NormalDist().inv_cdf((1 + level) / 2) * summary.noise_log
    low, high = (summary.median_ms * np.exp([-width, width])).tolist()
    return Forecast(
        latency_ms=summary.median_ms,
        interval_ms=(low, high),
        source="measured",
        coverage=1.0,
        adapted=True,
        predictor=None,
    )

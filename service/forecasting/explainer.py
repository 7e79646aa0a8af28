"""Explains the service's forecasts with what its database has of the target (`POST /targets/{id}/explain`)."""

import math
from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from latcast.schema import Architecture, LatcastError, Target
from predictors.base import FloatArray, Predictor, Query
from predictors.explanation import Explanation
from predictors.features.kernels.table import KERNEL_NAMES
from predictors.samplers.base import HasAdaptationFeatures
from service.db import tables
from service.db.session import Database
from service.db.statements import chunks
from service.forecasting.explanation import (
    MeasuredNetwork,
    candidates,
    explained_by,
    neighbours,
    pool,
    proposals,
)
from service.forecasting.types import ExplainedForecast, Forecast, Neighbour, Proposal
from service.graphs.queries import NetworkQuery, reads_natively
from service.graphs.resolver import Resolver
from service.graphs.store import architectures_of
from service.learning import datasets
from service.learning.catalogue import ServedPredictor
from service.measurements.representative import representative_ids

__all__ = ["Explainer"]

POOL_SPACE = "zoo"
"""Where proposals are from, unless the predictor reads the network's own search space alone."""
MOST_SUPPORT = 50
"""Networks of the support whose measurements count when the next one is proposed."""
NOBODY = "The network was measured, and there is no predictor that could tell its kernels."


class Explainer:
    """Explains answers. Thread-safe; keeps nothing but the graphs that its resolver keeps."""

    def __init__(self, database: Database, resolver: Resolver) -> None:
        self._database, self._resolver = database, resolver

    def explain(
        self, query: Query, answer: Forecast, served: ServedPredictor | None, *, most: int
    ) -> ExplainedForecast:
        """Why the answer is what it is.

        Args:
            query: the network and the target.
            answer: what `/predict` says of it.
            served: the predictor that answered, or would have if the network had not been measured; None without one.
            most: neighbours and proposals at most; 0 saves the time that they take.
        """
        if served is None:
            return ExplainedForecast(forecast=answer, no_kernels=NOBODY)
        query = self._resolver.readable(query, served.predictor, also=[KERNEL_NAMES])
        explanation, reason = explained_by(served.predictor, query)
        with self._database.read() as session:
            measured = _measured_networks(session, query.target)
        itself = None if explanation is None else _itself(query, measured)
        return ExplainedForecast(
            forecast=answer,
            explanation=explanation,
            no_kernels=reason,
            kernel_measured_ms=None if itself is None else self._kernels(query, itself),
            nearest=self._nearest(query, answer, served.predictor, explanation, measured)[:most] if most else (),
            measure_next=self._measure_next(query, answer, served, most) if most else (),
        )

    def _nearest(
        self,
        query: Query,
        answer: Forecast,
        predictor: Predictor,
        explanation: Explanation | None,
        measured: Sequence[MeasuredNetwork],
    ) -> tuple[Neighbour, ...]:
        if explanation is None:
            return ()
        itself = _itself(query, measured)
        close = candidates([network for network in measured if network is not itself], answer.latency_ms)
        return tuple(neighbours(predictor, explanation, self._queries(close, query.target, predictor)))

    def _measure_next(
        self,
        query: Query,
        answer: Forecast,
        served: ServedPredictor,
        most: int,
    ) -> tuple[Proposal, ...]:
        if answer.source == "measured" or query.target.origin:
            return ()  # nothing is left to learn, or nobody can measure
        if not isinstance(served.predictor, HasAdaptationFeatures):
            return ()
        with self._database.read() as session:
            support = _networks(session, served.support[:MOST_SUPPORT])
        texts = [MeasuredNetwork(architecture=text, latency_ms=math.nan) for text in pool(_pool_space(query, served))]
        asked, observed = (
            [one for _, one in self._queries(networks, query.target, served.predictor)] for networks in (texts, support)
        )
        try:
            return tuple(proposals(served.predictor, query, asked, observed, most=most))
        except LatcastError:
            return ()  # a network of the support or the pool that the predictor cannot read spoils no explanation

    def _kernels(self, query: Query, network: MeasuredNetwork) -> FloatArray | None:
        """What was measured of each kernel that is expected, in ms, float64 (kernels,); None without such timings."""
        with self._database.read() as session:
            timings = datasets.load_dataset(session, measurement_ids=[network.row or 0]).kernels
        if not timings or not timings[0]:
            return None
        return self._resolver.timings(query, timings[0])

    def _queries(
        self, networks: Sequence[MeasuredNetwork], target: Target, predictor: Predictor
    ) -> list[tuple[MeasuredNetwork, Query]]:
        """Queries of networks, with the graphs that the predictor reads; those without a graph are left out."""
        result = []
        for network in networks:
            query = NetworkQuery(target=target, architecture=network.architecture, graph_hash=network.graph)
            try:
                result.append((network, self._resolver.readable(query, predictor)))
            except LatcastError:
                continue  # its search space may have changed since it was measured, for example
        return result


def _itself(query: Query, measured: Sequence[MeasuredNetwork]) -> MeasuredNetwork | None:
    """The query's own network, where it was measured."""
    for network in measured:
        if network.graph == query.network.hash or (
            network.graph is None and network.architecture == query.architecture
        ):
            return network
    return None


def _pool_space(query: Query, served: ServedPredictor) -> str:
    space = query.architecture.space if query.architecture else ""
    return space if space and reads_natively(served.predictor, space) else POOL_SPACE


def _measured_networks(session: Session, target: Target) -> list[MeasuredNetwork]:
    """Every network that was measured on the target, by the row that represents it."""
    return _networks(session, representative_ids(session, target_ids=[target.id], imported=True))


def _networks(session: Session, ids: Sequence[int]) -> list[MeasuredNetwork]:
    """The networks of these measurements."""
    table = tables.Measurement
    columns = (table.id, table.median_ms, table.graph_hash, table.architecture_id)
    rows = [row for part in chunks(ids) for row in session.execute(select(*columns).where(table.id.in_(part)))]
    of_graphs = architectures_of(session, {row.graph_hash for row in rows if row.graph_hash})
    of_texts = _architectures(session, {row.architecture_id for row in rows if not row.graph_hash})
    return [
        MeasuredNetwork(
            latency_ms=row.median_ms,
            architecture=of_graphs.get(row.graph_hash) if row.graph_hash else of_texts[row.architecture_id],
            graph=row.graph_hash,
            row=row.id,
        )
        for row in rows
    ]


def _architectures(session: Session, ids: Collection[int]) -> dict[int, Architecture]:
    table = tables.Architecture
    result: dict[int, Architecture] = {}
    for part in chunks(ids):
        for row in session.scalars(select(table).where(table.id.in_(part))):
            result[row.id] = Architecture(space=row.space, text=row.text)
    return result

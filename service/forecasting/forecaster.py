"""Answers `POST /v1/predict`: what the database knows, else what a predictor says (`service.forecasting.selection`)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from functools import cache, partial
from math import isfinite
from statistics import NormalDist

import numpy as np
import structlog
from sqlalchemy.exc import SQLAlchemyError

from latcast.errors import ConflictError
from latcast.schema import GraphHash, LatcastError, Target, TargetId, UnsupportedGraphError, to_plain
from predictors.base import Predictor, Query
from predictors.foreign.features import features_asked
from predictors.foreign.reader import ReadsFeatures
from predictors.kinds.stack.scaled import with_interval_scale
from predictors.networks import Feature
from profilers.caching import Cache
from profilers.host.cancellation import check_wanted
from service.db.session import Database
from service.forecasting.contenders import SpaceContenders, target_contenders
from service.forecasting.explainer import Explainer
from service.forecasting.selection import PredictorSelection
from service.forecasting.types import ExplainedForecast, Forecast, QualityPair, senseless
from service.graphs import store
from service.graphs.assembler import ASSEMBLED
from service.graphs.queries import NetworkQuery, reads_natively
from service.graphs.resolver import Item, Resolver
from service.learning import datasets
from service.learning.catalogue import PredictorCatalogue, ServedPredictor, TargetPredictors
from service.measurements.lookup import GRAPHS, MeasuredLatency, measured_latencies, measured_sizes
from service.measurements.representative import representative_ids
from service.measurements.revisions import rows_state
from service.settings import Settings

__all__ = ["Forecaster"]

log = structlog.get_logger(__name__)

Answer = Forecast | LatcastError
Sizes = frozenset[tuple[float, int]]
"""(floating-point operations, nodes) of graphs."""
NONE_MEASURED: Sizes = frozenset()
BATCH_NODES = 5000
"""Nodes of the graphs that are forecast at once."""
IN_PARTS = 10
"""So many nodes of networks that were put together count as one."""
TEXTS_AT_ONCE = 256
"""Texts whose networks are read before they are forecast: what is read of one takes 50 KB."""
MOST_TARGETS = 500
"""Targets of which it is kept what was measured."""
Outcome = Query | LatcastError
Queries = dict[int, Query]
"""Queries by the place of their item."""


class Forecaster:
    """Forecasts for targets. Thread-safe; keeps predictors and graphs in memory, and no other state."""

    def __init__(self, settings: Settings, database: Database, reader: ReadsFeatures) -> None:
        self._settings, self._database = settings, database
        self.catalogue = PredictorCatalogue(database, cache_bytes=settings.predictor_cache_bytes)
        self.resolver = Resolver(database, reader, cache_bytes=settings.cache_bytes)
        self.selection = PredictorSelection(database, self.resolver)
        self._explainer = Explainer(database, self.resolver)
        self._sizes: Cache[TargetId, tuple[object, Sizes]] = Cache(MOST_TARGETS)

    def forecast(
        self, target_id: TargetId, items: Sequence[Item], level: float, *, predictor: str | None = None
    ) -> list[Answer]:
        """Answers in the order of the items; an item that cannot be answered has its error instead.

        Args:
            target_id: a registered target.
            items: what to forecast.
            level: probability that the interval holds the latency, in (0, 1).
            predictor: who answers, as `PredictorCatalogue.named` finds it, for measured networks too; by default who
                fits best.

        Raises:
            NotFoundError: nobody registered the target, or there is no such predictor.
            ConflictError: the predictor cannot be used here.
        """
        predictors = self.catalogue.predictors_of(target_id)
        if predictor is not None:
            named = self.catalogue.named(predictor)
            predictors = replace(predictors, adapted=None, carried=None, bases=named)
        features = read_features(predictors)
        answers: dict[int, Answer] = {}
        queries: Queries = {}
        for index, item in enumerate(items):
            check_wanted()
            try:
                queries[index] = self.resolver.query(item, predictors.target, features)
            except Exception as error:  # noqa: BLE001 - one item's error must not spoil the others' answers
                answers[index] = failure(error)
        for space, group in by_space(queries).items():
            answers |= self._answers(predictors, space, group, level, pinned=predictor is not None)
        return [answers[index] for index in range(len(items))]

    def explain(self, target_id: TargetId, item: Item, level: float, *, most: int) -> ExplainedForecast:
        """The answer to an item, as `forecast` gives it, and why it is what it is.

        Args:
            target_id: a registered target.
            item: whose forecast is explained.
            level: probability that the interval holds the latency, in (0, 1).
            most: neighbours and proposals at most.

        Raises:
            LatcastError: the item cannot be answered; the error that `forecast` has for it.
        """
        predictors = self.catalogue.predictors_of(target_id)
        query = self.resolver.query(item, predictors.target, read_features(predictors))
        ((space, queries),) = by_space({0: query}).items()
        answer = self._answers(predictors, space, queries, level)[0]
        if isinstance(answer, LatcastError):
            raise answer
        return self._explainer.explain(query, answer, self._asked(predictors, space, answer), most=most)

    def _asked(self, predictors: TargetPredictors, space: str, answer: Forecast) -> ServedPredictor | None:
        """The predictor that answered, or the first choice where a measurement did; None where there is none."""
        try:
            chain = self.selection.of(predictors, space)
        except ConflictError:
            return None
        same = [one for one in chain if (one.id, one.adapted) == (answer.predictor, answer.adapted)]
        return (same or chain)[0]

    def artifact(self, target_id: TargetId, space: str) -> bytes:
        """The artifact of what answers for architectures of a space, adapted to the target, which its `meta` names.

        Its intervals are as wide as those of answers.

        Raises:
            NotFoundError: nobody registered the target.
            ConflictError: none is adapted.
        """
        predictors = self.catalogue.predictors_of(target_id)
        chain = self.selection.of(predictors, space)
        adapted = next((one for one in chain if one.adapted and reads_natively(one.predictor, space)), None)
        if adapted is None:
            raise ConflictError(
                f"No predictor of architectures of {space} is adapted to target {target_id}: measure some of them."
            )
        artifact = with_interval_scale(adapted.predictor, adapted.interval_scale).to_artifact()
        return replace(artifact, meta={**artifact.meta, "target": to_plain(predictors.target)}).to_bytes()

    def quality(self, target_id: TargetId) -> list[QualityPair]:
        """Every measured network of the target beside its forecast, oldest first.

        Raises:
            NotFoundError: nobody registered the target.
            ConflictError: no predictor can answer for the target.
        """
        predictors = self.catalogue.predictors_of(target_id)
        with self._database.read() as session:
            rows = representative_ids(session, target_ids=[predictors.target.id], imported=True)
            data = datasets.load_dataset(session, measurement_ids=rows)
            keys = datasets.network_keys(session, rows)
            precisions = store.precisions_of(session, {key for key in keys.values() if isinstance(key, str)})
        pairs: dict[int, QualityPair] = {}
        for space, queries in by_space(dict(enumerate(data.queries))).items():
            chain = self.selection.of(predictors, space)
            answers = self.predicted(chain, queries, level=0.9, target=predictors.target)
            support = self._support(chain, keys)
            for index, answer in answers.items():
                if isinstance(answer, Forecast):
                    key = keys[rows[index]]
                    graph_hash = key if isinstance(key, str) else None
                    pairs[index] = pair_of(
                        queries[index],
                        float(data.latency_ms[index]),
                        answer,
                        graph_hash=graph_hash,
                        file_precision=precisions.get(graph_hash or "", ""),
                        support=rows[index] in support[answer.predictor or ""],
                        row=rows[index],
                    )
        return [pairs[index] for index in sorted(pairs)]

    def contenders(self, target_id: TargetId) -> list[SpaceContenders]:
        """For graphs, and for each search space of which the target has measurements: who contends to answer.

        Raises:
            NotFoundError: nobody registered the target.
        """
        predictors = self.catalogue.predictors_of(target_id)
        return target_contenders(self._database, self.resolver, self.selection, predictors)

    def _support(self, chain: Sequence[ServedPredictor], keys: Mapping[int, str | int]) -> dict[str, set[int]]:
        """For each responder those of the rows, named by their networks, that it was adapted to."""
        with self._database.read() as session:
            used = {one.id: set(datasets.network_keys(session, one.support).values()) for one in chain}
        return {name: {row for row, key in keys.items() if key in support} for name, support in used.items()}

    def _answers(
        self, predictors: TargetPredictors, space: str, queries: Queries, level: float, *, pinned: bool = False
    ) -> dict[int, Answer]:
        """Answers to queries about one search space, or about graphs."""
        if pinned:
            return self._answers_of_pinned(predictors, space, queries, level)
        answers: dict[int, Answer] = self._measured(predictors.target, space, queries, level)
        left = without(queries, answers)
        if not left:
            return answers
        try:
            chain = self.selection.of(predictors, space)
        except ConflictError as error:
            return answers | dict.fromkeys(left, error)
        if not space or reads_natively(chain[0].predictor, space):
            return answers | self.predicted(chain, left, level=level, target=predictors.target)
        for part in parts_of(left, TEXTS_AT_ONCE):
            read, failed = self._readable(part, chain[0].predictor, measured=self._measured_sizes(predictors.target))
            built = {index: query for index, query in read.items() if query.network.hash != ASSEMBLED}
            answers |= failed | self._measured(predictors.target, GRAPHS, built, level)
            answers |= self.predicted(chain, without(read, answers), level=level, target=predictors.target)
        return answers

    def _measured_sizes(self, target: Target) -> Sizes:
        """Sizes of the graphs that were measured on the target: a network of another size was not measured."""
        with self._database.read() as session:
            state = rows_state(session, target.id)
            known = self._sizes.get(target.id)
            if known is None or known[0] != state:
                known = self._sizes.put(target.id, (state, measured_sizes(session, target)))
        return known[1]

    def _answers_of_pinned(
        self, predictors: TargetPredictors, space: str, queries: Queries, level: float
    ) -> dict[int, Answer]:
        try:
            chain = self.selection.pinned(predictors, space)
        except ConflictError as error:
            return dict.fromkeys(queries, error)
        return self.predicted(chain, queries, level=level, target=predictors.target)

    def _measured(self, target: Target, space: str, queries: Queries, level: float) -> dict[int, Answer]:
        names = {index: name_of(query, space) for index, query in queries.items()}
        if not names:
            return {}
        with self._database.read() as session:
            known = measured_latencies(session, target, space, set(names.values()))
            unread = {name for index, name in names.items() if name in known and not has_remarks(queries[index])}
            stored = store.remarks(session, unread) if space == GRAPHS else {}
        return {
            index: measured(
                known[name], level, origin=target.origin, remarks=remarks_on(queries[index]) or stored.get(name, ())
            )
            for index, name in names.items()
            if name in known
        }

    def predicted(
        self, chain: Sequence[ServedPredictor], queries: Queries, *, level: float, target: Target
    ) -> dict[int, Answer]:
        """Forecasts of the first responder, and of the next for those that the one before cannot read."""
        answers: dict[int, Answer] = {}
        left = queries
        for responder in chain:
            if not left:
                break
            asked, failed = self._readable(left, responder.predictor)
            parts = batches(list(asked.values()), responder.predictor)
            outcomes = [answer for part in parts for answer in attempt(responder, part, level, target)]
            answers |= failed | dict(zip(asked, outcomes, strict=True))
            left = {index: query for index, query in asked.items() if isinstance(answers[index], UnsupportedGraphError)}
        return answers

    def _readable(
        self, queries: Queries, predictor: Predictor, *, measured: Sizes = NONE_MEASURED
    ) -> tuple[Queries, dict[int, Answer]]:
        """The queries as the predictor reads them; the errors of those that cannot be built are theirs alone.

        Args:
            queries: any.
            predictor: that will be asked.
            measured: sizes of graphs that have to be built, for their hashes are looked up.
        """
        done = read_before(queries, predictor)
        done |= self._assembled(without(queries, done), predictor, measured)
        left = without(queries, done)
        at_once = sum(not has_remarks(query) for query in left.values())
        outcomes = in_threads(
            partial(self._read, predictor=predictor), list(left.values()), min(at_once, self._settings.reader_workers)
        )
        done |= dict(zip(left, outcomes, strict=True))
        readable: Queries = {}
        errors: dict[int, Answer] = {}
        for index in queries:
            outcome = done[index]
            if isinstance(outcome, LatcastError):
                errors[index] = outcome
            else:
                readable[index] = outcome
        return readable, errors

    def _assembled(self, queries: Queries, predictor: Predictor, measured: Sizes) -> dict[int, Outcome]:
        """Those of the queries, none of which is read as it is, whose networks need not be built."""
        asked = {index: query for index, query in queries.items() if query.architecture is not None}
        targets = {id(query.target): query.target for query in asked.values()}
        features = {feature for target in targets.values() for feature in features_asked(predictor, target)}
        if len(features) != 1:
            return {}
        return {
            index: ready
            for index, ready in zip(asked, self.resolver.assembled(list(asked.values()), *features), strict=True)
            if ready is not None and (float(ready.network.flops), ready.network.size) not in measured
        }

    def _read(self, query: Query, *, predictor: Predictor) -> Query | LatcastError:
        check_wanted()
        try:
            return self.resolver.readable(query, predictor)
        except Exception as error:  # noqa: BLE001 - one item's error must not spoil the others' answers
            return failure(error)


def read_before(queries: Queries, predictor: Predictor) -> dict[int, Outcome]:
    """Those of the queries that the predictor reads as they are: by their text, or because their graph was read for it.

    What it reads of graphs follows from the target, of which a call has one: it is asked once.
    """
    natively, wanted = cache(partial(reads_natively, predictor)), dict[int, frozenset[Feature]]()
    done: dict[int, Outcome] = {}
    for index, query in queries.items():
        if query.architecture is not None and natively(query.architecture.space):
            done[index] = query
        elif isinstance(query, NetworkQuery) and query.is_complete:
            key = id(query.target)
            if key not in wanted:
                wanted[key] = frozenset(features_asked(predictor, query.target))
            if query.features >= wanted[key]:
                done[index] = query
    return done


def in_threads(function: Callable[[Query], Outcome], queries: Sequence[Query], threads: int) -> list[Outcome]:
    """The function of each query, in order, in so many threads that share this one's context."""
    if threads < 2:
        return [function(query) for query in queries]
    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(copy_context().run, function, query) for query in queries]
        return [future.result() for future in futures]


def read_features(predictors: TargetPredictors) -> list[Feature]:
    """What the target's predictors read of graphs: a model is sent to be read once for all of them."""
    served = [base.predictor for base in predictors.bases]
    if predictors.adapted is not None:
        served.append(predictors.adapted.predictor)
    graphs = [predictor for predictor in served if "graph" in predictor.fitted_capabilities().inputs]
    wanted = [feature for predictor in graphs for feature in features_asked(predictor, predictors.target)]
    return list(dict.fromkeys(wanted))


def by_space(queries: Queries) -> dict[str, Queries]:
    """Queries by the search space of their architecture; `GRAPHS` where they are none."""
    groups: dict[str, Queries] = {}
    for index, query in queries.items():
        groups.setdefault(query.architecture.space if query.architecture else GRAPHS, {})[index] = query
    return groups


def parts_of(queries: Queries, size: int) -> Iterator[Queries]:
    """The queries in parts of that size."""
    items = list(queries.items())
    return (dict(items[start : start + size]) for start in range(0, len(items), size))


def without(queries: Queries, answers: Mapping[int, object]) -> Queries:
    """Queries that have no answer yet."""
    return {index: query for index, query in queries.items() if index not in answers}


def name_of(query: Query, space: str) -> str:
    """What the database knows the network by."""
    if space and query.architecture:
        return query.architecture.text
    return (query.graph_hash if isinstance(query, NetworkQuery) else None) or query.network.hash


def pair_of(
    query: Query,
    measured_ms: float,
    answer: Forecast,
    *,
    graph_hash: GraphHash | None,
    file_precision: str,
    support: bool,
    row: int,
) -> QualityPair:
    """A measured network beside its forecast; its graph is named where the database has it."""
    architecture = query.architecture
    return QualityPair(
        graph=graph_hash,
        space=architecture.space if architecture else None,
        text=architecture.text if architecture else None,
        measured_ms=measured_ms,
        predicted_ms=answer.latency_ms,
        support=support,
        row=row,
        interval_ms=answer.interval_ms,
        file_precision=file_precision,
    )


def batches(queries: Sequence[Query], predictor: Predictor) -> Iterator[Sequence[Query]]:
    """The queries, in order, in parts whose features fit into memory together.

    Those of a node take about 10 KiB, or 1 KiB where its network was put together: kernels of its parts are known.
    """
    natively, start, nodes = cache(partial(reads_natively, predictor)), 0, 0
    for place, query in enumerate(queries):
        architecture = query.architecture
        size = 1 if architecture is not None and natively(architecture.space) else query.network.size
        if size > 1 and query.network.hash == ASSEMBLED:
            size = max(size // IN_PARTS, 1)
        if place > start and nodes + size > BATCH_NODES:
            yield queries[start:place]
            start, nodes = place, 0
        nodes += size
    if queries:
        yield queries[start:]


def attempt(responder: ServedPredictor, queries: Sequence[Query], level: float, target: Target) -> list[Answer]:
    """Forecasts in one batch; when some query spoils the batch, in halves until it stands alone."""
    try:
        return forecasts(responder, queries, level, target)
    except Exception as error:  # noqa: BLE001 - one query's error must not spoil the others' forecasts
        if len(queries) == 1:
            return [failure(error)]
    middle = len(queries) // 2
    parts = (queries[:middle], queries[middle:])
    return [answer for part in parts for answer in attempt(responder, part, level, target)]


def forecasts(responder: ServedPredictor, queries: Sequence[Query], level: float, target: Target) -> list[Answer]:
    """Forecasts in one batch."""
    predictor = responder.predictor
    prediction = responder.predict(queries)
    coverage = predictor.coverage(queries) if prediction.coverage is None else prediction.coverage
    intervals = prediction.claimed_intervals_ms(level)
    descriptor, measurements = predictor.device_descriptor(), len(responder.support)
    return [
        sensible(
            Forecast(
                latency_ms=latency,
                interval_ms=interval,
                source="predicted",
                coverage=share,
                adapted=responder.adapted,
                predictor=responder.id,
                kind=predictor.kind,
                measurements=measurements,
                origin=target.origin,
                unknown_operators=predictor.unknown_operators(query),
                remarks=remarks_on(query),
                warning=responder.warning,
                descriptor=descriptor,
            )
        )
        for latency, interval, share, query in zip(
            prediction.median_ms.tolist(), intervals, coverage.tolist(), queries, strict=True
        )
    ]


def sensible(forecast: Forecast) -> Answer:
    """The forecast, or the item's error where its latency or an end of its interval is no positive number."""
    times = (forecast.latency_ms, *(forecast.interval_ms or ()))
    if all(isfinite(time) and time > 0 for time in times):
        return forecast
    return senseless()


def failure(error: Exception) -> LatcastError:
    """The error of one item; an exception that nobody foresaw is logged, and a sentence stands for it.

    Raises:
        SQLAlchemyError: the database's errors are not the item's.
    """
    if isinstance(error, SQLAlchemyError):
        raise error
    if isinstance(error, LatcastError):
        return error
    log.error("an item of a forecast failed", exc_info=error)
    return UnsupportedGraphError(
        "This network could not be forecast: it led to an error in the service, which the service's log describes. "
        "Check the model with onnx.checker.check_model, and report the error if it passes."
    )


def has_remarks(query: Query) -> bool:
    """Whether the query's graph was read, so that it is known what there is to say of it."""
    return isinstance(query, NetworkQuery) and query.is_complete


def remarks_on(query: Query) -> tuple[str, ...]:
    """What was read to be said of the query's network."""
    return query.remarks if isinstance(query, NetworkQuery) else ()


def measured(known: MeasuredLatency, level: float, *, origin: str, remarks: tuple[str, ...] = ()) -> Forecast:
    """A measurement as an answer.

    Its interval is the spread between the processes that measured; of a public table's number nobody knows it.
    """
    interval = None
    if known.noise_log is not None:
        width = NormalDist().inv_cdf((1 + level) / 2) * known.noise_log
        low, high = (known.median_ms * np.exp([-width, width])).tolist()
        interval = (low, high)
    return Forecast(
        latency_ms=known.median_ms,
        interval_ms=interval,
        source="measured",
        coverage=1.0,
        adapted=True,
        measurements=1,
        statistic=known.statistic,
        origin=origin,
        remarks=remarks,
    )

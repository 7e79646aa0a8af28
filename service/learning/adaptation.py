"""Adaptation as a job: choose graphs, have them measured (or choose rows of a public table), fit, activate."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from sqlalchemy.orm import Session

from latcast.errors import ConflictError
from latcast.schema import Architecture, InputError, JobState, Target
from latcast.schema.counting import counted
from predictors.base import Predictor, Query
from predictors.features.references import architecture_of
from predictors.foreign.features import features_asked
from predictors.samplers.base import choose_beside, get_sampler
from profilers.backends.target_settings import settings_for
from profilers.search_spaces import get_space
from service.db.session import Database
from service.graphs import store
from service.graphs.queries import NetworkQuery
from service.graphs.resolver import Resolver
from service.graphs.store import PreparedGraph
from service.jobs import queue
from service.jobs.payloads import AdaptPayload, Pool, ProfilePayload
from service.jobs.steps import Finished, LeasedJob, Steps, Waiting
from service.jobs.turns import Line, submitter_of
from service.learning import datasets
from service.learning.activation import activate, adaptation_to, ready
from service.learning.catalogue import PredictorCatalogue, StoredPredictor, bases_for
from service.learning.contenders import bases_to_adapt
from service.learning.support_selection import (
    SAMPLERS_READ,
    cannot_do_without_references,
    choose_support,
    good_rows,
)
from service.measurements.lookup import GRAPHS, measured_networks, measured_spaces
from service.settings import Settings

__all__ = ["DEFAULT_SPACES", "AdaptationSteps"]

DEFAULT_SPACES = ("zoo", "nasbench201")
"""Where the sampler chooses from when nobody says: whatever users' own graphs are like, these are diverse."""
POOL_PER_SPACE = 150
LONGEST_SUPPORT_MS = 200.0
"""Graphs forecast to take longer are not chosen: they cost measuring time and teach little that others do not."""
FEWEST_SHARE = 0.5
"""Adapt when at least this share of the support set could be measured; else fail, and say why."""


class AdaptationSteps(Steps[AdaptPayload]):
    """Adapts a base predictor to one target and makes the result the target's only active adaptation.

    `plan` chooses graphs and makes a measuring job of each; `finish` adapts to what was measured. For a column of a
    public table everything is measured already, so that `plan` chooses rows and adapts at once.

    Args:
        database: with measurements and predictors.
        settings: of the service.
        catalogue: of the predictors that can be adapted; renewed for the target in the end.
        resolver: finds and builds graphs.
    """

    payload: ClassVar[type[AdaptPayload]] = AdaptPayload

    def __init__(
        self, database: Database, settings: Settings, *, catalogue: PredictorCatalogue, resolver: Resolver
    ) -> None:
        self._database, self._settings = database, settings
        self._catalogue, self._resolver = catalogue, resolver

    def plan(self, job: LeasedJob[AdaptPayload]) -> Waiting | Finished:
        """Choose graphs to measure; of a column of a public table, choose rows and adapt to them.

        Raises:
            ConflictError: there is no base predictor.
            InputError: there are fewer graphs or rows than are asked for, or none of the pool.
            UnknownNameError: nobody registered the target, the sampler or the search space.
        """
        target = self._target(job)
        if target.origin:
            return self._adapted_to_table(job, target)
        base = self._base(job, GRAPHS).predictor
        with self._database.read() as session:
            rows = good_rows(session, target)
            measured = set(datasets.network_keys(session, rows).values())
        references = reference_queries(base, target, self._resolver)
        missing = [query for query in references if query.network.hash not in measured]
        chosen = affordable(missing, base, job.payload.samples)
        asked = replace(job.payload, samples=job.payload.samples - len(chosen))
        if asked.samples:
            taken = {query.network.hash for query in references} if chosen or not missing else set()
            pool = [one for one in pool_queries(asked, target, base, self._resolver) if one.network.hash not in taken]
            chosen += choose_queries(pool, base, asked, measured=measured, observed=self._observed(rows, base))
        prepared = [prepared_graph(query, self._resolver) for query in chosen]
        hashes = [query.network.hash for query in chosen]
        settings = settings_for(target, job.payload.settings)

        def write(session: Session) -> None:
            for item in filter(None, prepared):
                store.save(session, item)
            submitter = submitter_of(queue.find(session, job.id))
            line = Line(session, ProfilePayload.kind, target.id, submitter)
            queue.enqueue_each(
                session,
                ProfilePayload(settings=settings),
                hashes,
                max_attempts=self._settings.max_attempts,
                target_id=target.id,
                parent_id=job.id,
                line=line,
            )

        return Waiting(write)

    def finish(self, job: LeasedJob[AdaptPayload]) -> Finished:
        """Adapt to the graphs that could be measured, and to those that were measured before.

        Raises:
            ConflictError: too few of them could be, or there is no base predictor.
        """
        with self._database.read() as session:
            children = queue.children(session, job.id)
            rows = [
                child.result["measurement_id"] for child in children if child.state == JobState.DONE and child.result
            ]
            visible = datasets.visible_among(session, rows)
            hidden, rows = len(rows) - len(visible), [row for row in rows if row in visible]
            attempts = [attempt for child in children for attempt in queue.attempts_of(session, child.id)]
        if (done := len(rows)) < max(1, FEWEST_SHARE * len(children)):
            messages = {attempt.message for attempt in attempts if attempt.message}
            messages |= {child.result["error"] for child in children if child.result and "error" in child.result}
            if hidden:
                messages.add(
                    f"{counted(hidden, 'measurement was', 'measurements were')} hidden (`latcast measurements "
                    "list --hidden`)."
                )
            reasons = " ".join(sorted(messages))
            raise ConflictError(
                f"Only {done} of {counted(len(children), 'graph')} could be measured, too few to adapt to. "
                f"Reasons: {reasons or 'the jobs were cancelled.'}"
            )
        target = self._target(job)
        with self._database.read() as session:
            rows = good_rows(session, target, always=rows)
        return self._adapted(job, target, self._base(job, GRAPHS), rows, failed=len(children) - done)

    def _observed(self, rows: Sequence[int], base: Predictor) -> list[Query]:
        """The networks of these rows, as samplers read them."""
        with self._database.read() as session:
            queries = datasets.load_dataset(session, measurement_ids=rows).queries
        return [self._resolver.readable(query, base, also=SAMPLERS_READ) for query in queries]

    def _target(self, job: LeasedJob[AdaptPayload]) -> Target:
        return self._catalogue.predictors_of(job.target_id or "").target

    def _base(self, job: LeasedJob[AdaptPayload], space: str) -> StoredPredictor:
        """The base predictor to adapt: a device's own measurements adapt one that reads any graph, rows of a table
        one that reads their search space, unless the job names another.
        """
        if (name := job.payload.predictor) is not None:
            named = self._catalogue.named(name)
            bases = bases_for(named, space) or ([] if space else list(named))
            if not bases:
                raise ConflictError(f"The predictor {name!r} does not read architectures of {space}.")
            return bases[0]
        bases = bases_to_adapt(self._catalogue.bases(), space)
        if not bases:
            raise ConflictError(
                "There is no base predictor to adapt: train one, or install the package with its artifacts."
            )
        return bases[0]

    def _adapted_to_table(self, job: LeasedJob[AdaptPayload], target: Target) -> Finished:
        """The outcome of adapting to rows of a public table that the sampler chooses."""
        asked = job.payload
        with self._database.read() as session:
            space = table_space(measured_spaces(session, target), asked.pool, target)
            rows = measured_networks(session, target, space)
            if asked.pool.graphs:
                rows = [row for row in rows if row.name in set(asked.pool.graphs)]
        base = self._base(job, space)
        chosen = choose_support(
            self._database,
            self._resolver,
            rows,
            base,
            space,
            samples=asked.samples,
            sampler=asked.sampler,
            seed=asked.seed,
        )
        return self._adapted(job, target, base, chosen, failed=0)

    def _adapted(
        self,
        job: LeasedJob[AdaptPayload],
        target: Target,
        base: StoredPredictor,
        rows: Sequence[int],
        *,
        failed: int,
    ) -> Finished:
        """The outcome of adapting the base to measurements of the target.

        Args:
            job: that asks for it.
            target: to adapt to.
            base: what is adapted.
            rows: ids of the measurements.
            failed: how many graphs could not be measured.
        """
        made = adaptation_to(self._database, self._resolver, target, base, rows, failed=failed)
        made = made.judged(base.predictor, target)
        adaptation = ready(self._database, made.base, made)

        def write(session: Session) -> Mapping[str, Any]:
            by = queue.find(session, job.id).api_key_id
            row = activate(session, target.id, adaptation, job_id=job.id, api_key_id=by)
            return {"adaptation_id": row.id, **made.figures}

        return Finished(write, announce=lambda: self._catalogue.renew(target.id))


def pool_queries(payload: AdaptPayload, target: Target, base: Predictor, resolver: Resolver) -> list[Query]:
    """What the sampler may choose from: the graphs named, or random architectures of the spaces named."""
    if payload.pool.graphs:
        pool = [NetworkQuery(target=target, graph_hash=graph_hash) for graph_hash in payload.pool.graphs]
    else:
        rng = np.random.default_rng(payload.seed)
        names = payload.pool.space or read_spaces(base)
        drawn = [architecture for name in names for architecture in _architectures(name, rng)]
        pool = [NetworkQuery(target=target, architecture=architecture) for architecture in drawn]
    features = features_asked(base, target, also=SAMPLERS_READ)
    return [resolver.complete(query, features) for query in pool]


def read_spaces(base: Predictor) -> tuple[str, ...]:
    """Spaces to choose from when nobody says: the default ones, or those that a base reads which reads no graphs."""
    capabilities = base.fitted_capabilities()
    if "graph" in capabilities.inputs:
        return DEFAULT_SPACES
    references = {architecture_of(key).space for key in base.references()}
    return tuple(sorted(references)) or capabilities.spaces[:1]


def _architectures(name: str, rng: np.random.Generator) -> list[Architecture]:
    space = get_space(name)
    drawn = [space.sample(rng) for _ in range(POOL_PER_SPACE)]
    distinct = {architecture.text: architecture for architecture in drawn if not space.is_degenerate(architecture)}
    return list(distinct.values())


def reference_queries(base: Predictor, target: Target, resolver: Resolver) -> list[Query]:
    """The architectures by which the base, or one of its contenders, describes a device."""
    features = features_asked(base, target, also=SAMPLERS_READ)
    named = [NetworkQuery(target=target, architecture=architecture_of(key)) for key in base.references()]
    return [resolver.complete(query, features) for query in named]


def affordable(missing: Sequence[Query], base: Predictor, samples: int) -> list[Query]:
    """The references that are measured whatever a sampler says: all that are missing.

    None where they are more than the samples and the base can do without, as a stack can without one contender.

    Raises:
        InputError: they are more, and the base cannot do without.
    """
    if len(missing) <= samples:
        return list(missing)
    if not cannot_do_without_references(base):
        return []
    raise InputError(
        f"The predictor {base.kind!r} measures {counted(len(missing), 'reference')}: ask for so many samples at least."
    )


def choose_queries(
    pool: Sequence[Query],
    base: Predictor,
    payload: AdaptPayload,
    *,
    measured: Collection[str | int] = (),
    observed: Sequence[Query] = (),
) -> list[Query]:
    """The queries of the pool that the sampler chooses, of those that are measured quickly if they are enough.

    Networks that were measured already are measured again only where there are too few others.

    Args:
        pool: what may be chosen.
        base: what is to be adapted.
        payload: who chooses, and how many.
        measured: hashes of networks that were measured on the target.
        observed: networks that the adaptation will rest on besides.

    Raises:
        InputError: the pool is smaller than the number of samples.
    """
    known = [query for query in pool if query.network.hash in measured]
    new = [query for query in pool if query.network.hash not in measured]
    if len(pool) < payload.samples:
        raise InputError(
            f"The pool has {counted(len(pool), 'graph')}, fewer than the {counted(payload.samples, 'sample')} "
            "asked for."
        )
    if not new:
        return known[: payload.samples]
    quick = [query for query, ms in zip(new, base.predict(new).median_ms, strict=True) if ms <= LONGEST_SUPPORT_MS]
    candidates = quick if len(quick) >= payload.samples else new
    count = min(payload.samples, len(candidates))
    sampler, rng = get_sampler(payload.sampler), np.random.default_rng([payload.seed, 1])
    places = choose_beside(sampler, candidates, count, observed=observed, predictor=base, rng=rng)
    return [candidates[place] for place in places] + known[: payload.samples - count]


def prepared_graph(query: Query, resolver: Resolver) -> PreparedGraph | None:
    """What has to be stored before the graph can be measured; None where it is stored already."""
    if query.architecture is None:
        return None
    return resolver.prepared(query.architecture)


def table_space(spaces: Sequence[str], pool: Pool, target: Target) -> str:
    """The search space of a table's rows to adapt to: the first one, or the first of the pool that has rows.

    Raises:
        InputError: the table has no rows of the pool's spaces.
    """
    wanted = pool.space or ((GRAPHS,) if pool.graphs else tuple(spaces))
    for space in wanted:
        if space in spaces:
            return space
    has = ", ".join(space or "graphs" for space in spaces) or "nothing"
    raise InputError(
        f"The table of target {target.id} ({target.device}) has latencies of {has}, and none of "
        f"{', '.join(space or 'graphs' for space in wanted) or 'anything'}."
    )

"""Adaptation as a job: choose graphs, have them measured (or choose rows of a public table), fit, activate.

`POST /v1/targets/{id}/adapt` makes a job of kind `adapt`; `advance` carries every such job on by one step. Steps are
short transactions with the slow work between them, under a claim that runs out: whichever process dies at whichever
instant, another one goes on where it was.
"""

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import structlog
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from latcast.errors import ConflictError
from latcast.schema import (
    FINISHED_STATES,
    Architecture,
    InputError,
    JobKind,
    JobState,
    LatcastError,
    Target,
    TargetId,
    to_plain,
)
from predictors.base import LatencyDataset, Predictor, Query
from predictors.evaluation.leave_one_out import leave_one_out_ape
from predictors.samplers.base import get_sampler
from profilers.backends.target_settings import settings_for
from profilers.search_spaces import get_space
from service.db import tables
from service.db.session import Database
from service.graphs import store
from service.graphs.queries import NetworkQuery
from service.graphs.resolver import Resolver
from service.graphs.store import PreparedGraph
from service.jobs import queue
from service.learning import datasets
from service.learning.artifacts import put_artifact
from service.learning.catalogue import SHIPPED, PredictorCatalogue, StoredPredictor, bases_for
from service.learning.support_selection import choose_support
from service.measurements.lookup import GRAPHS, measured_networks, measured_spaces
from service.settings import Settings

__all__ = ["DEFAULT_SPACES", "advance"]

DEFAULT_SPACES = ("zoo", "nasbench201")
"""Where the sampler chooses from when nobody says: whatever users' own graphs are like, these are diverse."""
POOL_PER_SPACE = 150
LONGEST_SUPPORT_MS = 200.0
"""Graphs forecast to take longer are not chosen: they cost measuring time and teach little that others do not."""
CLAIM_SECONDS = 120.0
MOST_REFITS = 10
"""Larger supports are left out in this many parts: an adaptation to fifty networks may take more than a second."""
FEWEST_SHARE = 0.5
"""Adapt when at least this share of the support set could be measured; else fail, and say why."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One step of one job, taken by this process until the claim runs out."""

    job_id: str
    token: str
    target_id: TargetId
    payload: Mapping[str, Any]
    measured: bool
    """The support set is measured: fit. Otherwise choose it."""


def advance(database: Database, *, settings: Settings, catalogue: PredictorCatalogue, resolver: Resolver) -> bool:
    """Carry one adaptation on by one step; whether there was one to carry on.

    Never raises for what is wrong with a job: the job fails with a sentence instead.
    """
    claim = _claim(database)
    if claim is None:
        return False
    try:
        target = catalogue.predictors_of(claim.target_id).target
        if target.origin:
            _fit_table(database, claim, target, catalogue=catalogue, resolver=resolver)
            catalogue.renew(target.id)
        elif claim.measured:
            _fit(database, claim, catalogue=catalogue, resolver=resolver)
            catalogue.renew(target.id)
        else:
            _plan(database, claim, settings=settings, catalogue=catalogue, resolver=resolver)
    except LatcastError as error:
        _give_up(database, claim, str(error))
    except Exception:
        log.exception("adaptation failed", job=claim.job_id)
        _give_up(database, claim, "Adapting failed for a reason that is ours; the service's log has it.")
    return True


def _claim(database: Database) -> Claim | None:
    """Claim the oldest adaptation that can be carried on."""
    with database.read() as session:
        waiting = select(tables.Job.id).where(
            tables.Job.kind == JobKind.ADAPT, tables.Job.state.in_((JobState.QUEUED, JobState.LEASED))
        )
        if session.scalar(waiting.limit(1)) is None:
            return None
    with database.write.begin() as session:
        for job in queue.open_jobs(session, JobKind.ADAPT):
            states = queue.child_states(session, job.id)
            taken = job.payload.get("claim", {}).get("until_unix_s", 0.0) > time.time()
            if taken or set(states) - FINISHED_STATES or job.target_id is None:
                continue
            token = secrets.token_hex(8)
            until = time.time() + CLAIM_SECONDS
            job.payload = {**job.payload, "claim": {"token": token, "until_unix_s": until}}
            return Claim(
                job_id=job.id, token=token, target_id=job.target_id, payload=job.payload, measured=bool(states)
            )
    return None


def _holds(job: tables.Job, claim: Claim) -> bool:
    """Whether the job still waits for this claim's step; False after it ran out or the job was cancelled."""
    return job.state not in FINISHED_STATES and job.payload.get("claim", {}).get("token") == claim.token


def _give_up(database: Database, claim: Claim, message: str) -> None:
    with database.write.begin() as session:
        if _holds(queue.find(session, claim.job_id, lock=True), claim):
            queue.fail_job(session, claim.job_id, message)


# --- Choosing what to measure -----------------------------------------------------------------------------------


def _plan(
    database: Database, claim: Claim, *, settings: Settings, catalogue: PredictorCatalogue, resolver: Resolver
) -> None:
    target = catalogue.predictors_of(claim.target_id).target
    base = _base(catalogue)
    pool = _pool(claim.payload, target, resolver)
    chosen = _choose(pool, base.predictor, claim.payload)
    prepared = [_prepared(query, resolver) for query in chosen]
    profile = to_plain(settings_for(target, claim.payload.get("settings")))
    with database.write.begin() as session:
        job = queue.find(session, claim.job_id, lock=True)
        if not _holds(job, claim):
            return
        hashes = [query.graph.hash for query in chosen]
        for item in prepared:
            if item is not None:
                store.save(session, item)
        for graph_hash in hashes:
            queue.enqueue(
                session,
                kind=JobKind.PROFILE,
                payload={"settings": profile, "feeds": []},
                max_attempts=settings.max_attempts,
                target_id=claim.target_id,
                graph_hash=graph_hash,
                parent_id=job.id,
            )
        job.payload = {key: value for key, value in job.payload.items() if key != "claim"}


def _base(catalogue: PredictorCatalogue, space: str = GRAPHS) -> StoredPredictor:
    """What is adapted. A device's own measurements adapt a base that reads any graph; those of architectures adapt
    the base of their space besides (`service.forecasting.selection`).
    """
    bases = bases_for(catalogue.bases(), space)
    if not bases:
        raise ConflictError(
            "There is no base predictor to adapt: train one, or install the package with its artifacts."
        )
    return bases[0]


def _pool(payload: Mapping[str, Any], target: Target, resolver: Resolver) -> list[Query]:
    """What the sampler may choose from: the graphs named, or random architectures of the spaces named."""
    pool = payload.get("pool") or {}
    if pool.get("graphs"):
        return [
            NetworkQuery(target=target, graph_hash=graph_hash, graph=resolver.stored_graph(graph_hash))
            for graph_hash in pool["graphs"]
        ]
    named = pool.get("space") or DEFAULT_SPACES
    rng = np.random.default_rng(payload.get("seed", 0))
    names = [named] if isinstance(named, str) else named
    return [
        NetworkQuery(target=target, architecture=architecture, graph=resolver.prepared(architecture).graph)
        for name in names
        for architecture in _architectures(name, rng)
    ]


def _architectures(name: str, rng: np.random.Generator) -> list[Architecture]:
    space = get_space(name)
    drawn = [space.sample(rng) for _ in range(POOL_PER_SPACE)]
    distinct = {architecture.text: architecture for architecture in drawn if not space.is_degenerate(architecture)}
    return list(distinct.values())


def _choose(pool: Sequence[Query], base: Predictor, payload: Mapping[str, Any]) -> list[Query]:
    samples = int(payload["samples"])
    quick = [query for query, ms in zip(pool, base.predict(pool).median_ms, strict=True) if ms <= LONGEST_SUPPORT_MS]
    candidates = quick if len(quick) >= samples else list(pool)
    if len(candidates) < samples:
        raise InputError(f"The pool has {len(candidates)} graphs, fewer than the {samples} samples asked for.")
    sampler = get_sampler(payload["sampler"])
    rng = np.random.default_rng([payload.get("seed", 0), 1])
    return [candidates[index] for index in sampler.choose(candidates, samples, predictor=base, rng=rng)]


def _prepared(query: Query, resolver: Resolver) -> PreparedGraph | None:
    """What has to be stored before the graph can be measured; None where it is stored already."""
    if query.architecture is None:
        return None
    return PreparedGraph.of(resolver.prepared(query.architecture), query.architecture)


# --- Fitting ----------------------------------------------------------------------------------------------------


def _fit(database: Database, claim: Claim, *, catalogue: PredictorCatalogue, resolver: Resolver) -> None:
    base = _base(catalogue)
    target = catalogue.predictors_of(claim.target_id).target
    with database.read() as session:
        children = queue.children(session, claim.job_id)
        rows = [child.result["measurement_id"] for child in children if child.state == JobState.DONE and child.result]
        reasons = sorted(
            {attempt.message or "" for child in children for attempt in queue.attempts_of(session, child.id)}
        )
    if len(rows) < max(1, FEWEST_SHARE * len(children)):
        raise ConflictError(
            f"Only {len(rows)} of {len(children)} graphs could be measured, too few to adapt to. "
            f"Reasons: {' '.join(filter(None, reasons)) or 'the jobs were cancelled.'}"
        )
    _adapt(database, resolver, claim, target=target, base=base, rows=rows, failed=len(children) - len(rows))


def _fit_table(
    database: Database, claim: Claim, target: Target, *, catalogue: PredictorCatalogue, resolver: Resolver
) -> None:
    """Adapt to rows of a public table that the sampler chooses."""
    payload = claim.payload
    pool = payload.get("pool") or {}
    with database.read() as session:
        space = _space_of_table(measured_spaces(session, target), pool, target)
        rows = measured_networks(session, target, space)
        if pool.get("graphs"):
            rows = [row for row in rows if row.name in set(pool["graphs"])]
    base = _base(catalogue, space)
    chosen = choose_support(
        database,
        resolver,
        rows,
        base,
        space,
        samples=int(payload["samples"]),
        sampler=payload["sampler"],
        seed=payload.get("seed", 0),
    )
    _adapt(database, resolver, claim, target=target, base=base, rows=chosen, failed=0)


def _space_of_table(spaces: Sequence[str], pool: Mapping[str, Any], target: Target) -> str:
    """The first search space with rows, or that of the pool which has some."""
    named = pool.get("space") or ([GRAPHS] if pool.get("graphs") else spaces)
    wanted = [named] if isinstance(named, str) else named
    found = [space for space in wanted if space in spaces]
    if not found:
        has = ", ".join(space or "graphs" for space in spaces) or "nothing"
        raise InputError(
            f"The table of target {target.id} ({target.device}) has latencies of {has}, and none of "
            f"{', '.join(space or 'graphs' for space in wanted) or 'anything'}."
        )
    return found[0]


def _adapt(
    database: Database,
    resolver: Resolver,
    claim: Claim,
    *,
    target: Target,
    base: StoredPredictor,
    rows: Sequence[int],
    failed: int,
) -> None:
    """Adapt the base to measurements, and activate it."""
    with database.read() as session:
        data = datasets.load_dataset(session, measurement_ids=rows, baseline_speed=True)
        sentinel_ms = datasets.baseline_sentinel_ms(session, rows)
    support = resolver.readable_rows(data, base.predictor)
    started = time.perf_counter()
    adapted = base.predictor.adapt(target, support, support.evidence.get(target.id))
    adapt_ms = (time.perf_counter() - started) * 1000
    error = _left_out_error(base.predictor, target, support)
    result = {
        "support": len(rows),
        "failed": failed,
        "adapt_ms": adapt_ms,
        "support_loo_median_ape": error,
        "support_median_ape": error,
        "sentinel_ms": sentinel_ms,
    }
    _activate(database, claim, base=base, adapted=adapted, rows=list(rows), result=result)


def _left_out_error(base: Predictor, target: Target, support: LatencyDataset) -> float | None:
    """Median absolute percentage error on networks of the support, each forecast by an adaptation without it.

    A share (0.1 is 10 %); None where too few are left to adapt to, as of a support of one network.
    """
    evidence = support.evidence.get(target.id)
    errors = leave_one_out_ape(base, target, support, evidence, most_refits=MOST_REFITS)
    return None if np.isnan(errors).all() else float(np.nanmedian(errors))


def _activate(
    database: Database,
    claim: Claim,
    *,
    base: StoredPredictor,
    adapted: Predictor,
    rows: list[int],
    result: dict[str, Any],
) -> None:
    """Store the adapted predictor, make it the target's only active one, and finish the job: one transaction."""
    artifact = adapted.to_artifact()
    with database.write.begin() as session:
        job = queue.find(session, claim.job_id, lock=True)
        if not _holds(job, claim):
            return
        active = tables.Adaptation.target_id == claim.target_id
        session.execute(update(tables.Adaptation).where(active).values(active=False))
        adaptation = tables.Adaptation(
            predictor_id=_predictor_row(session, base),
            target_id=claim.target_id,
            job_id=job.id,
            support=rows,
            artifact_digest=put_artifact(session, artifact),
            metrics=result,
            active=True,
        )
        session.add(adaptation)
        session.flush()
        queue.finish_job(session, job.id, {"adaptation_id": adaptation.id, **result})


def _predictor_row(session: Session, base: StoredPredictor) -> str:
    """Id of the base predictor's row; the shipped one gets a row when something is first adapted from it."""
    if not base.id.startswith(SHIPPED):
        return base.id
    artifact = base.predictor.to_artifact()
    digest = put_artifact(session, artifact)
    row = session.scalar(select(tables.Predictor).where(tables.Predictor.artifact_digest == digest))
    if row is None:
        # Not active: a newer package brings a newer shipped predictor, which must not lose to this row.
        row = tables.Predictor(kind=artifact.kind, artifact_digest=digest, metrics=dict(artifact.metrics), active=False)
        session.add(row)
        session.flush()
    return row.id

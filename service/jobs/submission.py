"""Jobs that callers ask for: checked as far as can be now, and put into the queue."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from latcast.schema import Architecture, FeedSpec, InputError, TargetId, UnknownNameError
from predictors.foreign.reader import ReadsFeatures
from service.db import records, tables
from service.db.session import Database
from service.fleet import audit
from service.fleet.targets import find_adaptable_target, find_measurable_target, find_target
from service.graphs import store
from service.graphs.names import find_hashes
from service.jobs import queue
from service.jobs.payloads import AdaptPayload, ProfilePayload, TrainPayload
from service.jobs.quotas import require_quota
from service.jobs.turns import ANYBODY, Line, Submitter
from service.settings import Settings

__all__ = ["adapt", "profile", "train"]


def profile(
    database: Database,
    settings: Settings,
    reader: ReadsFeatures,
    *,
    target_id: TargetId,
    graph_hashes: Sequence[str],
    architectures: Sequence[tuple[str, str]] = (),
    overrides: Mapping[str, Any] | None = None,
    feeds: Sequence[FeedSpec] = (),
    submitter: Submitter = ANYBODY,
) -> list[tables.Job]:
    """One job for each graph, in order: those named by hash, then the architectures (space, text).

    Raises:
        InputError: nothing to measure, or an architecture that is none.
        NotFoundError: a target or a graph that nobody registered.
        ConflictError: no device measures on the target now, or the submitter has too many jobs.
    """
    from profilers.backends.target_settings import settings_for

    prepared = [
        store.prepare_architecture(reader, Architecture(space=space, text=text)) for space, text in architectures
    ]
    with database.write.begin() as session:
        target = records.target_record(find_measurable_target(session, target_id, settings))
        hashes = [*find_hashes(session, graph_hashes), *(store.save(session, item) for item in prepared)]
        if not hashes:
            raise InputError("Name at least one graph: `graphs` with hashes, or `architectures` with space and text.")
        require_quota(session, submitter.key_id, len(hashes))
        line = Line(session, ProfilePayload.kind, target.id, submitter)
        payload = ProfilePayload(settings=settings_for(target, overrides), feeds=tuple(feeds))
        jobs = queue.enqueue_each(
            session, payload, hashes, max_attempts=settings.max_attempts, target_id=target.id, line=line
        )
        audit.record(session, submitter.key_id, "jobs.profile", target.id, jobs=len(jobs), first=jobs[0].id)
        return jobs


def adapt(
    database: Database,
    settings: Settings,
    *,
    target_id: TargetId,
    payload: AdaptPayload,
    submitter: Submitter = ANYBODY,
) -> tables.Job:
    """A job that has graphs measured, adapts a predictor to them and activates it.

    Of a column of a public table nothing is measured: the job adapts to rows of it.

    Raises:
        UnknownNameError: nobody registered the sampler or the search space.
        InputError: the pool names both search spaces and graphs.
        NotFoundError: nobody registered the target, or a graph of the pool.
        ConflictError: no device measures on the target now, or the submitter has too many jobs.
    """
    _check_names(payload)
    with database.write.begin() as session:
        target = find_adaptable_target(session, target_id, settings)
        graphs = tuple(find_hashes(session, payload.pool.graphs))
        payload = replace(payload, pool=replace(payload.pool, graphs=graphs))
        require_quota(session, submitter.key_id, 1 if target.origin else 1 + payload.samples)
        line = Line(session, payload.kind, target.id, submitter)
        job = queue.enqueue(session, payload, max_attempts=settings.max_attempts, target_id=target.id, line=line)
        audit.record(session, submitter.key_id, "jobs.adapt", target.id, job=job.id, samples=payload.samples)
        return job


def train(
    database: Database, settings: Settings, *, payload: TrainPayload, submitter: Submitter = ANYBODY
) -> tables.Job:
    """A job that trains a predictor on measurements; a worker (`latcast worker`) takes it.

    Raises:
        UnknownNameError: nobody registered the kind, or a search space.
        NotFoundError: nobody registered one of the targets.
        InputError: a hyperparameter that no database can keep.
        ConflictError: the submitter has too many jobs.
    """
    from predictors.registry import predictor_kinds
    from profilers.search_spaces import get_space

    if payload.predictor not in (kinds := predictor_kinds()):
        raise UnknownNameError("predictor", payload.predictor, kinds)
    for space in payload.spaces:
        get_space(space)
    with database.write.begin() as session:
        targets = tuple(dict.fromkeys(find_target(session, target_id).id for target_id in payload.targets))
        require_quota(session, submitter.key_id, 1)
        line = Line(session, payload.kind, None, submitter)
        wanted = replace(payload, targets=targets)
        job = queue.enqueue(session, wanted, max_attempts=settings.max_attempts, line=line)
        audit.record(session, submitter.key_id, "jobs.train", job.id, predictor=payload.predictor)
        return job


def _check_names(payload: AdaptPayload) -> None:
    from predictors.samplers.base import get_sampler
    from profilers.search_spaces import get_space

    get_sampler(payload.sampler)
    for space in payload.pool.space:
        get_space(space)
    if payload.pool.space and payload.pool.graphs:
        raise InputError("pool: give either `space` or `graphs`, not both.")

"""Jobs: make, watch, cancel; and for agents: lease, heartbeat, result, failure."""

import time
from collections.abc import AsyncIterable
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from latcast.errors import AuthenticationError, ForbiddenError
from latcast.schema import FINISHED_STATES, JobKind, JobState
from service.api import schemas, views
from service.api.agents_calls import NOBODY, lease_within, report_of
from service.api.deps import AgentOnly, Cursor, Limit, Measurer, PartsOf, Reader, is_ending
from service.api.door.routes import Route
from service.api.submitters import submitter_of
from service.fleet import access, audit
from service.jobs import listing, queue, submission

__all__ = ["router"]

router = APIRouter(tags=["jobs"], route_class=Route)


@router.post("/jobs", status_code=202)
def create_jobs(body: schemas.JobIn, parts: PartsOf, caller: Measurer) -> schemas.Listed[schemas.JobRef]:
    """Measure graphs on a target (one job for each graph), adapt a predictor to it, or train one on measurements.

    Training needs a key of scope `admin`.
    """
    submitter = submitter_of(caller, body.priority)
    if isinstance(body, schemas.TrainJobIn):
        access.require_scope(caller, ("admin",))
        made = [submission.train(parts.database, parts.settings, payload=body.payload(), submitter=submitter)]
    elif isinstance(body, schemas.AdaptJobIn):
        made = [
            submission.adapt(
                parts.database,
                parts.settings,
                target_id=body.target,
                payload=body.payload(),
                submitter=submitter,
            )
        ]
    else:
        made = submission.profile(
            parts.database,
            parts.settings,
            parts.reader,
            target_id=body.target,
            graph_hashes=body.graphs,
            architectures=[(item.space, item.text) for item in body.architectures],
            overrides=body.settings.overrides(),
            feeds=body.feeds,
            submitter=submitter,
        )
    return schemas.Listed(items=[views.job_ref(job) for job in made])


@router.get("/jobs")
def list_jobs(
    *,
    parts: PartsOf,
    _caller: Reader,
    limit: Limit,
    cursor: Cursor = None,
    state: JobState | None = None,
    kind: JobKind | None = None,
    target: Annotated[str | None, Query(max_length=64)] = None,
    parent: Annotated[str | None, Query(max_length=64)] = None,
) -> schemas.Listed[schemas.JobRef]:
    """Jobs, newest first."""
    with parts.database.read() as session:
        page = listing.jobs_page(
            session, limit=limit, cursor=cursor, state=state, kind=kind, target=target, parent=parent
        )
        items = views.job_refs(session, [job for (job,) in page.items], parts.settings)
    return schemas.Listed(items=items, next_cursor=page.next_cursor)


@router.post("/jobs/lease", responses={204: {"description": "No job came within `wait_s`; ask again."}})
async def lease_job(
    body: schemas.LeaseIn, request: Request, parts: PartsOf, caller: AgentOnly
) -> schemas.LeaseOut | None:
    """Get the oldest job for one of the targets that the agent's device offers; waits for one to come.

    A key that is revoked meanwhile ends the call with 401.
    """
    job = await lease_within(body.wait_s, request, parts, caller)
    return Response(status_code=204) if job is None else job  # type: ignore[return-value]  # FastAPI passes responses through


@router.get("/jobs/{job_id}")
def get_job(job_id: str, parts: PartsOf, _caller: Reader) -> schemas.JobOut:
    """A job with every attempt at it and why those failed."""
    with parts.database.read() as session:
        job = views.job_out(session, queue.find(session, job_id), parts.settings)
    if job.state in FINISHED_STATES:
        parts.changes.look()  # whoever is told that an adaptation is done asks it next
    return job


@router.get("/jobs/{job_id}/children")
def list_children(job_id: str, parts: PartsOf, _caller: Reader) -> schemas.ChildrenOut:
    """The jobs that a job waits for: the networks that an adaptation has measured, the latencies as they come in, and
    the forecasts that stood before.
    """
    with parts.database.read() as session:
        return views.children_out(session, queue.find(session, job_id).id, parts.settings)


@router.post("/jobs/{job_id}/cancel")
def cancel_job(job_id: str, parts: PartsOf, caller: Measurer) -> schemas.JobOut:
    """Cancel a job and the jobs it waits for; with a key of scope `measure`, one of its own."""
    with parts.database.write.begin() as session:
        job = queue.find(session, job_id)
        if not caller.is_admin and job.api_key_id != caller.key_id:
            raise ForbiddenError(f"Job {job_id} is another key's; only that one or an admin's cancels it.")
        audit.record(session, caller.key_id, "jobs.cancel", job_id)
        return views.job_out(session, queue.cancel(session, job_id), parts.settings)


ShownJob = Annotated[schemas.JobOut, Depends(get_job)]
"""The job as it is when the call comes; one that does not exist is refused before the stream begins."""


@router.get("/jobs/{job_id}/events", response_class=EventSourceResponse)
async def follow_job(job: ShownJob, request: Request, parts: PartsOf, caller: Reader) -> AsyncIterable[ServerSentEvent]:
    """The job now, and each time it changes, until it is finished, the caller's key is revoked or the service ends."""
    yield ServerSentEvent(event="job", data=job)
    while job.state not in FINISHED_STATES and not is_ending(request):
        try:
            last, job = job, await parts.watch.next(job.id, caller)
        except AuthenticationError:
            return
        if job.state in FINISHED_STATES:
            await parts.pools.reads.run(parts.changes.look)
        if job != last:
            yield ServerSentEvent(event="job", data=job)


@router.post("/jobs/{job_id}/heartbeat")
def extend_lease(job_id: str, body: schemas.HeartbeatIn, parts: PartsOf, caller: AgentOnly) -> schemas.HeartbeatOut:
    """Extend the lease; 409 when it has ended, and then stop working on the job."""
    with parts.database.write.begin() as session:
        deadline = queue.heartbeat(
            session,
            job_id=job_id,
            lease_token=body.lease_token,
            lease_seconds=parts.settings.lease_seconds,
            device_id=caller.device_id or NOBODY,
        )
        access.agent_of(session, caller).seen_unix_s = time.time()
    return schemas.HeartbeatOut(deadline_unix_s=deadline)


@router.post("/jobs/{job_id}/result")
async def report_result(job_id: str, body: schemas.ResultIn, parts: PartsOf, caller: AgentOnly) -> schemas.ReceiptOut:
    """Deliver a measurement. Once this is answered with 2xx it is on disk; a repeat is answered as the first was."""
    receipt = await parts.writes.take(report_of(job_id, body.lease_token, body.measurement, caller))
    return schemas.ReceiptOut.model_validate(receipt)


@router.post("/jobs/{job_id}/failure")
async def report_failure(job_id: str, body: schemas.FailureIn, parts: PartsOf, caller: AgentOnly) -> schemas.ReceiptOut:
    """Say why nothing was measured; the job returns to the queue while it has attempts left."""
    receipt = await parts.writes.take(report_of(job_id, body.lease_token, body.failure, caller))
    return schemas.ReceiptOut.model_validate(receipt)

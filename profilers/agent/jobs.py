"""What an agent works on, and where it comes from: `Job`, and the `JobSource` that leases it."""

from dataclasses import dataclass
from typing import Protocol

from latcast.schema import Failure, FeedSpec, GraphHash, JobKind, LatcastError, Measurement, ProfileSettings

__all__ = ["AgentRefusedError", "Job", "JobSource", "ReportRefusedError", "SourceFailedError", "SourceUnavailableError"]


class SourceUnavailableError(LatcastError):
    """The source cannot be reached at this moment; the same call may succeed later."""


class SourceFailedError(SourceUnavailableError):
    """The source, or somebody in its place, answered with something that is no answer to this call.

    The same call may succeed later, too; but it may be this very call that fails, while others are answered.
    """


class ReportRefusedError(LatcastError):
    """The source will never take this report: its lease is lost, or what it says cannot be."""


class AgentRefusedError(LatcastError):
    """The source takes nothing from this agent any more, for example because its key was revoked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One graph to measure, on lease.

    Args:
        id: identifier of the job.
        lease_token: proves the lease; reports are idempotent by it.
        graph: hash of the model to fetch.
        settings: how to measure.
        feeds: what goes in; empty means `profilers.feeds.feed_specs` of the graph.
        lease_seconds: how long the lease lasts without a heartbeat.
        kind: nothing but measuring is leased to agents.
    """

    id: str
    lease_token: str
    graph: GraphHash
    settings: ProfileSettings
    feeds: tuple[FeedSpec, ...] = ()
    lease_seconds: float = 120.0
    kind: JobKind = JobKind.PROFILE


class JobSource(Protocol):
    """Where jobs come from and reports go.

    Every call may raise `SourceUnavailableError` (tried again later) and `AgentRefusedError` (ends the agent); `result`
    and `failure` may raise `ReportRefusedError`, too, and `model` another `LatcastError`, which fails the job.
    `heartbeat` is called from another thread than the rest, at the same time.
    """

    def lease(self) -> Job | None:
        """The next job; None where there was none during the long poll."""

    def heartbeat(self, job: Job) -> bool:
        """Prolong the lease; False where it is lost, and the job is another agent's."""

    def model(self, graph: GraphHash) -> bytes:
        """The model of a graph, weights stripped or not."""

    def result(self, job: Job, measurement: Measurement) -> None:
        """Report a measurement; returns when it is safe at the other side."""

    def failure(self, job: Job, failure: Failure) -> None:
        """Report why there is none."""

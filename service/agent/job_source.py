"""Jobs for an agent out of a service: `profilers.agent.jobs.JobSource` over REST."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from latcast.client import Client
from latcast.errors import (
    AuthenticationError,
    BodyTooLargeError,
    ForbiddenError,
    LeaseLostError,
    NotFoundError,
    RateLimitedError,
    UnavailableError,
)
from latcast.schema import Failure, GraphHash, InputError, LatcastError, Measurement, from_plain
from profilers.agent.jobs import AgentRefusedError, Job, ReportRefusedError, SourceFailedError, SourceUnavailableError

__all__ = ["ServiceJobSource"]

T = TypeVar("T")

LONGEST_LEASE_S = 86_400.0


class ServiceJobSource:
    """Work for the agent whose key the client has. Thread-safe.

    What is no answer of the service (a page, a redirect, an internal error, a job that cannot be read) never counts as
    its word: the same call is made again later.

    Args:
        client: with an agent's key.
        wait_s: how long one call for a job waits.
    """

    def __init__(self, client: Client, *, wait_s: float = 20.0) -> None:
        self._client, self._wait_s = client, wait_s

    def lease(self) -> Job | None:
        """The next job; None where there was none during the long poll."""
        plain = _answered(lambda: self._client.lease(wait_s=self._wait_s))
        if plain is None:
            return None
        try:
            job = from_plain(Job, plain)
            if not 0 < job.lease_seconds <= LONGEST_LEASE_S:
                raise InputError(f"lease_seconds: {job.lease_seconds} is no length of a lease.")
        except InputError as error:
            self._give_back(
                plain, f"The agent cannot read this job ({error}); install the service's version of latcast."
            )
            raise SourceFailedError(f"The service sent a job that cannot be read: {error}") from error
        return job

    def _give_back(self, plain: Mapping[str, Any], why: str) -> None:
        """Say that the job cannot be read, so that people see the reason; in vain where it is no job at all."""
        try:
            self._client.failure(plain["id"], plain["lease_token"], Failure(stage="internal", message=why))
        except (LatcastError, KeyError):
            return

    def heartbeat(self, job: Job) -> bool:
        """Prolong the lease. False: it is lost."""
        return _answered(lambda: self._client.heartbeat(job.id, job.lease_token))

    def model(self, graph: GraphHash) -> bytes:
        """The model of a graph, weights stripped.

        Raises:
            NotFoundError: the service does not have the graph.
        """
        return _answered(lambda: self._client.model(graph), final=(NotFoundError,))

    def result(self, job: Job, measurement: Measurement) -> None:
        """Report a measurement; returns when it is on the service's disk.

        One that is larger than the service takes goes without its kernels, which are nearly all of it, and says so.
        """
        try:
            _reported(job, lambda: self._client.result(job.id, job.lease_token, measurement))
        except SourceFailedError as error:
            if not isinstance(error.__cause__, BodyTooLargeError) or not measurement.kernels:
                raise
            smaller = _without_kernels(measurement, f"The service takes no report of this size: {error}")
            _reported(job, lambda: self._client.result(job.id, job.lease_token, smaller))

    def failure(self, job: Job, failure: Failure) -> None:
        """Report why there is none."""
        _reported(job, lambda: self._client.failure(job.id, job.lease_token, failure))


def _without_kernels(measurement: Measurement, why: str) -> Measurement:
    runs = (replace(run, kernels=None, no_kernels=why) if run.kernels else run for run in measurement.runs)
    return replace(measurement, runs=tuple(runs))


def _reported(job: Job, call: Callable[[], Mapping[str, Any]]) -> None:
    """Make a report, which the service has taken once its answer names the job."""
    try:
        receipt = _answered(call, final=(LeaseLostError, InputError, ForbiddenError, ValueError))
    except (LeaseLostError, InputError) as error:
        raise ReportRefusedError(str(error)) from error
    except ForbiddenError as error:  # of this report: a lease that another key took, for example
        raise SourceFailedError(str(error)) from error
    except ValueError as error:
        raise ReportRefusedError(f"The report cannot be sent as JSON: {error}.") from error
    if receipt.get("job_id") != job.id:
        raise SourceFailedError("The answer to the report is no receipt of the service's.")


def _answered(call: Callable[[], T], *, final: tuple[type[Exception], ...] = ()) -> T:
    """What the call returns.

    Raises:
        AgentRefusedError: the service itself refuses the agent's key.
        SourceUnavailableError: the service is away.
        SourceFailedError: whatever else is no answer to the call, apart from errors that are `final`.
    """
    try:
        return call()
    except final:
        raise
    except (AuthenticationError, ForbiddenError) as error:
        raise AgentRefusedError(str(error)) from error
    except (UnavailableError, RateLimitedError) as error:
        raise SourceUnavailableError(str(error)) from error
    except LatcastError as error:
        raise SourceFailedError(str(error)) from error
    except Exception as error:  # an answer of a shape that nobody foresaw is the service's affair, not the agent's end
        raise SourceFailedError(f"The service's answer cannot be read: {type(error).__name__}.") from error

"""Jobs for an agent out of a service: `profilers.agent.jobs.JobSource` over REST."""

from collections.abc import Callable
from typing import TypeVar

from latcast.client import Client
from latcast.errors import RateLimitedError, UnavailableError
from latcast.schema import Failure, GraphHash, Measurement, from_plain
from profilers.agent.jobs import Job, SourceUnavailableError

__all__ = ["ServiceJobSource"]

T = TypeVar("T")


class ServiceJobSource:
    """Work for the agent whose key the client has. Thread-safe.

    Args:
        client: with an agent's key.
        wait_s: how long one call for a job waits.
    """

    def __init__(self, client: Client, *, wait_s: float = 20.0) -> None:
        self._client, self._wait_s = client, wait_s

    def lease(self) -> Job | None:
        """The next job; None where there was none during the long poll."""
        plain = _available(lambda: self._client.lease(wait_s=self._wait_s))
        return None if plain is None else from_plain(Job, plain)

    def heartbeat(self, job: Job) -> bool:
        """Prolong the lease. False: it is lost."""
        return _available(lambda: self._client.heartbeat(job.id, job.lease_token))

    def model(self, graph: GraphHash) -> bytes:
        """The model of a graph, weights stripped."""
        return _available(lambda: self._client.model(graph))

    def result(self, job: Job, measurement: Measurement) -> None:
        """Report a measurement; returns when it is on the service's disk."""
        _available(lambda: self._client.result(job.id, job.lease_token, measurement))

    def failure(self, job: Job, failure: Failure) -> None:
        """Report why there is none."""
        _available(lambda: self._client.failure(job.id, job.lease_token, failure))


def _available(call: Callable[[], T]) -> T:
    try:
        return call()
    except (UnavailableError, RateLimitedError) as error:
        raise SourceUnavailableError(str(error)) from error

"""How the service does jobs of its own: in steps, each under a lease, with the jobs that one waits for in between.

`Steps` of a kind plan a job, which may make child jobs for agents, and finish it once those have finished. Nothing is
kept in memory from one step to the next: whether a job is planned is told by its having children, so that another
process can go on wherever one has died. A further kind of job is one more subclass (`service.worker.kinds` has them).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from sqlalchemy.orm import Session

from latcast.schema import LatcastError, TargetId
from service.jobs.payloads import Payload

__all__ = ["Finished", "LeasedJob", "Steps", "TryAgainError", "Waiting"]

P = TypeVar("P", bound=Payload)


class TryAgainError(LatcastError):
    """A step that did not get done for a reason that may pass; the job returns to the queue while attempts are left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasedJob(Generic[P]):
    """A job whose next step is under way.

    Args:
        id: of the job.
        lease_token: of the lease under which the step is taken.
        target_id: what it is about; None where it concerns no one target.
        payload: what was asked for.
    """

    id: str
    lease_token: str
    target_id: TargetId | None
    payload: P


@dataclass(frozen=True, slots=True)
class Waiting:
    """The outcome of a step after which the job waits for its children.

    Args:
        write: makes the children (at least one, with the job as `parent_id`) and whatever they need, in the
            transaction that ends the lease.
    """

    write: Callable[[Session], None]


@dataclass(frozen=True, slots=True)
class Finished:
    """The outcome of a step with which the job is done.

    Args:
        write: stores what came of the job in the transaction that ends the lease, and returns the job's result.
        announce: called after that transaction.
    """

    write: Callable[[Session], Mapping[str, Any]]
    announce: Callable[[], None] = lambda: None


class Steps(ABC, Generic[P]):
    """The steps of one kind of job.

    The slow work is done in `plan` and `finish`, outside of any writing transaction; what they return is written in
    the transaction that ends the lease, and only if the lease still holds. Both may be called again for the same job,
    in another process, after one that died or took too long. A `LatcastError` fails the job with its sentence.
    An instance is used by one thread.
    """

    payload: ClassVar[type[Payload]]
    """Record of the payloads, which says the kind of the jobs."""

    @abstractmethod
    def plan(self, job: LeasedJob[P]) -> Waiting | Finished:
        """The first step, for a job without children.

        Raises:
            LatcastError: the job cannot be done; says why.
        """

    @abstractmethod
    def finish(self, job: LeasedJob[P]) -> Finished:
        """The step after the children, all of which are finished: done, failed or cancelled.

        Raises:
            LatcastError: the job cannot be done; says why.
        """

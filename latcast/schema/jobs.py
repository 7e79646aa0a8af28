"""The kinds of jobs, the states that a job has, and the ways in which a lease ends.

The service, its tables, clients, agents and commands all use these; the values are what stands in JSON and in columns.
"""

from enum import StrEnum

__all__ = ["FINISHED_STATES", "JobKind", "JobState", "LeaseOutcome"]


class JobKind(StrEnum):
    """The kind of work that a job asks for."""

    PROFILE = "profile"
    """Measure one graph on one target; agents do it."""
    ADAPT = "adapt"
    """Adapt a predictor to one target; the service does it, with measuring jobs as its children."""
    TRAIN = "train"
    """Train a predictor on measurements; a worker of the service does it, in a process of its own."""


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    """It waits for a worker, or for the jobs that it has made."""
    LEASED = "leased"
    """A worker is at it."""
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINISHED_STATES = frozenset({JobState.DONE, JobState.FAILED, JobState.CANCELLED})
"""States that a job never leaves."""


class LeaseOutcome(StrEnum):
    """How a lease of a job ended."""

    DONE = "done"
    FAILED = "failed"
    EXPIRED = "expired"
    """The worker fell silent until the deadline."""
    CANCELLED = "cancelled"
    RELEASED = "released"
    """The worker gave the job back before its end, for example until its children are finished; no failed attempt."""

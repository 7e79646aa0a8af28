"""The errors with which the service refuses calls; they extend the tree of `latcast.schema.errors`.

```
LatcastError
└── ServiceError
    ├── AuthenticationError   401  no key, or none that is valid
    ├── ForbiddenError        403  a key whose scope does not reach this far
    ├── NotFoundError         404  nothing of that name
    ├── ConflictError         409  the state of things does not allow it
    │   └── LeaseLostError    409  the lease ran out, or somebody else holds it
    ├── BodyTooLargeError     413
    ├── RateLimitedError      429  says after how many seconds to try again
    ├── UnexpectedAnswerError 502  somebody else answered in the service's place
    └── UnavailableError      503  database or disk cannot be reached now
```

An error travels as a problem detail (RFC 9457), whose `type` ends in the error's slug. `PROBLEMS` is the one table
that the service writes problems by and the client reads them by. Standard library only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from latcast.schema import (
    ArtifactError,
    BackendUnavailableError,
    InputError,
    InvalidArchitectureError,
    InvalidFeedsError,
    InvalidModelError,
    LatcastError,
    MissingEvidenceError,
    ModelLimitError,
    NotFittedError,
    UnboundDimensionError,
    UnknownNameError,
    UnsupportedGraphError,
    UnsupportedOperatorError,
)

__all__ = [
    "PROBLEMS",
    "URN",
    "AuthenticationError",
    "BodyTooLargeError",
    "ConflictError",
    "ForbiddenError",
    "LeaseLostError",
    "NotFoundError",
    "ProblemType",
    "RateLimitedError",
    "ServiceError",
    "UnavailableError",
    "UnexpectedAnswerError",
    "error_of_problem",
    "problem_type",
]


class ServiceError(LatcastError):
    """A refusal of the service."""

    status: ClassVar[int] = 500


class AuthenticationError(ServiceError):
    """No key was given, or one that is unknown or revoked."""

    status = 401


class ForbiddenError(ServiceError):
    """The key's scope does not allow the call."""

    status = 403


class NotFoundError(ServiceError):
    """Nothing has that name."""

    status = 404


class ConflictError(ServiceError):
    """The state of things does not allow the call."""

    status = 409


class LeaseLostError(ConflictError):
    """The lease ran out and the job went back, or on to somebody else."""


class BodyTooLargeError(ServiceError):
    """The request's body exceeds its limit."""

    status = 413


class RateLimitedError(ServiceError):
    """Too many calls.

    Args:
        retry_after_s: seconds until the next call is allowed.
    """

    status = 429

    def __init__(self, message: str, *, retry_after_s: float = 1.0) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class UnexpectedAnswerError(ServiceError):
    """What came back is no answer of a latcast service: a page, a redirect, JSON of another shape."""

    status = 502


class UnavailableError(ServiceError):
    """Something that the service stands on cannot be reached now; trying again later may help.

    Attributes:
        retry_after_s: seconds after which the service said to try again; None where it did not.
    """

    status = 503
    retry_after_s: float | None = None


URN = "urn:latcast:problem:"


@dataclass(frozen=True, slots=True)
class ProblemType:
    """How errors of a class travel.

    Args:
        status: of the HTTP answer.
        slug: end of the problem's `type`.
        members: attributes of the error that the problem carries too.
    """

    status: int
    slug: str
    members: tuple[str, ...] = ()

    @property
    def urn(self) -> str:
        """The problem's `type`."""
        return URN + self.slug


PROBLEMS: Mapping[type[LatcastError], ProblemType] = {
    ServiceError: ProblemType(ServiceError.status, "internal"),
    LatcastError: ProblemType(500, "internal"),
    InputError: ProblemType(422, "input"),
    InvalidModelError: ProblemType(422, "invalid-model"),
    ModelLimitError: ProblemType(422, "model-limit", ("limit", "allowed", "found")),
    UnboundDimensionError: ProblemType(422, "unbound-dimension", ("dimensions",)),
    UnsupportedOperatorError: ProblemType(422, "unsupported-operator", ("operators",)),
    InvalidFeedsError: ProblemType(422, "invalid-feeds"),
    InvalidArchitectureError: ProblemType(422, "invalid-architecture"),
    UnknownNameError: ProblemType(422, "unknown-name", ("what", "name", "known")),
    UnsupportedGraphError: ProblemType(422, "unsupported-graph", ("operators",)),
    BackendUnavailableError: ProblemType(409, "backend-unavailable"),
    NotFittedError: ProblemType(409, "not-fitted"),
    MissingEvidenceError: ProblemType(409, "missing-evidence"),
    ArtifactError: ProblemType(503, "artifact"),
    AuthenticationError: ProblemType(AuthenticationError.status, "authentication"),
    ForbiddenError: ProblemType(ForbiddenError.status, "forbidden"),
    NotFoundError: ProblemType(NotFoundError.status, "not-found"),
    ConflictError: ProblemType(ConflictError.status, "conflict"),
    LeaseLostError: ProblemType(LeaseLostError.status, "lease-lost"),
    BodyTooLargeError: ProblemType(BodyTooLargeError.status, "body-too-large"),
    RateLimitedError: ProblemType(RateLimitedError.status, "rate-limited"),
    UnexpectedAnswerError: ProblemType(UnexpectedAnswerError.status, "unexpected-answer"),
    UnavailableError: ProblemType(UnavailableError.status, "unavailable"),
}
"""How each class of the error trees travels. The first class of a slug is what its problem is read as: a failure of the
service without a class of its own is a `ServiceError`."""

_BY_STATUS: Mapping[int, type[LatcastError]] = {
    400: InputError,
    422: InputError,
    **{kind.status: error for error, kind in PROBLEMS.items() if ServiceError in error.__bases__},
    502: UnavailableError,
    504: UnavailableError,
}
"""The errors, by status, of answers whose slug is not in the table: a proxy's, or one of a newer service."""


def problem_type(error: LatcastError) -> ProblemType:
    """How an error travels; a class that is not in the table travels as its nearest ancestor."""
    return next(PROBLEMS[cls] for cls in type(error).__mro__ if cls in PROBLEMS)


def error_of_problem(problem: Mapping[str, Any], *, status: int) -> LatcastError:
    """The error that a problem stands for, with the members it carries; by its slug, else by the answer's status.

    Raises:
        KeyError: no problem detail: it has no `type`, no `detail`, or lacks a member that goes with its type.
    """
    cls, members = _class_of(str(problem["type"]), status)
    error = cls.__new__(cls, str(problem["detail"]))  # the sentence is there already, which some constructors write
    if isinstance(error, RateLimitedError):
        error.retry_after_s = 1.0
    for name in members:
        setattr(error, name, _frozen(problem[name]))
    return error


def _class_of(urn: str, status: int) -> tuple[type[LatcastError], tuple[str, ...]]:
    for cls, kind in PROBLEMS.items():
        if kind.urn == urn:
            return cls, kind.members
    return _BY_STATUS.get(status, ServiceError), ()


def _frozen(value: Any) -> Any:
    """JSON's lists as the tuples that errors hold."""
    return tuple(_frozen(part) for part in value) if isinstance(value, list) else value
